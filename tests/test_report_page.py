"""The page of an audit as people use it, opened from its file in a browser: sliders, tables, keys, themes, print."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

import browser
import synthetic_results
from heatproof.experiment.csv_files import is_formula, write_csv
from heatproof.experiment.results import Results
from heatproof.plots._curve import curve_of
from heatproof.plots.visualise import colour
from heatproof.report import render
from heatproof.report.gauge import gauge
from heatproof.report.photo_table import ROWS
from heatproof.report.words import SHAPES, number

PHOTOS, METHOD = 12, "guided_backprop"
METHODS = ["vanilla_custom", "gradient_x_input", METHOD, "guided_gradcam", "gradient", "smoothgrad",
           *synthetic_results.CONTROLS]  # fmt: skip
OPEN = "document.querySelectorAll('details').forEach(one => { one.open = true })"
SPILL = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    run = synthetic_results.full_results(tmp_path_factory.mktemp("page"), size=20, photos=2)
    names = ("curves", "floors", "verdicts", "by_check", "table", "kept", "efficient", "planted", "calibration")
    few = {name: getattr(run, name)[getattr(run, name)["method"].isin(METHODS)] for name in names}
    return dataclasses.replace(run, **few, per_image=synthetic_results.per_image(PHOTOS))


@pytest.fixture(scope="module")
def report(run: Results) -> Path:
    return render(run)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as found:
        yield found


@pytest.fixture
def page(chromium: Browser, report: Path) -> Iterator[Page]:
    """The report; whatever a test does, nothing else may happen."""
    with browser.opened(chromium, report) as shown:
        shown.using = True
        yield shown.page
        assert shown.nothing_happened, shown.seen


def card(page: Page, method: str = METHOD) -> Locator:
    return page.locator(".card").filter(has=page.get_by_role("heading", name=method, exact=True))


def pixels(found: Locator) -> np.ndarray[Any, Any]:
    """A tile as it is on the screen, as many pixels as its map has."""
    shown = Image.open(io.BytesIO(found.screenshot())).convert("RGB")
    return np.asarray(shown.resize((20, 20), Image.Resampling.BOX), dtype=int)


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Equal but for the pixels at which a tile is cut."""
    return bool(np.abs(one - other).mean() < 12 and np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.97)


def column(table: Locator, place: int) -> list[str]:
    return table.locator(f"tbody tr:not([hidden]) > :nth-child({place + 1})").all_inner_texts()


def test_a_card_says_all_in_a_line_and_opens_into_its_evidence(page: Page, run: Results) -> None:
    line = card(page).locator("> summary")
    said = line.inner_text()
    for words in (METHOD, "insensitive", "Do not use it as evidence", "With half of the network random, it keeps 88 %"):
        assert words in said
    assert line.bounding_box()["height"] < 80  # type: ignore[index]
    assert not card(page).locator(".plots").first.is_visible()
    line.click()
    assert card(page).locator(".plots").first.is_visible()
    order = page.locator(".cards .card:not(.refused) h3").all_inner_texts()
    ranked = list(run.verdicts["method"])
    controls = synthetic_results.CONTROLS
    assert order == [m for m in ranked if m not in controls] + [m for m in ranked if m in controls]
    assert "worse: Labels" in card(page, "smoothgrad").inner_text()


def test_the_slider_moves_the_film(page: Page, run: Results) -> None:
    card(page).locator("> summary").click()
    film, slider = card(page).locator(".film-slider"), card(page).get_by_role("slider")
    tiles = film.locator("figure").first.locator(".tile")
    original = pixels(tiles.nth(0))
    assert same(pixels(tiles.nth(1)), original)
    assert film.locator("output").inner_text() == "original"
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    strip, place = run.strips[0], 3
    assert film.locator("output").inner_text() == strip.stages[place]
    rows = run.tiles[(run.tiles["method"] == METHOD) & (run.tiles["image"] == 0) & (run.tiles["stage"] == place)]
    similarity = f"similarity {number(rows['similarity'].item())}"
    assert film.locator("figcaption").first.inner_text().endswith(similarity)
    assert slider.get_attribute("aria-valuetext").startswith(f"{strip.stages[place]}, {similarity}")  # type: ignore[union-attr]
    moved = pixels(tiles.nth(1))
    assert not same(moved, original)
    assert same(pixels(tiles.nth(0)), original)
    assert same(moved, colour(strip.maps[METHOD][place], "absolute")), "the map of that stage"
    assert not same(moved, colour(strip.maps[METHOD][place + 1], "absolute"))
    assert card(page).locator(".l-cursor.on").count() >= 2
    page.keyboard.press("Home")
    assert film.locator("output").inner_text() == "original"
    film.get_by_label("Signed").check()
    assert same(pixels(tiles.nth(0)), colour(strip.maps[METHOD][0], "diverging"))
    assert page.locator("#strips input[value=diverging]").is_checked()


