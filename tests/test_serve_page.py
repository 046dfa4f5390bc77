"""The page in a browser: a photo dropped in, maps that appear, classes compared, files taken along, all by keyboard too."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser, FileChooser, Page, TimeoutError, expect
from safetensors.torch import load
from torch import nn

import browser
import heatproof as hp
from attacks import EVIL
from heatproof.visible import visible
from serving import TOKEN, Asking, Net, Slow, asking, photo, served

DROP = """([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type: "image/png"}));
  const options = {dataTransfer: carried, bubbles: true, cancelable: true};
  for (const kind of ["dragenter", "dragover", "drop"])
    document.getElementById("drop").dispatchEvent(new DragEvent(kind, options));
}"""
PASTE = """([data, name]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0)), carried = new DataTransfer();
  carried.items.add(new File([bytes], name, {type: "image/png"}));
  document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: carried, bubbles: true, cancelable: true}));
}"""
FIRST = ["gradcam", "gradient", "guided_backprop", "lrp", "rectgrad", "edge_map"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Asking]:
    smooth = served(Net(act=nn.functional.gelu), "smooth", names=None)
    with asking(served(), smooth, served(Net(1), f"grey {EVIL}", [f"{EVIL} {i}" for i in range(5)], mean=0.5)) as found:
        yield found


@pytest.fixture
def shown(chromium: Browser, server: Asking) -> Iterator[browser.Shown]:
    """The page; at the end nothing may have happened that nobody asked for."""
    with browser.opened(chromium, f"{server.address}/?token={TOKEN}") as found:
        yield found
        assert (found.seen.dialogs, found.seen.requests, found.seen.console) == ([], [], [])


def give(page: Page, data: bytes | None = None, name: str = "bird.png") -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "image/png", "buffer": data or photo()})


def settled(page: Page, count: int, methods: int | None = None) -> None:
    """Wait until so many methods have a map."""
    expect(page.locator("#progress")).to_contain_text(
        f"{count} of {methods or count} methods have a map", timeout=30_000
    )
    expect(page.locator("#stop")).to_be_hidden()


def tiles(page: Page, method: str) -> Any:
    return page.locator(f".map-card[data-method='{method}'] .tile")


def saved(page: Page, press: str) -> tuple[str, bytes]:
    with page.expect_download() as waited:
        page.locator(press).click()
    return waited.value.suggested_filename, Path(waited.value.path()).read_bytes()


def test_a_chosen_photo_gets_the_maps_of_the_methods(shown: browser.Shown, server: Asking) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    assert page.locator(".map-card h3").all_text_contents() == FIRST
    assert page.locator("#classes li").count() == 5
    assert page.locator("#classes input:checked").count() == 1
    best = server.post("look", server.body()).json()["best"][0]
    assert page.locator("#classes input:checked").get_attribute("data-number") == str(best)
    name, data = saved(page, "[data-kind=safetensors]")
    assert name == "bird.safetensors"
    held = load(data)
    assert sorted(held) == sorted(FIRST)
    net = Net()
    pixels = hp_pixels(server)
    for method in FIRST:
        assert torch.equal(held[method], hp.METHODS[method](net, pixels, torch.tensor([best]))[0])


def hp_pixels(server: Asking) -> torch.Tensor:
    held = server.session.photos.get(server.upload())
    assert held is not None
    return held.inputs[0].pixels


@pytest.mark.parametrize("how", [DROP, PASTE], ids=["drop", "paste"])
def test_a_photo_can_be_dropped_or_pasted(shown: browser.Shown, how: str) -> None:
    shown.page.evaluate(how, [base64.b64encode(photo()).decode(), "dropped.png"])
    settled(shown.page, len(FIRST))
    expect(shown.page.locator("#photo-note")).to_have_text("dropped.png")


def test_what_is_no_photo_is_said_and_the_page_goes_on(shown: browser.Shown) -> None:
    give(shown.page, b"no photo", "letter.png")
    expect(shown.page.locator("#photo-note")).to_contain_text("not an image")
    shown.seen.console.clear()  # the browser notes the answer 400
    give(shown.page)
    settled(shown.page, len(FIRST))


def test_another_class_has_another_map_and_classes_stand_beside_each_other(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    alone = tiles(page, "gradient").locator("img.absolute").get_attribute("src")
    page.locator("#classes input").nth(1).check()
    expect(tiles(page, "gradient")).to_have_count(2)
    page.locator("#classes input").nth(2).check()
    expect(tiles(page, "gradient")).to_have_count(3)
    assert page.locator("#classes input").nth(3).is_disabled()
    settled(page, len(FIRST))
    shown_names = tiles(page, "gradient").locator(".line > span").all_text_contents()
    assert shown_names == page.locator("#classes label").all_text_contents()[:3]
    page.locator("#classes input").nth(0).uncheck()
    page.locator("#classes input").nth(2).uncheck()
    expect(tiles(page, "gradient")).to_have_count(1)
    settled(page, len(FIRST))
    assert tiles(page, "gradient").locator("img.absolute").get_attribute("src") != alone


def test_view_and_opacity_change_what_is_seen(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    both = [tiles(page, "gradient").locator(f"img.{view}") for view in ("absolute", "diverging")]
    assert [one.is_visible() for one in both] == [True, False]
    page.check("input[value=diverging]")
    assert [one.is_visible() for one in both] == [False, True]
    page.locator("#opacity").fill("40")
    assert both[1].evaluate("one => getComputedStyle(one).opacity") == "0.4"
    expect(page.locator("#opacity-value")).to_have_text("40 %")
    name, data = saved(page, ".map-card[data-method=gradient] .tile button")
    assert name.endswith("diverging.png")
    assert Image.open(io.BytesIO(data)).size == (32, 32)


def test_a_model_of_its_own_classes_and_refusals(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    page.select_option("#model", "1")
    net, x = Net(act=nn.functional.gelu), torch.zeros(1, 3, 32, 32)
    settled(page, sum(runs(method, net, x) for method in FIRST), len(FIRST))
    why = page.locator(".map-card[data-method=guided_backprop] .why")
    expect(why).to_contain_text("no rule for gelu")
    assert all(text.startswith("class ") for text in page.locator("#classes label").all_text_contents())
    expect(page.locator("#command")).to_contain_text("heatproof audit --model nets:net --images PHOTOS")


def runs(method: str, net: nn.Module, x: torch.Tensor) -> bool:
    try:
        return hp.METHODS[method](net, x, torch.tensor([0])) is not None
    except hp.ModelError:
        return False


def test_a_method_with_options_is_added_and_a_wrong_one_explained(shown: browser.Shown) -> None:
    page = shown.page
    page.locator("#own").fill("rectgrad(p=90)")
    page.locator("#own").press("Enter")
    expect(page.locator("#own-note")).to_contain_text("rectgrad has no option 'p'")
    shown.seen.console.clear()
    page.locator("#own").fill("rectgrad(q=50)")
    page.locator("#own").press("Enter")
    expect(page.locator("#own-note")).to_contain_text("added")
    give(page)
    settled(page, len(FIRST) + 1)
    assert page.locator(".map-card h3").first.text_content() == "rectgrad(q=50)"
    page.locator("#methods input").first.uncheck()
    settled(page, len(FIRST))


def test_exports_have_their_content(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    page.locator("#classes input").nth(1).check()
    settled(page, len(FIRST))
    expect(tiles(page, "lrp")).to_have_count(2)
    files = {kind: saved(page, f"[data-kind={kind}]") for kind in ("png", "npz", "safetensors")}
    assert [name for name, _ in files.values()] == ["bird.png", "bird.npz", "bird.safetensors"]
    assert min(Image.open(io.BytesIO(files["png"][1])).size) > 200
    held = load(files["safetensors"][1])
    arrays = np.load(io.BytesIO(files["npz"][1]))
    assert len(held) == 2 * len(FIRST)
    assert all(np.array_equal(arrays[name], value.numpy()) for name, value in held.items())


def test_the_quick_test_is_told_below_each_map(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    page.click("#test")
    expect(page.locator("#test-note")).to_contain_text("Below each map", timeout=30_000)
    expect(tiles(page, "edge_map").locator(".hint")).to_have_text("alike · random network: 1.00 absolute, 1.00 signed")
    assert all(page.locator(".hint").all_text_contents())


def test_all_of_it_works_by_keyboard(shown: browser.Shown) -> None:
    """Choose a photo, find a class by its name, tick a method, change the view, save: no mouse."""
    page = shown.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "file"
    asked_by_enter(page).set_files({"name": "bird.png", "mimeType": "image/png", "buffer": photo()})
    settled(page, len(FIRST))
    to(page, "find")
    page.keyboard.type("crane")
    expect(page.locator("#matches li[data-number]")).to_have_count(2)  # two classes of one name stay two
    page.keyboard.press("ArrowDown")
    chosen = page.locator("#matches [aria-selected=true]").get_attribute("data-number")
    assert page.locator("#find").get_attribute("aria-activedescendant") == "match-1"
    page.keyboard.press("Enter")
    expect(page.locator("#matches")).to_be_hidden()
    assert page.locator(f"#classes input[data-number='{chosen}']").is_checked()
    settled(page, len(FIRST))
    page.keyboard.press("ArrowDown")
    expect(page.locator("#matches")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#matches")).to_be_hidden()
    for _ in range(4):  # the line that folds the list, then its first box
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#methods') !== null"):
            break
    page.keyboard.press("Space")
    settled(page, len(FIRST) - 1)
    to(page, "results")
    page.keyboard.press("ArrowRight")
    assert page.locator("#results").get_attribute("data-view") == "diverging"


def asked_by_enter(page: Page) -> FileChooser:
    """What Enter on the file field opens; on a busy machine Chromium now and then takes the key and opens nothing."""
    for _ in range(4):
        try:
            with page.expect_file_chooser(timeout=8000) as chooser:
                page.keyboard.press("Enter")
            return chooser.value
        except TimeoutError:
            continue
    raise AssertionError("Enter on the file field opens no dialog")


def to(page: Page, place: str) -> None:
    """Press Tab until the element, or one inside of it, has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("id => document.getElementById(id).contains(document.activeElement)", place):
            return
    raise AssertionError(f"{place} cannot be reached by the keyboard")


