"""Reports of runs whose names attack, opened in a browser: no dialog, no request, nothing on the console."""

from __future__ import annotations

import dataclasses
import http.server
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from playwright.sync_api import Browser
from torch import Tensor, nn

import browser
import heatproof as hp
import synthetic_bench
import synthetic_claims
import synthetic_results
from attacks import ATTACKS, AWAY, EVIL, UNDECODABLE
from heatproof.faithfulness.kind import Measure
from heatproof.report import figures, render
from heatproof.report import page as page_module
from heatproof.report.bench import render_bench
from heatproof.report.papers import render_claims
from heatproof.report.retrain import render_retrain
from test_audit import images, net


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as found:
        yield found


def quiet(chromium: Browser, report: Path) -> str:
    """Open a report, use all of it, and see that nothing happens; the text that it shows."""
    with browser.opened(chromium, report) as shown:
        shown.use_everything()
        assert shown.nothing_happened, (shown.page.url, shown.seen)
        clicked = shown.page.locator("button", has_text="Download").count()
        assert len(shown.downloads) <= clicked, "a file for a click, of which the browser takes ten at once"
        assert shown.page.locator("script").count() == 1
        assert shown.page.locator("iframe, form, object, embed, base, meta[http-equiv=refresh]").count() == 0
        return shown.page.locator("body").text_content() or ""


def evil_method(model: nn.Module, inputs: Tensor, target: Tensor, sign: float) -> Tensor:
    return sign * hp.gradient(model, inputs, target)


def evil_audit(folder: Path, **options: Any) -> hp.Audit:
    """A real run of a small network, in which every name from outside attacks."""
    rows = [{"name": f"{attack}.png", "label": attack} for attack in ATTACKS.values()]
    rows[0] |= {"name": UNDECODABLE}
    about = {
        "model": EVIL, "dataset": UNDECODABLE, "images": rows, "class_names": [f"{EVIL} {i}" for i in range(7)],
        "command": f"heatproof audit --images '{EVIL}'", "warnings": [EVIL, *ATTACKS.values()],
    }  # fmt: skip
    methods = {attack: partial(evil_method, sign=float(i + 1)) for i, attack in enumerate(ATTACKS.values())}
    options = {"checks": ("cascading", "classes"), "seeds": 1, "nulls": 2, **options}
    return hp.audit(net(), images(len(rows)), methods=methods, out=folder, about=about, stages=2,
                    faithfulness=False, **options)  # fmt: skip


@pytest.fixture(scope="module")
def audit(tmp_path_factory: pytest.TempPathFactory) -> hp.Audit:
    return evil_audit(tmp_path_factory.mktemp("evil") / "a" / "b" / "run", keep_maps="all")


def test_a_malicious_run_shows_its_names_and_does_nothing(chromium: Browser, audit: hp.Audit) -> None:
    text = quiet(chromium, audit.report)
    for name in ("script", "image", "double quote", "link", "form", "template", "mathematics", "entity", "parent"):
        assert ATTACKS[name] in text, name
    assert "gnp\\u202e.exe\\u2066" in text
    assert "\\x1b[31mred" in text
    assert "no\\x00thing" in text
    assert "\\udcff" in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)


def test_every_section_of_a_report_is_quiet(chromium: Browser, tmp_path: Path) -> None:
    whole = synthetic_results.full_results(
        tmp_path / "whole", size=20, photos=2, title=re.sub("[{}]", r"\g<0>\g<0>", EVIL) + "{}"
    )
    swaps = dict(zip(synthetic_results.METHODS, [EVIL, *ATTACKS.values()], strict=False))
    swaps |= {name: f"{EVIL} {name}" for name in ("cgi", "map_uniform", "hog", "independent", "(product_uniform)")}
    names = ("curves", "floors", "verdicts", "table", "by_check", "kept", "efficient", "planted", "calibration")
    bad = {name: getattr(whole, name).replace(swaps) for name in names}
    bad["verdicts"] = bad["verdicts"].assign(reason=EVIL)
    gate = {"name": EVIL, "value": EVIL, "limit": EVIL, "holds": False}
    config = whole.config | {
        "model": EVIL, "dataset": EVIL, "date": EVIL, "command": EVIL, "warnings": [EVIL], EVIL: {EVIL: [EVIL]},
        "caveats": dict.fromkeys([*synthetic_results.CHECKS, "kept"], EVIL), "remarks": dict.fromkeys(swaps.values(), EVIL),
        "labels": {"concluded": False, "why": EVIL, "gates": [gate]}, "blocks": [{"name": EVIL, "tensors": [EVIL]}],
        "images": [{"name": UNDECODABLE, "label": EVIL, "target": 1, "predicted": EVIL, "probability": 0.5}],
    }  # fmt: skip
    sheets = [dataclasses.replace(sheet, classes=list(ATTACKS.values())[:10]) for sheet in whole.sheets]
    strips = [dataclasses.replace(s, maps={swaps.get(k, k): v for k, v in s.maps.items()}) for s in whole.strips]
    evil = dataclasses.replace(whole, folder=tmp_path, config=config, strips=strips, sheets=sheets,
                               refused=whole.refused.assign(method=EVIL, error=EVIL), **bad)  # fmt: skip
    assert quiet(chromium, render(evil)).count(ATTACKS["script"]) > 60