def opened_table(page: Page) -> Locator:
    card(page).locator("> summary").click()
    card(page).locator(".photo-numbers > summary").click()
    return card(page).locator(".photo-numbers table")


def test_every_column_sorts_both_ways(page: Page, run: Results) -> None:
    table = opened_table(page)
    rows = run.per_image[run.per_image["method"] == METHOD]
    names = ["name", "target", "similarity_half", "similarity_end", "floor", "status"]
    for place, name in enumerate(names):
        head = table.locator("thead th").nth(place)
        for direction in ("ascending", "descending"):
            head.get_by_role("button").click()
            assert head.get_attribute("aria-sort") == direction
            assert table.locator("[aria-sort]").count() == 1
            ordered = rows.dropna(subset=[name]).sort_values(name, ascending=direction == "ascending", kind="stable")
            shown = column(table, place)
            filled = [text for text in shown if text != "–"]
            if name in ("similarity_half", "similarity_end", "floor"):
                assert filled == [number(v) for v in ordered[name]]
                exact = table.locator(f"tbody td:nth-child({place + 1})").evaluate_all(
                    "all => all.map(e => e.dataset.value)"
                )
                assert np.allclose([float(v) for v in exact if v], ordered[name], rtol=1e-5)
                assert shown[len(filled) :] == ["–"] * int(rows[name].isna().sum()), "empty last"
            else:
                assert sorted(filled) == sorted(ordered[name])
                if name != "name":  # alphabetical order of punctuation is the browser's own
                    assert filled == list(ordered[name])


def test_the_table_is_filtered_and_saved_as_a_spreadsheet_may_open_it(page: Page, run: Results, tmp_path: Path) -> None:
    table = opened_table(page)
    tools = card(page).locator(".photo-numbers .tools")
    button = tools.get_by_role("button")
    assert button.inner_text() == f"Download {PHOTOS} rows as CSV"
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == f"{METHOD}.csv"
    text = Path(download.value.path()).read_text("utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    wanted = run.per_image[run.per_image["method"] == METHOD]
    assert rows[0] == ["photo", "explained class", "similarity, half", "similarity, end", "null floor", "status"]
    plain = wanted[["name", "target", "similarity_half", "similarity_end", "floor", "status"]]
    ours = list(csv.reader(io.StringIO(write_csv(tmp_path / "ours.csv", plain).read_text("utf-8"))))
    assert len(rows) == len(ours) == PHOTOS + 1
    for found, line in zip(rows[1:], ours[1:], strict=True):
        assert (found[0], found[1], found[5]) == (line[0], line[1], line[5]), "the same apostrophes"
        for one, other in zip(found[2:5], line[2:5], strict=True):
            assert one == other == "" or np.isclose(float(one), float(other), rtol=1e-5)
    assert any(cell.startswith("'=") for row in rows for cell in row)
    assert not [cell for row in rows for cell in row if is_formula(cell)]

    tools.get_by_label("Filter").fill("CLASS 3")
    assert set(column(table, 1)) == {"class 3"}
    assert button.inner_text() == f"Download {(wanted['target'] == 'class 3').sum()} rows as CSV"
    tools.get_by_label("Filter").fill("")
    tools.get_by_label("Status").select_option("vanished")
    assert column(table, 5) == ["vanished"] * int((wanted["status"] == "vanished").sum())
    with page.expect_download() as download:
        button.click()
    assert Path(download.value.path()).read_text("utf-8").count("vanished") == len(column(table, 5))


def test_the_theme_changes_and_is_remembered(page: Page) -> None:
    def colours() -> tuple[str, str]:
        style = "getComputedStyle(document.body)"
        return page.evaluate(f"{style}.backgroundColor"), page.evaluate(f"{style}.color")

    light = colours()
    page.get_by_label("Dark").check()
    dark = colours()
    assert len({*light, *dark}) == 4
    page.reload()
    assert colours() == dark
    page.get_by_label("Auto").check()
    assert colours() == light
    page.emulate_media(color_scheme="dark")
    assert colours() == dark
    page.get_by_label("Light").check()
    assert colours() == light
    page.get_by_label("Dark").check()
    page.emulate_media(media="print")
    assert colours() == light, "paper is white"


def test_a_page_without_storage_works(chromium: Browser, report: Path) -> None:
    context = chromium.new_context()
    context.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('none'); } })")
    page = context.new_page()
    errors: list[object] = []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto(report.resolve().as_uri())
    page.get_by_label("Dark").check()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not errors
    context.close()