def test_a_search_without_a_hit_says_so(shown: browser.Shown) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    page.locator("#find").fill("zebra")
    expect(page.locator("#matches")).to_have_text("no class of this name")
    page.locator("#find").press("Enter")
    assert page.locator("#classes input:checked").count() == 1


def test_a_long_method_can_be_stopped_and_gone_on_with(chromium: Browser) -> None:
    with asking(served(Slow())) as found, browser.opened(chromium, f"{found.address}/?token={TOKEN}") as shown:
        page = shown.page
        page.locator("#own").fill("smooth(gradient, n=100000)")
        page.locator("#own").press("Enter")
        give(page)
        card = page.locator(".map-card").first
        expect(card.locator(".note")).to_contain_text("s …")
        page.click("#stop")
        expect(page.locator("#progress")).to_have_text("stopped")
        page.locator("#methods input").first.uncheck()
        settled(page, len(FIRST))


def test_another_tab_waits_and_says_so(chromium: Browser) -> None:
    with asking(served(Slow())) as found:
        address = f"{found.address}/?token={TOKEN}"
        with browser.opened(chromium, address) as first, browser.opened(chromium, address) as second:
            give(second.page)
            settled(second.page, len(FIRST))
            first.page.locator("#own").fill("smooth(gradient, n=100000)")
            first.page.locator("#own").press("Enter")
            give(first.page)
            expect(first.page.locator(".map-card").first.locator(".note")).to_contain_text("s …")
            second.page.locator("#classes input").nth(1).check()
            expect(second.page.locator("#progress")).to_contain_text("waits for another tab")
            first.page.close()  # who leaves makes room
            settled(second.page, len(FIRST))


