"""The site: builds without a warning, asks nothing of any other host, links and anchors hold, everyone can read it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser

import browser
import heatproof

ROOT = Path(__file__).parents[1]
LOADED = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "link": "href",
    "video": "src",
    "embed": "src",
}
SHOWN = ("index.html", "tutorial.html", "theory/maps.html", "how-to/audit.html", "reference/audit.html", "papers.html")
SCHEMES = {"light": "default", "dark": "slate"}


class Page(HTMLParser):
    """What a page loads, where it links to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors |= {str(given[name]) for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        loaded = given.get(LOADED.get(tag, ""))
        if loaded and given.get("rel") not in ("canonical", "prev", "next"):
            self.loads.append(loaded)


pytestmark = pytest.mark.xdist_group("site")  # what takes long is done in one process


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for library in ("material", "mkdocstrings", "mkdocs_jupyter", "latex2mathml"):
        pytest.importorskip(library, reason=f"{library} builds the site; it comes with heatproof[docs]")
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as started:
        yield started


def test_loads_nothing_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    for path, page in pages.items():
        outside = [one for one in page.loads if urlsplit(one).netloc or urlsplit(one).scheme not in ("", "data")]
        assert outside == [], path
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*['\"]?(https?:)?//", sheet.read_text(encoding="utf-8")), sheet


def test_links_and_anchors_hold(site: Path, pages: dict[Path, Page]) -> None:
    broken = []
    for path, page in pages.items():
        if path == site / "404.html":  # shown at any address, so that its links are from the root
            continue
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            known = pages.get(target)
            if not target.is_file() or (parts.fragment and known and unquote(parts.fragment) not in known.anchors):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert broken == []


def test_every_public_name_has_its_place(pages: dict[Path, Page]) -> None:
    anchors = set().union(*(page.anchors for page in pages.values()))
    names = set(heatproof.__all__) - {"METHODS", "__version__"} | set(heatproof.METHODS)
    hidden = {name: f"{name}.{name}" for name in names if (ROOT / "src" / "heatproof" / f"{name}.py").exists()}
    hidden["kar"] = "roar.kar"  # beside its twin
    assert {name for name in names if f"heatproof.{hidden.get(name, name)}" not in anchors} == set()


def test_every_command_has_its_place(pages: dict[Path, Page], site: Path) -> None:
    anchors = pages[site / "reference" / "cli.html"].anchors
    assert {"heatproof-audit", "heatproof-explain", "heatproof-bench-pixel", "heatproof-paper-run"} <= anchors


def test_equations_are_mathml(site: Path) -> None:
    for path in (site / "theory").glob("*.html"):
        text = path.read_text(encoding="utf-8")
        equations = re.findall(r"<math.*?</math>", text, flags=re.DOTALL)
        assert equations, path
        assert "arithmatex" not in text, path
        assert [e for e in equations if "\\" in e] == [], path  # a command that the converter does not know


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", SHOWN)
def test_page_in_a_browser(name: str, scheme: str, site: Path, chromium: Browser) -> None:
    with browser.opened(chromium, site / name) as shown:
        shown.page.emulate_media(color_scheme=scheme)
        shown.page.reload()
        shown.page.wait_for_timeout(browser.LATE)
        outside = [one for one in shown.seen.requests if not one.startswith("file:")]
        assert (outside, shown.seen.console, shown.seen.dialogs) == ([], [], [])
        assert shown.page.locator("body").get_attribute("data-md-color-scheme") == SCHEMES[scheme]
        assert shown.barriers() == []


@pytest.mark.parametrize("name", SHOWN)
def test_page_on_a_phone(name: str, site: Path, chromium: Browser) -> None:
    with browser.opened(chromium, site / name, width=360, height=780) as shown:
        assert shown.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert shown.barriers() == []


def test_search_works_without_a_server(site: Path, chromium: Browser) -> None:
    with browser.opened(chromium, site / "index.html") as shown:
        shown.page.locator(".md-search__input").fill("proportional redistribution")
        found = shown.page.locator(".md-search-result__link").first
        found.wait_for(timeout=10_000)
        assert "theory/maps.html" in str(found.get_attribute("href"))
        assert [one for one in shown.seen.requests if not one.startswith("file:")] == []