def focused(page: Page) -> str:
    return str(
        page.evaluate("document.activeElement.querySelector('h3')?.textContent ?? document.activeElement.textContent")
    )


def test_all_is_done_without_a_mouse(page: Page) -> None:
    page.keyboard.press("Tab")
    assert "Skip" in focused(page)
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    heads = page.locator("details.card h3").all_inner_texts()
    for place in (0, 1, 2):
        page.keyboard.press("j")
        assert focused(page) == heads[place]
    page.keyboard.press("k")
    assert focused(page) == heads[1]
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator("details.card").nth(1).get_attribute("open") is not None
    page.keyboard.press("o")
    assert page.locator("details.card[open]").count() == len(heads)
    page.keyboard.press("o")
    assert page.locator("details.card[open]").count() == 0
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("o")
    assert page.locator("details.card[open]").count() == 0, "the list is alone"
    page.get_by_label("Letters are shortcuts").focus()
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()
    page.keyboard.press("o")
    assert page.locator("details.card[open]").count() == 0, "letters are off"


def test_letters_typed_into_a_filter_stay_letters(page: Page) -> None:
    opened_table(page)
    box = card(page).get_by_label("Filter")
    box.press_sequentially("joke?")
    assert box.input_value() == "joke?"
    assert page.locator("details.card[open]").count() == 1
    assert not page.locator("#help").is_visible()


def test_the_tally_shows_the_methods_of_one_verdict(page: Page, run: Results) -> None:
    every = page.locator(".cards .card:visible h3").all_inner_texts()
    button = page.get_by_role("button", name=re.compile("sensitive$")).last
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    controls = synthetic_results.CONTROLS
    wanted = [m for m in run.verdicts.loc[run.verdicts["verdict"] == "sensitive", "method"] if m not in controls]
    assert page.locator(".cards .card:visible h3").all_inner_texts() == wanted + [m for m in every if m in controls]
    page.keyboard.press("j")
    assert focused(page) == wanted[0]
    button.click()
    assert page.locator(".cards .card:visible h3").all_inner_texts() == every


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 1280), ("dark", 390)])
def test_nobody_is_kept_out(chromium: Browser, report: Path, theme: str, width: int) -> None:
    with browser.opened(chromium, report, width) as shown:
        shown.page.locator(f"input[value={theme}]").check()
        shown.page.evaluate(OPEN)
        shown.page.wait_for_timeout(200)
        assert shown.barriers() == []
        assert shown.page.evaluate(SPILL) == 0
        shown.page.set_viewport_size({"width": 360, "height": 700})
        assert shown.page.evaluate(SPILL) == 0
        assert shown.nothing_happened


def test_the_evidence_is_there_without_a_script(chromium: Browser, report: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.resolve().as_uri())
    card(page).locator("> summary").click()
    assert card(page).locator(".plots").first.is_visible()
    assert card(page).get_by_role("link", name="Its maps at every stage").is_visible()
    card(page).locator(".photo-numbers > summary").click()
    assert card(page).locator(".photo-numbers tbody tr").count() == PHOTOS
    assert page.locator("#strips img.absolute").first.is_visible()
    usable = "input:visible:enabled, button:visible:enabled, select:visible"
    assert page.locator(usable).count() == 0, "nothing that would do nothing"
    context.close()


def test_print_shows_the_evidence_and_strips_for_sliders(page: Page) -> None:
    page.emulate_media(media="print")
    assert card(page).locator(".plots").first.is_visible(), "folds are printed open, by the style sheet alone"
    assert card(page).locator(".facts").is_visible()
    assert page.locator(".film-slider:visible, nav:visible, .tools:visible").count() == 0
    assert page.locator("#strips img:visible").count() >= len(METHODS)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details.card[open]").count() == len(METHODS)
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("details.card[open]").count() == 0


def test_thousands_of_photos_stay_a_page(run: Results, tmp_path: Path) -> None:
    """32 photos have to stay under 15 MB; so do 3000, of which the page holds some and names the file of all."""
    strips = [synthetic_results._strip(i, 224, f"photo {i}") for i in range(3)]
    sizes = {}
    for photos in (32, 3000):
        many = dataclasses.replace(run, folder=tmp_path, strips=strips, per_image=synthetic_results.per_image(photos))
        text = render(many).read_text("utf-8")
        sizes[photos] = len(text)
        assert text.count("<tr data-status=") == len(METHODS) * min(photos, ROWS)
        assert (f"The first {ROWS} of {photos} photos; per_image.csv" in text) == (photos > ROWS)
    assert 1e6 < sizes[32] < 15e6
    assert sizes[3000] < 15e6


