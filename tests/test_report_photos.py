"""The section Photos of a report: what a run keeps for it, what it shows, and what a mouse and keys do to it."""

from __future__ import annotations

import base64
import dataclasses
import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator
from safetensors.torch import load_file

import browser
import heatproof as hp
import synthetic_results
from attacks import ATTACKS, EVIL
from heatproof.experiment.results import Photo, Results, load
from heatproof.plots.visualise import absolute, colour, diverging
from heatproof.report import render
from heatproof.report.photo_maps import SEAM, encoded
from test_audit import images, net
from test_report import Page, no_request

METHODS = ("gradient", "gradient_x_input", "edge_map", "random_map")
Array = np.ndarray[Any, Any]


def decoded(uri: str) -> Array:
    """The pixels of a data URI, ``(H, W, 4)``."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGBA"))


def halves(uri: str) -> tuple[Array, Array]:
    """Grey of magnitudes and of signed values, each ``(H, W)``."""
    grey = decoded(uri)[..., 0]
    height = (len(grey) - 2 * SEAM) // 2
    return grey[:height], grey[-height:]


def made_up(folder: Path, photos: int = 3, size: int = 48, **changes: Any) -> Results:
    """A run of eleven methods whose photos and maps all differ."""
    run = synthetic_results.results(folder, size=20, photos=1)
    held = [_made_up_photo(i, size, "photo_{}.jpg: tench (97 %)") for i in range(photos)]
    changes = {"config": run.config | {"chosen": {"images": 40}}, "photos": held} | changes
    return dataclasses.replace(run, **changes)


def _made_up_photo(i: int, size: int, title: str) -> Photo:
    picture = synthetic_results.picture(i, size)

    def maps() -> dict[str, Array]:
        return {name: synthetic_results._map(name, picture, i, 0) for name in synthetic_results.METHODS}

    return Photo(i, title.format(i), "goldfish" if i == 1 else "", lambda: picture, maps)


def sheets(report: Path) -> list[dict[str, str]]:
    """The data URI of every map by its alternative text, one dictionary a photo."""
    found: list[dict[str, str]] = []
    for tag, attributes in Page(report.read_text("utf-8")).elements:
        if tag == "article" and attributes.get("class") == "sheet":
            found.append({})
        if tag == "img" and attributes.get("class", "").startswith("map"):
            found[-1][attributes["alt"]] = attributes["src"]
    return found


def small_audit(folder: Path, count: int = 5, **options: Any) -> hp.Audit:
    """A real run of a tiny network."""
    options = {"methods": METHODS, "seeds": 1, "nulls": 2, "stages": 1, "faithfulness": False, **options}
    return hp.audit(net(), images(count), out=folder / "run", **options)


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> hp.Audit:
    return small_audit(tmp_path_factory.mktemp("kept"))


class TestKept:
    """What a run leaves for the section."""

    def test_every_map_in_the_page_is_that_of_its_method_and_photo(self, audit: hp.Audit) -> None:
        held: dict[str, Any] = {}
        for file in (audit.folder / "maps").glob("null-*.safetensors"):
            held |= load_file(file)
        pages = sheets(audit.report)
        assert [len(page) for page in pages] == [len(METHODS)] * 5
        for i, page in enumerate(pages):
            for alt, uri in page.items():
                raw = held[f"{alt.partition(',')[0]}|{i}|null|0"].numpy()
                assert f"image {i}" in alt
                above, below = halves(uri)
                np.testing.assert_allclose(above, 255 * absolute(raw), atol=0.51)
                np.testing.assert_allclose(below, 128 + 127 * diverging(raw), atol=0.51)

    def test_the_maps_are_those_of_the_original_network(self, audit: hp.Audit) -> None:
        found = load(audit.folder).photos
        assert [photo.image for photo in found] == [0, 1, 2, 3, 4]
        x = images(5)
        mine = hp.gradient(net(), x)
        for photo in found:
            np.testing.assert_allclose(photo.maps()["gradient"], mine[photo.image], rtol=1e-4, atol=1e-6)
            assert photo.picture().shape == (*x.shape[2:], 3)

    def test_without_kept_maps_there_is_no_section(self, tmp_path: Path) -> None:
        audit = small_audit(tmp_path, keep_maps="none")
        assert audit.results.photos == []
        assert 'id="photos"' not in audit.report.read_text("utf-8")
        assert 'href="#photos"' not in audit.report.read_text("utf-8")

    def test_of_many_photos_some_are_shown_from_first_to_last(self, tmp_path: Path) -> None:
        audit = small_audit(tmp_path, count=70, methods=("gradient",), keep_maps="all")
        assert [photo.image for photo in audit.results.photos] == [i * 70 // 32 for i in range(32)]
        assert "32 photos of 70, spread evenly" in audit.report.read_text("utf-8")

    def test_a_file_of_maps_that_is_gone_is_an_error(self, tmp_path: Path) -> None:
        audit = small_audit(tmp_path)
        for file in (audit.folder / "maps").glob("null-*"):
            file.write_bytes(file.read_bytes()[:100])
        with pytest.raises(hp.RunError, match=r"cannot be read .* delete it and run the same command again"):
            render(load(audit.folder))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as found:
        yield found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(made_up(tmp_path_factory.mktemp("made_up")))


@pytest.fixture
def shown(chromium: Browser, report: Path) -> Iterator[browser.Shown]:
    with browser.opened(chromium, report) as found:
        yield found
        assert found.nothing_happened, found.seen


def pixels(place: Locator) -> Array:
    """What is drawn there, float ``(H, W, 3)``."""
    return np.asarray(Image.open(io.BytesIO(place.screenshot(animations="disabled"))).convert("RGB")).astype(float)


def far(one: Array, other: Array) -> float:
    """Mean difference of two pictures, of 255."""
    return float(np.abs(one - other).mean())


def chosen(shown: browser.Shown) -> tuple[str, str, str]:
    """The photo's title, and what the captions of the two panes say."""
    title, left, right = (
        shown.page.locator(f"#photos {part}") for part in (".chosen", ".left figcaption", ".right figcaption")
    )
    return title.inner_text(), " ".join(left.inner_text().split()), " ".join(right.inner_text().split())


