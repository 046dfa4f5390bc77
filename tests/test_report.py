"""The report: one file, no request, every text escaped, every number of the results in it."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import io
import re
from collections import Counter
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

import synthetic_results
from heatproof.audit import Audit
from heatproof.checks.kinds import CHECKS as KINDS
from heatproof.cli import shown as cli_shown
from heatproof.errors import InputError, RunError
from heatproof.experiment.results import Results
from heatproof.plots.classes import class_tiles
from heatproof.plots.visualise import colour
from heatproof.report import figures, render, sections
from heatproof.report.words import interval, number, percent

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'"


class Page(HTMLParser):
    """Every element with its attributes, and the text outside of style and script."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: list[str] = []
        self.text = ""
        self.code: dict[str, list[str]] = {"script": [], "style": []}
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        self.inside.append(tag)
        self.text += " " if tag in ("td", "th", "br") else ""

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self.inside and self.inside[-1] in self.code:
            self.code[self.inside[-1]].append(data)
        else:
            self.text += data

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.elements if name in attributes]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return synthetic_results.results(tmp_path_factory.mktemp("run"), size=20, photos=1)


@pytest.fixture(scope="module")
def page(run: Results) -> Page:
    return Page(render(run).read_text("utf-8"))


@pytest.fixture(scope="module")
def hostile(run: Results) -> Page:
    """A run in which every name, reason and error that comes from outside is an attack."""
    strip = dataclasses.replace(run.strips[0], title=EVIL, stages=[EVIL, *run.strips[0].stages[1:]])
    strip = dataclasses.replace(strip, maps={EVIL if k == "gradient" else k: v for k, v in strip.maps.items()})
    bad = {name: getattr(run, name).replace("gradient", EVIL) for name in ("curves", "floors", "verdicts", "table")}
    bad["verdicts"] = bad["verdicts"].assign(reason=EVIL)
    bad["refused"] = run.refused.assign(method=EVIL + "2", error=EVIL)
    config = run.config | {
        "model": EVIL, "dataset": EVIL, "date": EVIL, "command": EVIL, "warnings": [EVIL], EVIL: {EVIL: [EVIL]},
        "images": [{"name": EVIL + "\udcff", "label": EVIL, "target": 1, "predicted": EVIL, "probability": 0.5}],
        "blocks": [{"name": EVIL, "tensors": [EVIL]}],
    }  # fmt: skip
    evil = dataclasses.replace(run, folder=run.folder / "evil", config=config, strips=[strip], **bad)
    return Page(render(evil).read_bytes().decode("utf-8"))


def only(run: Results, folder: Path, *methods: str) -> Results:
    """The run cut down to a few methods, with a folder of its own."""
    tables = {n: getattr(run, n) for n in ("curves", "floors", "verdicts", "table")}
    cut = {name: table[table["method"].isin(methods)] for name, table in tables.items()}
    return dataclasses.replace(run, folder=folder, strips=[], **cut)


def no_request(page: Page) -> bool:
    links = page.values("href") + page.values("src") + page.values("xlink:href")
    local = all(link.startswith(("data:", "#")) for link in links)
    styles = [*page.code["style"], *page.values("style"), *page.values("clip-path")]
    quiet = all("@import" not in s and re.search(r"url\((?!#)", s) is None for s in styles)
    tags = {tag for tag, _ in page.elements}
    return local and quiet and not tags & {"iframe", "object", "embed", "base", "form", "audio", "video", "source"}


def test_the_file_needs_no_other(page: Page, hostile: Page) -> None:
    assert no_request(page)
    assert no_request(hostile)
    assert not no_request(Page("<img src='https://example.org/a.png'>"))
    assert not no_request(Page("<style>p { background: url(a.png) }</style>"))


