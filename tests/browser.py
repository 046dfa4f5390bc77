"""A headless Chromium for tests: opens a page from its file, uses all of it, and keeps what it did that nobody asked for.

with browser.started() as chromium, browser.opened(chromium, path) as shown:
    shown.use_everything()
    assert shown.nothing_happened, shown.seen
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Dialog, Download, Page, sync_playwright

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OWN = ("data:", "blob:")
"""Requests that leave no page."""
LATE = 300
"""Milliseconds after which whatever a page started has begun to show."""
POINT = """all => all.forEach(one => {
  for (const name of ["mouseover", "mouseenter", "focusin", "pointerdown"])
    one.dispatchEvent(new Event(name, {bubbles: true}));
  one.focus?.();
})"""


@dataclass
class Seen:
    """What a page did beyond showing itself: each a list of texts."""

    dialogs: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    windows: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """An open page, the address of its file, and what it did.

    While the test is using it, it may offer files of its own content: those are its downloads, and nothing that it did.
    """

    page: Page
    address: str
    seen: Seen
    using: bool = False
    downloads: list[Download] = field(default_factory=list)

    @property
    def nothing_happened(self) -> bool:
        """No dialog, no request but for the page itself, no message or error on the console, no other window or address."""
        here = self.page.url.partition("#")[0] == self.address
        return here and self.seen == Seen()

    def use_everything(self) -> None:
        """Open every fold, choose every option, move every slider, follow every link inside the page, point at and focus
        every element, print it: by the elements' own methods, since a mouse takes minutes for a long report."""
        self.using = True
        self.page.locator("summary, button, input, a[href^='#']").evaluate_all("all => all.forEach(one => one.click())")
        self.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        for slider in self.page.locator("input[type=range]").all():
            slider.press("End")
            slider.press("Home")
        self.page.locator("body *").evaluate_all(POINT)
        self.page.emulate_media(media="print", color_scheme="dark")
        self.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        self.page.emulate_media(media="screen", color_scheme="light")
        self.page.wait_for_timeout(LATE)
        self.using = False

    def barriers(self, *serious: str) -> list[str]:
        """What axe-core finds that keeps people out: rule, impact and the elements; of these impacts, or the grave ones."""
        found = Axe().run(self.page).response["violations"]
        grave = serious or ("serious", "critical")
        return [
            f"{one['impact']} {one['id']}: {one['help']}: {[node['target'] for node in one['nodes'][:5]]}"
            for one in found
            if one["impact"] in grave
        ]

    def screenshot(self, path: Path) -> Path:
        """The whole page as a picture."""
        self.page.screenshot(path=path, full_page=True)
        return path


@contextmanager
def started() -> Iterator[Browser]:
    """The browser, which takes a second to start: once for a file of tests."""
    with sync_playwright() as playwright:
        # without its sandbox, which containers do not allow: pages of tests only
        chromium = playwright.chromium.launch(executable_path=_program(), args=["--no-sandbox"])
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def opened(
    chromium: Browser,
    place: Path | str,
    width: int = 1280,
    height: int = 900,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Shown]:
    """A page from its file, or from a server's address, whose requests to that server are its own; in a new profile."""
    context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    try:
        page = context.new_page()
        shown = Shown(page, place if isinstance(place, str) else place.resolve().as_uri(), Seen())
        _watch(shown)
        page.goto(shown.address)
        page.wait_for_timeout(LATE)
        yield shown
    finally:
        context.close()


def _watch(shown: Shown) -> None:
    """Fill what is seen from the events of the DevTools protocol."""
    page, seen = shown.page, shown.seen
    protocol = page.context.new_cdp_session(page)
    for domain in ("Page", "Network", "Runtime", "Log"):
        protocol.send(f"{domain}.enable")
    protocol.on("Network.requestWillBeSent", lambda event: _request(shown, event["request"]["url"]))
    protocol.on("Runtime.consoleAPICalled", lambda event: seen.console.append(f"{event['type']}: {event['args']}"))
    protocol.on("Runtime.exceptionThrown", lambda event: seen.console.append(_thrown(event)))
    protocol.on("Log.entryAdded", lambda event: seen.console.append(event["entry"]["text"]))
    page.on("dialog", lambda dialog: _dialog(seen, dialog))
    page.on("popup", lambda other: seen.windows.append(other.url))
    page.on("download", lambda file: _download(shown, file))


def _request(shown: Shown, address: str) -> None:
    server = urlsplit(shown.address)
    own = (*OWN, f"{server.scheme}://{server.netloc}/") if server.netloc else OWN
    if address != shown.address and not address.startswith(own):
        shown.seen.requests.append(address)


def _download(shown: Shown, file: Download) -> None:
    if shown.using and file.url.startswith("blob:"):
        shown.downloads.append(file)
    else:
        shown.seen.windows.append(file.url)


def _thrown(event: dict[str, Any]) -> str:
    details = event["exceptionDetails"]
    return str(details.get("exception", {}).get("description", details["text"]))


def _dialog(seen: Seen, dialog: Dialog) -> None:
    seen.dialogs.append(dialog.message)
    dialog.dismiss()


def _program() -> str:
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        pytest.skip(f"no browser to open a page in: none of {', '.join(PROGRAMS)} is installed")
    return found