def test_hostile_names_are_text(shown: browser.Shown) -> None:
    page = shown.page
    page.select_option("#model", "2")
    give(page, name="<img src=x onerror=alert(1)>.png")
    settled(page, len(FIRST))
    page.locator("#classes input").nth(1).check()
    settled(page, len(FIRST))
    assert visible(EVIL) in (page.locator("#classes label").first.text_content() or "")
    expect(page.locator("#photo-note")).to_have_text("<img src=x onerror=alert(1)>.png")
    assert page.locator("#results script, #results iframe, #results svg").count() == 0
    saved(page, "[data-kind=png]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_keeps_people_out(chromium: Browser, server: Asking, scheme: Any, width: int) -> None:
    address = f"{server.address}/?token={TOKEN}"
    with browser.opened(chromium, address, width=width, scheme=scheme) as shown:
        page = shown.page
        assert shown.barriers("minor", "moderate", "serious", "critical") == []
        give(page)
        settled(page, len(FIRST))
        page.locator("#classes input").nth(1).check()
        settled(page, len(FIRST))
        page.click("#test")
        expect(page.locator("#test-note")).to_contain_text("Below each map", timeout=30_000)
        page.locator("#find").fill("c")
        assert shown.barriers("minor", "moderate", "serious", "critical") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert shown.nothing_happened, shown.seen


def test_a_page_without_its_token_asks_for_the_address(chromium: Browser, server: Asking) -> None:
    with browser.opened(chromium, f"{server.address}/") as shown:
        assert "open the address that heatproof serve printed" in (shown.page.locator("body").text_content() or "")


def test_a_photo_that_cannot_be_read_says_what_is_still_shown(chromium: Browser) -> None:
    """It stops the maps of the photo before it, which then go on; it takes nothing of that photo's place."""
    with asking(served(Slow())) as server, browser.opened(chromium, f"{server.address}/?token={TOKEN}") as shown:
        page = shown.page
        give(page)
        expect(page.locator("#stop")).to_be_visible()
        give(page, b"no photo", "letter.png")
        expect(page.locator("#photo-note")).to_have_text(
            re.compile(r"^letter\.png: not an image.*\. Still shown: bird\.png$")
        )
        settled(page, len(FIRST))


def test_a_look_that_fails_leaves_photo_model_and_classes_together(shown: browser.Shown, server: Asking) -> None:
    page = shown.page
    give(page)
    settled(page, len(FIRST))
    page.route("**/api/look", lambda route: route.fulfill(status=400, json={"error": "out of memory"}))
    give(page, photo(7), "other.png")
    expect(page.locator("#photo-note")).to_contain_text("out of memory. Still shown: bird.png")
    page.select_option("#model", "1")
    expect(page.locator("#model")).to_have_value("0")
    settled(page, len(FIRST))
    page.check("#methods li:has-text('input_map') input")
    settled(page, len(FIRST) + 1)
    name, data = saved(page, "[data-kind=safetensors]")
    assert name == "bird.safetensors"
    held = load(data)
    assert torch.equal(held["input_map"], hp_pixels(server)[0])
    shown.seen.console.clear()


def test_a_server_that_stops_is_said_and_nothing_seems_to_run_on(chromium: Browser) -> None:
    with (
        asking(served(Slow())) as server,
        browser.opened(chromium, f"{server.address}/?token={TOKEN}") as shown,
    ):
        page = shown.page
        page.route(
            "**/api/maps",
            lambda route: route.fulfill(
                content_type="application/x-ndjson", body='{"event": "start", "method": "lrp"}\n'
            ),
        )
        give(page)
        expect(page.locator("#progress")).to_have_text("the server does not answer; is heatproof serve still running?")
        expect(page.locator("#go")).to_be_visible()
        assert set(page.locator(".map-card header .note").all_inner_texts()) == {"stopped"}
        page.unroute("**/api/maps")
        page.click("#go")
        settled(page, len(FIRST))