def test_the_policy_allows_its_own_script_and_nothing_else(page: Page) -> None:
    (policy,) = [a["content"] for t, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    (script,) = page.code["script"]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    position = [t for t, a in page.elements].index("style")
    assert [a.get("http-equiv") for t, a in page.elements[:position]].count("Content-Security-Policy") == 1


def test_hostile_names_stay_text(page: Page, hostile: Page) -> None:
    assert len(hostile.code["script"]) == 1
    assert hostile.code["script"] == page.code["script"]
    assert not [name for _, attributes in hostile.elements for name in attributes if name.startswith("on")]
    assert Counter(t for t, _ in hostile.elements)["img"] == Counter(t for t, _ in page.elements)["img"]
    # model, date, command, reasons, refused, warnings, photo, blocks, film strip
    assert hostile.text.count(EVIL) > 25


def test_every_method_has_its_verdict_reason_and_numbers(run: Results, page: Page) -> None:
    for row in run.verdicts.to_dict("records"):
        assert row["method"] in page.text
        assert row["reason"] in page.text
    cards = page.text[page.text.index("How to read a card") : page.text.index("All methods together")]
    tested = [m for m in run.verdicts["method"] if m not in synthetic_results.CONTROLS]
    titles = [t for t in re.findall(r"^\s*(\S+)\s*$", cards, re.M) if t in set(run.verdicts["method"])]
    assert list(dict.fromkeys(titles)) == tested + synthetic_results.CONTROLS
    assert re.search(r"guided_backprop\s+insensitive", cards)
    for value in ("0.41", "0.38 to 0.44", "0.88", "0.81 to 0.95"):
        assert value in cards


def test_half_and_end_are_the_stages_of_the_results(run: Results, page: Page) -> None:
    rows = run.curves[(run.curves["method"] == "guided_backprop") & (run.curves["metric"] == "spearman_abs")]
    half, end = rows[rows["stage"] == 4].iloc[0], rows[rows["stage"] == 8].iloc[0]
    card = page.text[page.text.index("guided_backprop", page.text.index("How to read a card")) :]
    facts = re.search(r"excess at half\s*(\S+).*?excess at end\s*(\S+)", card, re.S)
    assert facts is not None
    assert facts.groups() == (number(half["excess"]), number(end["excess"]))


def test_controls_are_marked_and_the_caveat_stands_before_the_verdicts(page: Page) -> None:
    caveat = "Passing is necessary, never sufficient: a random map passes this test by construction."
    assert page.text.index(caveat) < page.text.index("How to read a card")
    for name in synthetic_results.CONTROLS:
        assert re.search(name + r"\s+\S+\s+control", page.text)
    assert not re.search(r"guided_backprop\s+\S+\s+control", page.text)


def test_what_is_missing_is_listed(page: Page) -> None:
    missing = page.text[page.text.index("What is missing") :]
    for words in ("guided_backprop_lrp", "no ReLU in this model", "CUDA out of memory", "31 %", "12 %", "truncated"):
        assert words in missing


def test_every_setting_is_shown(run: Results, page: Page) -> None:
    settings = page.text[page.text.index("Settings\n") :]
    flat = " ".join(settings.split())
    for key in ("weights_sha256", "images_sha256", "date", "init", "batch_norm", "classes", "device", "command"):
        assert str(run.config[key]) in flat
    for block in run.config["blocks"]:
        assert f"{block['name']} {block['name']}.weight, {block['name']}.bias" in flat
    for name, version in run.config["versions"].items():
        assert re.search(rf"{name}\s*{version}", flat)
    assert re.search(r"excess\s*0\.5", flat)


def test_settings_nobody_planned_for_are_shown(run: Results, tmp_path: Path) -> None:
    odd = only(run, tmp_path, "gradient")
    odd = dataclasses.replace(odd, config=run.config | {"new_knob": {"deep": [1, None]}})
    text = " ".join(Page(render(odd).read_text("utf-8")).text.split())
    assert re.search(r"Other\s*new knob\s*deep\s*1, None", text)


def test_images_and_drawings_have_alternatives_and_ids_are_unique(page: Page) -> None:
    assert all(a.get("alt") for t, a in page.elements if t == "img")
    drawings = [a for t, a in page.elements if t == "svg"]
    assert all(a.get("aria-label") if a.get("role") == "img" else a.get("aria-hidden") for a in drawings)
    assert sum(a.get("role") == "img" for a in drawings) == 11 * 4 + 2
    ids = Counter(page.values("id"))
    assert max(ids.values()) == 1
    wanted = {h[1:] for h in page.values("href") if h.startswith("#")}
    wanted |= {c[5:-1] for c in page.values("clip-path")}
    assert wanted
    assert wanted <= set(ids)


def test_drawings_take_their_colours_from_the_page(page: Page) -> None:
    styles = " ".join(page.values("style"))
    assert "var(--sensitive)" in styles
    assert set(re.findall(r"#[0-9a-f]{6}", styles)) <= {"#000000"}
    (sheet,) = page.code["style"]
    assert set(re.findall(r"var\((--[a-z-]+)\)", styles)) <= set(re.findall(r"(--[a-z-]+):", sheet))
    assert "color-scheme: light dark" in sheet
    assert len(re.findall(r"light-dark\(#[0-9a-f]{6}, #[0-9a-f]{6}\)", sheet)) > 10
    assert "@media print" in sheet


def test_a_film_strip_shows_the_maps_in_both_views(run: Results, page: Page) -> None:
    strip = run.strips[0]
    for view in ("absolute", "diverging"):
        images = {
            a["alt"].split(",")[0]: a["src"] for t, a in page.elements if t == "img" and view in a.get("class", "")
        }
        assert set(images) == set(strip.maps)
        data = base64.b64decode(images["gradient"].removeprefix("data:image/webp;base64,"))
        pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
        tiles = [pixels[:, i * 24 : i * 24 + 20] for i in range(9)]
        for shown, saliency in zip(tiles, strip.maps["gradient"], strict=True):
            np.testing.assert_array_equal(shown[..., :3], colour(saliency, view))  # small maps lose nothing
        assert np.all(pixels[:, 20:24, 3] == 0)


def test_three_large_photos_of_noise_stay_under_ten_megabytes(run: Results, tmp_path: Path) -> None:
    noise = np.random.default_rng(6).standard_normal((9, 3, 224, 224), dtype=np.float32)
    worst = dict.fromkeys(synthetic_results.METHODS, noise)  # nothing compresses worse
    strips = [
        dataclasses.replace(run.strips[0], picture=synthetic_results.picture(i, 224), maps=worst) for i in range(3)
    ]
    path = render(dataclasses.replace(run, folder=tmp_path, strips=strips))
    assert path == tmp_path / "report.html"
    assert 1_000_000 < path.stat().st_size < 10_000_000
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_run_in_which_nothing_worked_still_has_a_report(run: Results, tmp_path: Path) -> None:
    names = ("curves", "floors", "verdicts", "table")
    empty = {name: getattr(run, name).iloc[:0] for name in names}
    page = Page(render(dataclasses.replace(run, folder=tmp_path, strips=[], config={}, **empty)).read_text("utf-8"))
    assert "unnamed model" in page.text
    assert "guided_backprop_lrp" in page.text


def test_a_second_check_is_named_beside_the_first(run: Results, tmp_path: Path) -> None:
    few = only(run, tmp_path, "gradient", "gradcam")
    more = few.curves[few.curves["metric"] == "spearman"].assign(check="independent", share=1 / 8)
    both = dataclasses.replace(few, curves=pd.concat([few.curves, more], ignore_index=True))
    page = Page(render(both).read_text("utf-8"))
    assert "Independent randomisation" in page.text
    assert "It carries no verdict." in page.text
    assert any("independent randomisation" in a.get("aria-label", "") for t, a in page.elements if t == "svg")
    assert "Similarity at every stage: independent randomisation" in page.text


def test_a_report_that_cannot_be_written_leaves_the_old_one(run: Results, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    target.mkdir()
    with pytest.raises(RunError, match=r"cannot write .*finished jobs are kept"):
        render(only(run, tmp_path, "gradient"))
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(("format", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_figures_are_written_in_every_format(run: Results, tmp_path: Path, format: str, start: bytes) -> None:
    one = run.curves[(run.curves["metric"] == "spearman") & run.curves["method"].isin(["gradient", "gradcam"])]
    strip = dataclasses.replace(run.strips[0], maps={"gradcam": run.strips[0].maps["gradcam"]})
    small = dataclasses.replace(run, folder=tmp_path, curves=one, strips=[strip])
    paths = figures(small, format)  # type: ignore[arg-type]
    assert {p.stem for p in paths} == {
        "curves-cascading-spearman", "methods-cascading-spearman", "strip-cascading-0-absolute",
        "strip-cascading-0-diverging",
    }  # fmt: skip
    assert all(p.parent == tmp_path / "figures" and p.suffix == f".{format}" for p in paths)
    contents = [p.read_bytes() for p in paths]
    assert all(c.startswith(start) for c in contents)
    assert [p.read_bytes() for p in figures(small, format)] == contents  # type: ignore[arg-type]


def test_another_figure_format_is_refused(run: Results) -> None:
    with pytest.raises(InputError, match="expected one of png, pdf, svg"):
        figures(run, "gif")  # type: ignore[arg-type]


def test_numbers_are_written_for_people() -> None:
    assert number(0.9951) == "0.995"
    assert number(None) == number("x") == "–"
    assert interval(None, 1.0) == ""
    assert percent(1.0) == "100 %"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Every check, three methods: what is drawn per method is drawn alike."""
    run = synthetic_results.full_results(tmp_path_factory.mktemp("whole"), size=20, photos=1)
    keep = ["gradient", "smoothgrad", "edge_map", "cgi", "clrp"]
    names = ("curves", "floors", "verdicts", "table", "by_check", "kept", "efficient", "planted")
    cut: dict[str, pd.DataFrame] = {n: getattr(run, n)[getattr(run, n)["method"].isin(keep)] for n in names}
    free = ~run.calibration["method"].isin(synthetic_results.METHODS)
    return dataclasses.replace(
        run, **cut, calibration=run.calibration[free | run.calibration["method"].isin(keep)]
    )  # fmt: skip


@pytest.fixture(scope="module")
def every(whole: Results) -> Page:
    return Page(render(whole).read_text("utf-8"))


def part(page: Page, start: str, end: str) -> str:
    """The text between two headings, in one line."""
    body = page.text[page.text.index("How to read a card") :]
    body = body[body.index(f"{start}\n") :]
    return " ".join(body[: body.index(end)].split())


SECTIONS = {
    "by-check": "Verdicts by check", "labels": "Label randomisation", "planted": "Planted evidence",
    "efficient": "Rise of entropy", "kept": "What the competition keeps", "calibration": "Calibration of the similarities",
    "classes": "Maps of every class", "check-1": "Reverse cascading", "check-3": "Full randomisation",
}  # fmt: skip


def test_sections_stand_only_where_there_is_something(page: Page, every: Page) -> None:
    assert set(SECTIONS) <= set(every.values("id"))
    assert not set(SECTIONS) & set(page.values("id"))
    for title in SECTIONS.values():
        assert title in every.text
        assert title not in page.text
    assert not any(name in page.values("class") for name in ("chips", "alert", "check"))
    anchors = {h[1:] for h in every.values("href") if h.startswith("#")}
    assert set(SECTIONS) - {"planted"} <= anchors <= set(every.values("id"))
    assert no_request(every)


def test_every_check_has_its_own_verdict_on_the_card_and_in_the_matrix(
    whole: Results, every: Page, tmp_path: Path
) -> None:
    card = part(every, "smoothgrad", "Controls")
    assert re.search(r"Cascading: sensitive ?Reverse: sensitive.*Labels: insensitive", card)
    matrix = part(every, "Verdicts by check", "All methods together")
    assert matrix.count("insensitive") == 1
    found = whole.by_check[(whole.by_check["method"] == "gradient") & (whole.by_check["check"] == "reverse")].iloc[0]
    cells = [a for t, a in every.elements if t == "span" and a.get("class", "").startswith("mark")]
    assert Counter(c["class"] for c in cells)["mark v-insensitive"] >= 1
    assert number(found["excess"]) in matrix
    one = dataclasses.replace(
        only(whole, tmp_path, "gradient"), by_check=whole.by_check[whole.by_check["check"] == "labels"]
    )
    assert "by-check" not in Page(render(one).read_text("utf-8")).values("id")


def test_a_check_with_a_floor_of_its_own_is_shown_against_it(whole: Results, every: Page) -> None:
    smooth = whole.floor("gradient", "spearman_abs", "smooth")["floor"]
    plain = whole.floor("gradient", "spearman_abs", "cascading")["floor"]
    labels = [
        a["aria-label"] for t, a in every.elements if t == "svg" and "of gradient maps" in a.get("aria-label", "")
    ]
    own = [text for text in labels if text.startswith("Spearman, absolute similarity")]
    assert sum(f"null floor {number(smooth)}" in text for text in own) == 1
    assert sum(f"null floor {number(plain)}" in text for text in own) == len(own) - 1 == 5
    assert number(smooth) != number(plain)
    table = part(every, "Numbers: smoothed maps", "Numbers: label")
    assert re.search(rf"gradient Spearman, signed .*? Spearman, absolute {number(smooth)} ", table)


def test_support_and_closed_form_stand_beside_absolute_spearman(every: Page, page: Page) -> None:
    table = part(every, "Numbers", "Numbers: reverse cascading")
    assert re.search(
        r"Spearman, signed.*Spearman, absolute [^S]*0\.78.*Spearman, absolute, where not zero.*SSIM", table
    )
    assert "closed form" in table
    assert "closed form" not in page.text


def test_caveats_and_stages_are_printed_where_the_check_is(whole: Results, every: Page) -> None:
    for check, title in (("cascading", "All methods together"), ("random_logit", "Random logit")):
        start = every.text.index(title, every.text.index("Verdicts by check"))
        assert whole.config["caveats"][check] in every.text[start : start + 500]
    assert every.text.count(whole.config["caveats"]["kept"]) == 1
    biases = part(every, "Biases alone", "Smoothed maps")
    assert "Do not see the last bias (similarity exactly 1 at the first stage): gradient." in biases
    assert "1 classifier, 2 features.18" in biases
    labels = [t for t in every.values("aria-label") if "graded randomisation" in t]
    assert labels


def test_all_methods_that_see_the_last_bias_are_said_to(whole: Results, tmp_path: Path) -> None:
    near = whole.curves.assign(mean=whole.curves["mean"].where(whole.curves["check"] != "biases", 1 - 1e-9))
    near = near[near["check"].isin(["cascading", "biases"]) & (near["metric"] == "spearman")]
    text = Page(render(dataclasses.replace(whole, folder=tmp_path, curves=near)).read_text("utf-8")).text
    assert "Every method sees the last bias" in text
    assert "Do not see the last bias" not in text


def test_gates_say_what_holds_and_what_was_not_measured(whole: Results, every: Page, tmp_path: Path) -> None:
    text = part(every, "Label randomisation", "Planted evidence")
    assert re.search(r"permuted training labels 0\.993 0\.950 holds", text)
    assert re.search(r"chance 0\.171 0\.100 ± 0\.050 does not hold", text)
    assert re.search(r"given network – 0\.950 not measured", text)
    assert whole.config["labels"]["why"] in text
    assert "Not concluded" not in every.text
    config = whole.config | {"labels": whole.config["labels"] | {"concluded": False, "why": "It did not learn."}}
    rows = whole.curves[whole.curves["check"] == "cascading"]
    open_page = Page(render(dataclasses.replace(whole, folder=tmp_path, config=config, curves=rows)).read_text("utf-8"))
    assert "Not concluded. It did not learn." in open_page.text
    assert "alert" in open_page.values("class")


def test_numbers_of_the_companions_are_in_their_tables(whole: Results, every: Page) -> None:
    planted = part(every, "Planted evidence", "Rise of entropy")
    assert re.search(r"gradient yes 58 % 9 % 49\.0 41\.0 to 57\.0 6 % 0\.17 0\.10 to 0\.24", planted)
    assert re.search(r"edge_map no 8 % 7 % 1\.0 −1\.0 to 1\.5", planted)
    assert re.search(r"smoothgrad unclear 14 % 9 %", planted)
    assert "no, where any difference is under 2 % of the map" in planted
    row = whole.efficient[whole.efficient["method"] == "gradient"].iloc[0]
    entropy = part(every, "Rise of entropy", "Calibration of")
    rises, means = entropy.split("Entropy of the maps")
    assert f"gradient {number(row['rise'])} {interval(row['lower'], row['upper'])}" in rises
    assert "mean over photos of each photo's own rise" in rises
    assert "3.11" not in rises  # a rise beside means that point the other way would contradict itself
    assert re.search(r"may point apart.*gradient 3\.11", means)
    kept = part(every, "What the competition keeps", "Maps of every class")
    assert "cgi: original 41 % 39 % to 43 % 83 % 80 % to 86 % 20 % 10" in kept
    assert "clrp: all random 19 %" in kept
    calibration = part(every, "Calibration of the similarities", "What the competition keeps")
    assert "photo × uniform noise, twice 0.450 0.446 to 0.454" in calibration
    assert re.search(r"Map and the edges of the photo.*gradient 0\.310 0\.306 to 0\.314", calibration)
    assert calibration.index("Map and a uniform") < calibration.index("Map and the edges")


def test_the_class_sheet_shows_shared_scales_and_the_competition(whole: Results, every: Page) -> None:
    sheet = whole.sheets[0]
    images = {a["alt"].split(":")[0]: a for t, a in every.elements if t == "img" and "maps of class 0" in a["alt"]}
    assert list(images) == list(sheet.maps)
    data = base64.b64decode(images["gradient_x_input"]["src"].removeprefix("data:image/webp;base64,"))
    pixels = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    tiles = class_tiles(sheet, "gradient_x_input")
    assert len(tiles) == 11
    for place, tile in enumerate(tiles):
        np.testing.assert_array_equal(pixels[:, place * 24 : place * 24 + 20], tile)
    assert [a.get("class") for t, a in every.elements if t == "th"].count("explained") == 1
    assert re.search(r"class 2\s*explained class 3\s*class 4.*competition", " ".join(every.text.split()))


def test_strips_of_every_check_stand_under_its_name(whole: Results, every: Page, page: Page) -> None:
    heads = [a for t, a in every.elements if t == "h3" and a.get("class") == "check"]
    assert len(heads) == len({strip.check for strip in whole.strips}) == 2
    strips = part(every, "Film strips", "Numbers")
    assert strips.index("Cascading randomisation") < strips.index("Reverse cascading")
    assert "from the output down" in part(page, "Film strips", "Numbers")


def test_hostile_names_stay_text_in_every_section(whole: Results, every: Page, tmp_path: Path) -> None:
    names = ("curves", "floors", "verdicts", "table", "by_check", "kept", "efficient", "planted", "calibration")
    swaps = {"gradient": EVIL, "cgi": EVIL, "map_uniform": EVIL, "independent": EVIL, "hog": EVIL}
    bad = {name: getattr(whole, name).replace(swaps) for name in names}
    config = whole.config | {
        "caveats": dict.fromkeys([*synthetic_results.CHECKS, "kept", EVIL], EVIL),
        "check_plan": {EVIL: {"stages": [1], "names": [EVIL], "shares": [1]}},
        "labels": {"concluded": False, "why": EVIL,
                   "gates": [{"name": EVIL, "value": EVIL, "limit": EVIL, "holds": False}]},
    }  # fmt: skip
    sheet = dataclasses.replace(whole.sheets[0], title=EVIL, classes=[EVIL] * 10)
    strips = [dataclasses.replace(strip, check=EVIL) for strip in whole.strips]
    evil = dataclasses.replace(whole, folder=tmp_path, config=config, sheets=[sheet], strips=strips, **bad)
    page = Page(render(evil).read_bytes().decode("utf-8"))
    assert no_request(page)
    assert page.code["script"] == every.code["script"]
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert Counter(t for t, _ in page.elements)["img"] == Counter(t for t, _ in every.elements)["img"]
    assert page.text.count(EVIL) > 60
    assert max(Counter(page.values("id")).values()) == 1


def test_a_run_of_one_stage_checks_alone_has_a_report(whole: Results, tmp_path: Path) -> None:
    rows = whole.curves[whole.curves["check"] == "labels"]
    alone = dataclasses.replace(whole, folder=tmp_path, curves=rows, strips=[],
                                by_check=whole.by_check[whole.by_check["check"] == "labels"])  # fmt: skip
    page = Page(render(alone).read_text("utf-8"))
    assert "All methods together" not in page.text
    before = page.text[: page.text.index("What is missing")]
    for absent in ("excess at half", "excess at end", "half of the network", "half of it", "corner", "still follows"):
        assert absent not in before, absent
    assert "output down" not in before
    assert "halfway" not in before
    assert not [c for c in page.values("class") if c in ("legend", "l-zone")]
    card = page.text[page.text.index("How to read a card") : page.text.index("Label randomisation")]
    assert "trained the same way on permuted labels" in card
    assert "hardly differs from the map of a network trained on permuted labels" in card
    assert re.search(r"null floor\s*\S+.*?excess\s*\S+", card, re.S)
    heads = [h.strip() for h in re.findall(r"method\s+similarity\s+null floor(.*?)defined", page.text, re.S)]
    assert re.sub(r"\s+", " ", heads[0]).startswith("similarity excess prior")


def test_the_words_follow_the_first_check(whole: Results, tmp_path: Path) -> None:
    said = {}
    for check in ("cascading", "reverse", "full", "smooth", "labels"):
        one = dataclasses.replace(whole, folder=tmp_path / check, strips=[],
                                  curves=whole.curves[whole.curves["check"] == check],
                                  by_check=whole.by_check[whole.by_check["check"] == check])  # fmt: skip
        text = " ".join(Page(render(one).read_text("utf-8")).text.split())
        said[check] = text[text.index("How to read a card") : text.index("gradient", text.index("How to read a card"))]
    assert len(set(said.values())) == 5
    assert "from the output down" in said["cascading"]
    for check in ("reverse", "smooth"):
        assert "from the input up" in said[check]
        assert "output down" not in said[check]
    assert "averaged over noisy copies" in said["smooth"]
    assert "It hardly changes when all of the network is randomised" in said["full"]
    assert "when half of the network is randomised" in said["reverse"]


def unjudged(whole: Results, folder: Path, *checks: str) -> Results:
    """A run of checks that carry no verdict."""
    reason = (
        f"Without a check that judges there is no verdict (asked for: {', '.join(checks)}); add the check cascading."
    )
    plain = {"verdict": "undecided", "reason": reason, "metric": "", "faithfulness": np.nan, "undefined": np.nan}
    return dataclasses.replace(
        whole, folder=folder, config={**whole.config, "checks": list(checks), "labels": None}, strips=[],
        curves=whole.curves[whole.curves["check"].isin(checks)], by_check=whole.by_check.iloc[:0], sheets=[],
        verdicts=whole.verdicts.assign(**plain, floor=np.nan, excess=np.nan, vanished=np.nan),
        **dict.fromkeys(("kept", "efficient", "calibration"), whole.planted.iloc[:0]),
    )  # fmt: skip


def test_a_planted_run_says_that_no_verdict_was_asked_for(whole: Results, tmp_path: Path) -> None:
    run = unjudged(whole, tmp_path, "planted")
    run = dataclasses.replace(run, curves=run.curves.iloc[:0], floors=run.floors.iloc[:0])
    page = Page(render(run).read_text("utf-8"))
    assert page.text.count("no verdict asked for") == 1
    assert page.text.count(str(run.verdicts["reason"].iloc[0])) == 1
    for absent in ("undecided", "suffice to say.\n", "How to read", "random map passes", "Numbers", "excess"):
        assert absent not in page.text[: page.text.index("What is missing")], absent
    assert not {"numbers", "verdicts"} & {*page.values("id"), *(h[1:] for h in page.values("href"))}
    assert "planted" in page.values("id")
    assert "#planted" in page.values("href")


def test_curves_without_a_verdict_have_no_zone_and_no_verdict(whole: Results, tmp_path: Path) -> None:
    page = Page(render(unjudged(whole, tmp_path, "graded")).read_text("utf-8"))
    assert "undecided" not in page.text[: page.text.index("What is missing")]
    assert "l-zone" not in page.values("class")
    assert "l-curve" in page.values("class")
    assert "share of the random one grows" in page.text[page.text.index("How to read a card") :]


def test_sections_and_contents_follow_the_order_of_the_checks(every: Page) -> None:
    found = [a["href"][1:] for t, a in every.elements if t == "a"]
    order = [i for i in every.values("id") if i in found]
    checks = [i for i in found if i not in ("verdicts", "by-check", "together", "classes", "strips", "numbers", "missing",
                                            "settings")]  # fmt: skip
    assert checks == [i for i in order if i in checks]
    heads = [
        t for t in (*SECTIONS.values(), "Graded randomisation", "Smoothed maps", "Random logit") if t != "Verdicts"
    ]
    text = every.text[every.text.index("All methods together") :]
    places = {t: text.index(f"{t}\n") for t in heads if f"{t}\n" in text}
    wanted = ["Reverse cascading", "Full randomisation", "Graded randomisation", "Smoothed maps", "Label randomisation",
              "Planted evidence", "Random logit", "Rise of entropy", "Calibration of the similarities",
              "What the competition keeps", "Maps of every class"]  # fmt: skip
    assert sorted(places, key=places.__getitem__) == wanted


def test_every_check_has_a_section() -> None:
    assert set(sections.OTHERS) | set(synthetic_results.CHECKS) | {"classes"} == set(KINDS)


def test_words_of_closed_form_and_support_only(every: Page) -> None:
    notes = part(every, "Numbers", "Numbers: reverse cascading")
    assert "the zeros of the two maps give by themselves" in notes
    assert "each is zero where the other is not, so that it can be strongly negative" in notes


def test_metrics_with_options_look_right_everywhere(whole: Results, tmp_path: Path) -> None:
    names = {"hog": "hog(correlation='spearman')", "ssim": "ssim(preset='code')"}
    tables = {n: getattr(whole, n).replace(names) for n in ("curves", "floors", "calibration")}
    some = tables["curves"]["check"].isin(["cascading", "labels"])
    run = dataclasses.replace(
        whole, folder=tmp_path, **{**tables, "curves": tables["curves"][some]}, strips=[], sheets=[]
    )
    page = Page(render(run).read_text("utf-8"))
    shown = page.text[: page.text.index("What is missing")] + " ".join(page.values("aria-label"))
    for raw, name in (("hog(", "HOG, correlation spearman"), ("ssim(", "SSIM, preset code")):
        assert raw not in shown
        assert name in shown
    calibration = part(page, "Calibration of the similarities", "What the competition keeps")
    assert calibration.index("where not zero") < calibration.index("SSIM") < calibration.index("HOG")
    stems = {p.stem for p in figures(run, "svg")}
    assert {"curves-cascading-hog-correlation-spearman", "curves-cascading-ssim-preset-code"} <= stems


def test_every_new_figure_is_written(whole: Results, tmp_path: Path) -> None:
    few = whole.curves[(whole.curves["metric"] == "spearman") & whole.curves["check"].isin(["graded", "labels"])]
    paths = figures(dataclasses.replace(whole, folder=tmp_path, curves=few, strips=[]), "svg")
    assert [p.stem for p in paths] == [
        "curves-graded-spearman", "methods-graded-spearman", "bars-labels", "calibration-noise", "efficient", "kept",
        "planted", "classes-0",
    ]  # fmt: skip


def printed(run: Results, monkeypatch: pytest.MonkeyPatch) -> str:
    out = Console(file=io.StringIO(), width=80)
    for module in (import_module("heatproof.cli.console"), cli_shown):
        monkeypatch.setattr(module, "console", out)
    run.folder.mkdir(parents=True, exist_ok=True)
    for name in ("table.csv", "planted.csv"):
        (run.folder / name).touch()
    cli_shown.finish(Audit(run.table, run.verdicts, run.folder / "report.html", run.folder, run), None)
    return out.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_an_audit_prints_what_was_asked_for(whole: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = printed(dataclasses.replace(whole, folder=tmp_path), monkeypatch)
    assert "verdicts, cascading randomisation" in every
    assert re.search(r"method +Reverse +Full +Smoothed +Labels", every)
    assert re.search(r"smoothgrad +sensitive +sensitive +sensitive +insensitive", every)
    assert re.search(r"smoothgrad +unclear +0\.14 +0\.09", every)
    assert re.search(r"cgi +0\.41 +0\.20 +0\.19 +0\.20", every)
    assert re.search(r"rise of entropy\s+method +rise", every)
    assert "…" not in every
    assert "planted.csv, table.csv" in " ".join(every.split())
    for check, words in (("planted", "planted evidence"), ("graded", "graded randomisation, last stage")):
        run = unjudged(whole, tmp_path, check)
        run = run if check == "planted" else dataclasses.replace(run, planted=run.planted.iloc[:0])
        text = printed(run, monkeypatch)
        assert words in text
        assert text.count("no verdict asked for") == 1
        for absent in ("undecided", "verdicts,", "A map that passes"):
            assert absent not in text