class TestShown:
    """The section in a browser, from a file."""

    def test_a_mouse_picks_a_photo_and_a_method(self, shown: browser.Shown) -> None:
        assert chosen(shown) == (
            "1 of 3: photo_0.jpg: tench (97 %)",
            "the photo alone",
            "gradient_x_input input-dominated",
        )
        shown.page.locator("#photos .thumbs button").nth(1).click()
        shown.page.get_by_role("button", name="gradient, sensitive: map of photo_1.jpg").click()
        assert chosen(shown) == (
            "2 of 3: photo_1.jpg: tench (97 %); explained: goldfish",
            "the photo alone",
            "gradient sensitive",
        )
        assert shown.page.locator("#photos .sheet:visible").count() == 1

    def test_keys_pick_a_photo_a_method_and_a_view(self, shown: browser.Shown) -> None:
        shown.page.locator("#photos .thumbs button[aria-pressed=true]").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "v", "-"):
            shown.page.keyboard.press(key)
        title, _, right = chosen(shown)
        assert title.startswith("2 of 3")
        assert right == "integrated_gradients(steps=16) input-dominated"
        assert shown.page.locator("#photos").get_attribute("data-view") == "diverging"
        assert shown.page.locator("#photos [value=diverging]").is_checked()
        assert shown.page.locator("#photos output").inner_text() == "60 %"
        assert shown.page.evaluate("document.activeElement.ariaLabel").startswith("photo_1.jpg")

    def test_keys_elsewhere_and_keys_of_a_slider_are_not_taken(self, shown: browser.Shown) -> None:
        before = chosen(shown)
        shown.page.locator("summary").first.focus()
        for key in ("ArrowRight", "ArrowDown", "v", "c"):
            shown.page.keyboard.press(key)
        shown.page.locator("#photos input[type=range]").focus()
        shown.page.keyboard.press("ArrowLeft")
        assert chosen(shown) == before
        assert shown.page.locator("#photos").get_attribute("data-view") == "absolute"
        assert shown.page.locator("#photos output").inner_text() == "65 %"

    def test_keys_taken_here_reach_no_one_else(self, shown: browser.Shown) -> None:
        shown.page.evaluate("window.heard = []; document.addEventListener('keydown', e => window.heard.push(e.key))")
        shown.page.locator("#photos .thumbs button").first.focus()
        for key in ("ArrowRight", "v", "j"):  # j leads to a card, and so away from here
            shown.page.keyboard.press(key)
        assert shown.page.evaluate("window.heard") == ["j"]

    def test_one_tab_stop_for_all_photos_and_one_for_all_methods(self, shown: browser.Shown) -> None:
        for group in (".thumbs", ".sheet:not([hidden]) .tiles"):
            assert shown.page.locator(f"#photos {group} button").count() > 2
            assert shown.page.locator(f"#photos {group} button[tabindex='0'][aria-pressed=true]").count() == 1
            assert shown.page.locator(f"#photos {group} button[tabindex='0']").count() == 1

    def test_the_slider_goes_from_the_photo_alone_to_the_map_alone(self, shown: browser.Shown) -> None:
        slider, right = shown.page.locator("#photos input[type=range]"), shown.page.locator("#photos .right .layers")
        alone, drawn = pixels(shown.page.locator("#photos .left .layers")), {}
        for percent in (0, 50, 100):
            slider.fill(str(percent))
            drawn[percent] = pixels(right)
            tile = pixels(shown.page.locator("#photos .tile button[aria-pressed=true] .layers"))
            small = Image.fromarray(drawn[percent].astype(np.uint8)).resize(tile.shape[1::-1], Image.Resampling.BOX)
            assert far(np.asarray(small, float), tile) < 12, "tiles follow"
        assert far(drawn[0], alone) < 1
        assert far(drawn[100], alone) > 30
        assert far(drawn[50], (drawn[0] + drawn[100]) / 2) < 2

    @pytest.mark.parametrize("view", ["absolute", "diverging"])
    def test_what_is_drawn_has_the_colours_of_the_plots(self, shown: browser.Shown, view: Any) -> None:
        shown.page.locator("#photos input[type=range]").fill("100")
        shown.page.locator(f"#photos [value={view}]").check()
        shown.page.locator("#photos select.right").select_option(label="gradcam, sensitive")
        shown.page.locator("#photos .thumbs button").nth(2).click()
        found = pixels(shown.page.locator("#photos .right .layers"))
        raw = synthetic_results._map("gradcam", synthetic_results.picture(2, 48), 2, 0)
        want = Image.fromarray(colour(raw, view)).resize(found.shape[1::-1], Image.Resampling.NEAREST)
        assert far(found, np.asarray(want, float)) < 6

    def test_two_methods_stand_side_by_side(self, shown: browser.Shown) -> None:
        shown.page.get_by_role("button", name="guided_backprop, insensitive").focus()
        shown.page.keyboard.press("Enter")
        shown.page.keyboard.press("c")
        shown.page.keyboard.press("ArrowDown")
        assert chosen(shown)[1:] == ("guided_backprop insensitive", "guided_gradcam undecided")
        assert shown.page.evaluate("document.activeElement.querySelector('.map').alt").startswith("guided_gradcam")
        shown.page.keyboard.press("ArrowRight")
        assert "guided_gradcam, undecided: map of photo_1.jpg" in shown.page.evaluate(
            "document.activeElement.querySelector('.map').alt"
        )
        shown.page.keyboard.press("ArrowLeft")
        left, right = (shown.page.locator(f"#photos .{side} .map").get_attribute("alt") for side in ("left", "right"))
        assert (left or "").startswith("guided_backprop, insensitive: map of photo_0.jpg")
        assert (right or "").startswith("guided_gradcam, undecided: map of photo_0.jpg")
        shown.page.locator("#photos select.left").select_option("")
        assert chosen(shown)[1] == "the photo alone"

    def test_every_tile_has_the_mark_of_its_verdict(self, shown: browser.Shown) -> None:
        for name, (verdict, *_) in synthetic_results.METHODS.items():
            tile = shown.page.locator("#photos .tile:visible").filter(has=shown.page.get_by_text(name, exact=True))
            assert tile.locator(f".mark.v-{verdict} svg.icon").count() == 1
            assert verdict in tile.locator("figcaption").inner_text()
            assert ("control" in tile.locator("figcaption").inner_text()) == (name in synthetic_results.CONTROLS)

    def test_a_constant_map_says_so(self, shown: browser.Shown) -> None:
        assert "constant" in shown.page.locator("#photos .tile:visible", has_text="vanilla_custom").inner_text()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_is_accessible(self, shown: browser.Shown, scheme: Any) -> None:
        shown.page.emulate_media(color_scheme=scheme)
        shown.page.locator("#photos select.left").select_option("3")
        assert shown.barriers() == []

    def test_a_phone_shows_it_without_scrolling_sideways(self, chromium: Browser, report: Path) -> None:
        with browser.opened(chromium, report, width=360, height=740) as shown:
            assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
            assert shown.page.locator("#photos .right .layers").bounding_box()["width"] > 300  # type: ignore[index]
            assert not shown.page.locator("#photos .left .layers").is_visible()
            shown.page.locator("#photos select.left").select_option("3")
            assert shown.page.locator("#photos .left .layers").is_visible()
            assert shown.page.evaluate("document.documentElement.scrollWidth") == 360
            assert shown.barriers() == []

    def test_paper_has_every_photo_with_the_maps_alone(self, shown: browser.Shown) -> None:
        shown.page.emulate_media(media="print")
        assert shown.page.locator("#photos .sheet:visible").count() == 3
        assert shown.page.locator("#photos .map:visible").count() == 3 * len(synthetic_results.METHODS)
        assert not shown.page.locator("#photos .viewer").is_visible()
        assert set(
            shown.page.locator("#photos .layer:visible").evaluate_all(
                "all => all.map(a => getComputedStyle(a).opacity)"
            )
        ) == {"1"}

    def test_without_scripts_there_is_a_grid_of_coloured_maps(self, chromium: Browser, report: Path) -> None:
        context = chromium.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 900})
        page = context.new_page()
        page.goto(report.resolve().as_uri())
        assert page.locator("#photos .sheet:visible").count() == 3
        assert not page.locator("#photos .viewer").is_visible()
        tile = page.locator("#photos .tile", has_text="gradcam").nth(1).locator(".layers")
        tile.scroll_into_view_if_needed()
        assert pixels(tile).std(axis=-1).max() > 30, "grey would have no spread between its channels"
        context.close()