DEUTERANOPIA = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881))
PROTANOPIA = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998))
"""Machado, Oliveira and Fernandes 2009, table 1, severity 1: of linear RGB."""


def as_seen(code: str, blindness: tuple[tuple[float, ...], ...]) -> np.ndarray[Any, Any]:
    """CIE L*a*b* of a colour as somebody without one kind of cones sees it."""
    coded = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(blindness) @ linear, 0, 1)
    white = np.array([0.95047, 1, 1.08883])
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen / white
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_verdicts_are_told_apart_without_red_or_green(page: Page, report: Path) -> None:
    sheet = report.read_text("utf-8")
    found = {name: re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", sheet) for name in SHAPES}
    for theme, blindness in itertools.product((1, 2), (DEUTERANOPIA, PROTANOPIA)):
        seen = {name: as_seen(match[theme], blindness) for name, match in found.items() if match}
        assert len(seen) == 5
        for one, other in itertools.combinations(SHAPES, 2):
            apart = float(np.linalg.norm(seen[one] - seen[other]))
            assert apart > 8 or SHAPES[one] != SHAPES[other], (one, other, theme, apart)
    # and a shape and a word stand beside every colour
    for line in page.locator(".cards > details > summary, .tally button:has(.icon), .chips li").all():
        assert line.locator(".icon").count() == 1
        assert any(verdict in (line.text_content() or "") for verdict in SHAPES)


def test_without_a_verdict_names_can_be_read_and_films_are_drawn(
    chromium: Browser, run: Results, tmp_path: Path
) -> None:
    """Such cards are open from the start."""
    asked = dict(run.config) | {"checks": ["graded"]}
    strips = [dataclasses.replace(strip, check="graded") for strip in run.strips[:1]]
    unjudged = dataclasses.replace(run, folder=tmp_path, config=asked, strips=strips, by_check=run.by_check.iloc[:0],
                                   curves=run.curves[run.curves["check"] == "graded"])  # fmt: skip
    with browser.opened(chromium, render(unjudged)) as shown:
        for width in (1280, 360):
            shown.page.set_viewport_size({"width": width, "height": 700})
            head = card(shown.page).locator("h3")
            assert head.bounding_box()["height"] < 40, "a name stands in one line"  # type: ignore[index]
        assert card(shown.page).locator(".film-slider .tile").count() == 2
        assert card(shown.page).locator(".film-slider output").inner_text() == "original"
        button = shown.page.locator("#open-all")
        assert button.inner_text() == "Close all"
        button.click()
        shown.page.wait_for_timeout(100)
        assert (shown.page.locator("details.card[open]").count(), button.inner_text()) == (0, "Open all")


def test_a_wide_photo_stays_inside_a_phone(chromium: Browser, run: Results, tmp_path: Path) -> None:
    strips = [dataclasses.replace(s, picture=np.tile(s.picture, (1, 4, 1))) for s in run.strips]
    with browser.opened(chromium, render(dataclasses.replace(run, folder=tmp_path, strips=strips)), 360) as shown:
        shown.page.evaluate(OPEN)
        shown.page.wait_for_timeout(200)
        assert shown.page.evaluate(SPILL) == 0


def test_the_gauge_and_the_corner_show_the_stage_that_is_judged(run: Results) -> None:
    """Of fewer than four blocks only the network with all of them random is judged."""
    row = run.verdicts[run.verdicts["method"] == METHOD].to_dict("records")[0]
    small = dataclasses.replace(run, config=dict(run.config) | {"blocks": run.config["blocks"][:2]})
    ends = {}
    for name, results in {"half": run, "end": small}.items():
        ends[name] = float(re.findall(r'g-kept" d="M[\d.]+ 4H([\d.]+)', gauge(results, row, "cascading"))[0])
    rows = run.curves[(run.curves["method"] == METHOD) & (run.curves["check"] == "cascading")]
    means = rows[rows["metric"] == row["metric"]].set_index("stage")["mean"]
    assert ends["half"] == pytest.approx(120 * means[4], abs=0.06)
    assert ends["end"] == pytest.approx(max(120 * means[8], 120 * row["floor"]), abs=0.06)
    corners = [curve_of(results, METHOD, row["metric"], "cascading").zone for results in (run, small)]
    assert [corner[0] for corner in corners if corner] == [0.5, 0.9375]