def test_the_report_of_a_malicious_bench_is_quiet(chromium: Browser, tmp_path: Path) -> None:
    run = synthetic_bench.bench(tmp_path)
    swaps = dict(zip(list(synthetic_bench.METHODS)[:10], [EVIL, *ATTACKS.values()], strict=False))
    tables = {name: getattr(run, name).replace(swaps) for name in ("curves", "summary", "table")}
    refused = pd.DataFrame([(EVIL, "refused", EVIL)], columns=["method", "status", "error"])
    config = {**run.config, "model": EVIL, "dataset": EVIL, "command": EVIL, "warnings": [EVIL], "reduced": [EVIL],
              "images": [{**row, "name": UNDECODABLE} for row in run.config["images"]], EVIL: EVIL}  # fmt: skip
    measures = {name: Measure(EVIL, m.better, m.curve, m.raw) for name, m in run.measures.items()}
    evil = dataclasses.replace(run, config=config, measures=measures, refused=refused, **tables)
    assert quiet(chromium, render_bench(evil)).count(ATTACKS["script"]) > 30


def test_the_report_of_a_malicious_retraining_is_quiet(chromium: Browser, tmp_path: Path) -> None:
    run = synthetic_bench.retrained(tmp_path)
    swaps = dict(zip(list(synthetic_bench.ENTRIES)[:6], [EVIL, *ATTACKS.values()], strict=False))
    tables = {name: getattr(run, name).replace(swaps) for name in ("accuracies", "areas", "ties")}
    refused = pd.DataFrame([(EVIL, "failed", EVIL)], columns=["method", "status", "error"])
    config = {**run.config, "model": EVIL, "dataset": EVIL, "command": EVIL, "warnings": [EVIL], "reduced": [EVIL],
              "methods": [swaps.get(m, m) for m in run.config["methods"]], EVIL: EVIL}  # fmt: skip
    evil = dataclasses.replace(run, config=config, refused=refused, **tables)
    assert quiet(chromium, render_retrain(evil)).count(ATTACKS["script"]) > 20


def test_the_gallery_of_malicious_claims_is_quiet(chromium: Browser, tmp_path: Path) -> None:
    made = synthetic_claims.paper("evil", "S9", 8, EVIL)
    pictures = tuple(dataclasses.replace(picture, title=EVIL, source=EVIL) for picture in made.pictures)
    paper = dataclasses.replace(made, title=EVIL, authors=EVIL, pictures=pictures)
    claims = synthetic_claims.claims(tmp_path, [paper])
    claims.table[["measured", "reason", "why", "reduced"]] = EVIL
    assert quiet(chromium, render_claims(claims, [paper])).count(ATTACKS["script"]) > 20


BUGS = {
    "a dialog": ("<script>alert('planted')</script>", "dialogs"),
    "a picture from outside": (f"<img src={AWAY}/a.png>", "requests"),
    "a style sheet from outside": (f"<link rel=stylesheet href={AWAY}/a.css>", "requests"),
    "a message": ("<script>console.log('planted')</script>", "console"),
    "an error": ("<script>undefined_function()</script>", "console"),
    "a window": ("<button onclick=\"window.open('about:blank')\">open</button>", "windows"),
    "a download": ("<a id=file download=a href='data:,a'></a><script>file.click()</script>", "windows"),
    "an attribute that acts": ('<details><summary onclick="alert(1)">fold</summary></details>', "dialogs"),
}


@pytest.mark.parametrize(("bug", "kind"), BUGS.values(), ids=BUGS)
def test_the_browser_sees_what_a_page_does(chromium: Browser, tmp_path: Path, bug: str, kind: str) -> None:
    (tmp_path / "page.html").write_text(f"<!DOCTYPE html><title>page</title><link rel=icon href=data:,>{bug}")
    with browser.opened(chromium, tmp_path / "page.html") as shown:
        shown.use_everything()
        assert not shown.nothing_happened
        assert getattr(shown.seen, kind), shown.seen


def test_a_page_that_does_nothing_is_quiet(chromium: Browser, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><title>page</title><link rel=icon href=data:,><a href=#x>x</a>")
    with browser.opened(chromium, tmp_path / "page.html") as shown:
        shown.use_everything()
        assert shown.nothing_happened, shown.seen


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine: its address, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


@pytest.mark.parametrize("policy", [True, False], ids=["policy", "no policy"])
def test_the_policy_stops_what_is_not_escaped(
    chromium: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: tuple[str, list[str]], policy: bool
) -> None:
    """A second wall: with escaping switched off nothing runs and no request leaves the page. Without both, they do."""
    address, paths = asked
    run = synthetic_results.results(tmp_path, size=12, photos=1)
    attacks = (ATTACKS["script"] + ATTACKS["image"] + ATTACKS["style"]).replace(AWAY, address)
    evil = dataclasses.replace(run, config=run.config | {"model": attacks})
    environment = page_module.jinja2.Environment
    monkeypatch.setattr(
        page_module.jinja2, "Environment", lambda **given: environment(**{**given, "autoescape": False})
    )
    if not policy:
        monkeypatch.setattr(page_module, "_policy", lambda script: "")
    with browser.opened(chromium, render(evil)) as shown:
        shown.page.wait_for_timeout(1000)
        assert shown.seen.console or not policy, "the browser names what it refused"
        assert bool(shown.seen.dialogs) != policy
        assert bool(paths) != policy


def test_no_name_makes_a_file_outside_of_the_run_folder(audit: hp.Audit) -> None:
    """Methods, classes and photos have folders in their names, every map is kept, and every figure is drawn."""
    figures(audit.results, "svg")
    for folder in (audit.folder.parent, audit.folder.parent.parent, audit.folder.parent.parent.parent):
        assert len(list(folder.iterdir())) == 1, folder
    for path in audit.folder.rglob("*"):
        assert re.fullmatch(r"[\w.-]+", path.name), path
    assert len(list((audit.folder / "maps").iterdir())) > 1