class TestHostile:
    def test_names_of_photos_and_methods_stay_text(self, chromium: Browser, tmp_path: Path) -> None:
        swaps = dict(zip(synthetic_results.METHODS, [EVIL, *ATTACKS.values()], strict=False))
        run = made_up(tmp_path)
        held = [
            dataclasses.replace(
                photo,
                title=EVIL,
                explained=EVIL,
                maps=partial(lambda read: {swaps[k]: v for k, v in read().items()}, photo.maps),
            )
            for photo in run.photos
        ]
        path = render(dataclasses.replace(run, photos=held, verdicts=run.verdicts.replace(swaps), strips=[]))
        assert no_request(Page(path.read_text("utf-8")))
        with browser.opened(chromium, path) as shown:
            shown.use_everything()
            for key in ("ArrowRight", "ArrowDown", "c", "v", "+"):
                shown.page.locator("#photos .thumbs button").first.press(key)
            assert shown.nothing_happened, shown.seen
            assert ATTACKS["script"] in shown.page.locator("#photos .chosen").inner_text()
            assert shown.page.locator("#photos select.left option").count() == 1 + len(synthetic_results.METHODS)


class TestPictures:
    def test_undefined_pixels_are_transparent_and_a_seam_parts_the_halves(self) -> None:
        raw = np.arange(-6.0, 6.0).reshape(1, 3, 4)
        raw[0, 1, 2] = np.nan
        image = decoded(encoded(raw))
        assert image.shape == (3 + 2 * SEAM + 3, 4, 4)
        assert (image[..., 3] == 0).sum() == 2
        above, below = halves(encoded(raw))
        known = np.isfinite(raw[0])
        np.testing.assert_array_equal(above[known], np.rint(255 * absolute(raw)[known]))
        np.testing.assert_array_equal(np.sign(below[known].astype(int) - 128), np.sign(raw[0][known]))

    def test_a_large_map_keeps_order_and_sign_through_compression(self) -> None:
        raw = synthetic_results.smooth(np.random.default_rng(0), 224, 20)[None]
        above, below = halves(encoded(raw))
        assert np.abs(above - 255 * absolute(raw)).max() < 25
        assert np.corrcoef(below.ravel(), diverging(raw).ravel())[0, 1] > 0.995
        strong = np.abs(diverging(raw)) > 0.1
        assert ((below > 128) == (raw[0] > 0))[strong].all()

    def test_a_method_without_a_map_of_a_photo_has_a_tile_that_says_so(self, tmp_path: Path) -> None:
        run = made_up(tmp_path, photos=2)
        signs = np.where(np.indices((8, 8)).sum(0) % 2, 1.0, -1.0)[None]
        maps = {"gradient": np.full((1, 8, 8), np.nan), "gradcam": signs, "smoothgrad": np.ones((1, 8, 8))}
        broken = dataclasses.replace(run.photos[1], maps=lambda: maps)
        text = render(dataclasses.replace(run, photos=[run.photos[0], broken])).read_text("utf-8")
        assert len(sheets(tmp_path / "report.html")[1]) == 3
        assert text.count('<span class="note">no map</span>') == len(synthetic_results.METHODS) - 3
        assert text.count('<span class="note">undefined</span>') == 1
        assert text.count('<span class="note">constant</span>') == 2, "smoothgrad, and vanilla_custom of the other"

    def test_32_photos_of_12_maps_of_noise_stay_small(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).standard_normal((12, 3, 224, 224)).astype(np.float32)
        run = made_up(tmp_path, photos=32, size=224)
        names = [*synthetic_results.METHODS, "one_more"]
        extra = run.verdicts.iloc[-1:].assign(method="one_more")
        held = [dataclasses.replace(photo, maps=lambda: dict(zip(names, noise, strict=True))) for photo in run.photos]
        verdicts = synthetic_results.pd.concat([run.verdicts, extra], ignore_index=True)
        path = render(dataclasses.replace(run, photos=held, verdicts=verdicts))
        section = path.read_text("utf-8").partition('id="photos"')[2].partition('id="numbers"')[0]
        assert section.count('class="map') == 32 * 12
        assert len(section) < 9e6
