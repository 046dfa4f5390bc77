"""What results show of themselves in a notebook: the numbers of their tables, every name escaped, nothing done."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from playwright.sync_api import Browser

import browser
import heatproof as hp
import synthetic_bench
import synthetic_results
from attacks import ATTACKS, EVIL
from heatproof.audit import Audit
from heatproof.bench import Benched
from heatproof.data.images import ImageSet, image_set
from heatproof.data.preprocess import normalised
from heatproof.errors import InputError
from heatproof.notebook.full_gradient import fullgrad_map
from heatproof.report.bench_words import significant
from heatproof.report.words import interval, number
from heatproof.roar import Retrained
from test_audit import images, net
from test_report import Page


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser.started() as found:
        yield found


def audit_of(found: Any) -> Audit:
    return Audit(found.table, found.verdicts, found.folder / "report.html", found.folder, found)


def bench_of(found: Any) -> Benched:
    return Benched(found.table, found.summary, found.curves, found.folder / "report.html", found.folder, found)


def retrained_of(found: Any) -> Retrained:
    return Retrained(found.table, found.accuracies, found.areas, found.folder / "report.html", found.folder, found)


def model() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        layers = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 64, 5)
        return torch.nn.Sequential(*layers).eval()


def pictures(count: int = 3) -> torch.Tensor:
    return torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(2))


def perturbation() -> hp.Perturbation:
    x = pictures()
    return hp.pixel_perturbation(model(), x, hp.gradient(model(), x), which="most")


SHOWN: dict[str, Callable[[Path], Any]] = {
    "audit": lambda folder: audit_of(synthetic_results.results(folder, size=8, photos=1)),
    "audit of all checks": lambda folder: audit_of(synthetic_results.full_results(folder, size=8, photos=1)),
    "bench": lambda folder: bench_of(synthetic_bench.bench(folder)),
    "retraining": lambda folder: retrained_of(synthetic_bench.retrained(folder)),
    "full gradient": lambda _: hp.full_gradient(model(), pictures()),
    "full gradient of classes": lambda _: hp.full_gradient(model(), pictures(), torch.tensor([[0, 1, 2], [1, 1, 1]])),
    "perturbation": lambda _: perturbation(),
    "methods": lambda _: hp.METHODS,
    "maps": lambda _: hp.show(pictures(), {"gradient": hp.gradient(model(), pictures())}, titles=["a", "b"]),
}


def rows(html: str) -> list[list[str]]:
    """The cells of every row of every table, as text with single spaces."""
    found = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found]
    texts = [[re.sub(r"<svg.*?</svg>|<wbr>", "", cell, flags=re.DOTALL) for cell in row] for row in cells]
    return [[" ".join(unescape(re.sub("<[^>]*>", " ", cell)).split()) for cell in row] for row in texts]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_everything_can_be_read_by_everybody(chromium: Browser, tmp_path: Path, dark: bool) -> None:
    """One page with all outputs, as in a notebook: no request, no script, and a text alternative of every picture."""
    every = "".join(make(tmp_path / str(i))._repr_html_() for i, make in enumerate(SHOWN.values()))
    colours = "background: #111; color: #eee" if dark else "background: #fff; color: #111"
    (tmp_path / "page.html").write_text(
        '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><title>page</title><link rel=icon href="data:,">'
        f'<body style="{colours}" data-jp-theme-light="{str(not dark).lower()}">'
        f"<main><h1>page</h1>{every}</main></body>"
    )
    with browser.opened(chromium, tmp_path / "page.html", width=390) as shown:
        shown.page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")
        assert shown.barriers() == []
        assert shown.nothing_happened, shown.seen
        assert shown.page.locator("script, link[rel=stylesheet], iframe, form").count() == 0
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390, "wide tables scroll by themselves"
        assert all(one.get_attribute("alt") for one in shown.page.locator("img").all())


@pytest.mark.parametrize("make", SHOWN.values(), ids=SHOWN)
def test_styles_stay_inside_and_text_is_there_without_them(tmp_path: Path, make: Callable[[Path], Any]) -> None:
    html = make(tmp_path)._repr_html_()
    (sheet,) = re.findall("<style>(.*?)</style>", html)
    for rule in sheet.split("}")[:-1]:
        assert all(".heatproof" in part for part in rule.partition("{")[0].split(",")), rule
    assert "<table" in html
    assert " style=" not in re.sub("<svg.*?</svg>", "", html), "GitHub takes styles away, nothing may rest on them"


def test_an_audit_says_what_its_table_says(tmp_path: Path) -> None:
    audit = SHOWN["audit of all checks"](tmp_path)
    html = audit._repr_html_()
    found = {row[0].removesuffix(" control"): row for row in rows(html)[: 1 + len(audit.verdicts)]}
    for row in audit.verdicts.to_dict("records"):
        cells = found[row["method"]]
        assert cells[1] == row["verdict"]
        assert cells[2] == row["reason"]
        assert cells[3].startswith(number(row["floor"]))
        assert cells[4].startswith(number(row["excess"])) or row["metric"] == ""
        between = interval(row["faithfulness_lower"], row["faithfulness_upper"])
        assert cells[5] == f"{number(row['faithfulness'])} {between}".strip()
    assert "a random map passes too" in html
    assert "Could not run: guided_backprop_lrp: no ReLU" in html


def test_a_bench_says_what_its_table_says(tmp_path: Path) -> None:
    bench = SHOWN["bench"](tmp_path)
    heads, *body = rows(bench._repr_html_())
    found = {row[0].removesuffix(" control"): row for row in body[: len(synthetic_bench.METHODS)]}
    place = next(i for i, head in enumerate(heads) if head.startswith("attribution outside the object, share"))
    for row in bench.summary[bench.summary["metric"] == "outside"].to_dict("records"):
        assert found[row["method"]][place].startswith(significant(row["mean"]))
    means = bench.summary[bench.summary["metric"] == "outside"].set_index("method")["mean"]
    assert list(found) == list(means.sort_values().index), "best first"


def test_a_retraining_says_what_its_table_says(tmp_path: Path) -> None:
    retrained = SHOWN["retraining"](tmp_path)
    found = rows(retrained._repr_html_())
    for row in retrained.areas.to_dict("records"):
        assert any(cells[1].startswith(significant(row["area"])) for cells in found if row["method"] in cells[0])


def test_a_full_gradient_adds_up() -> None:
    whole = hp.full_gradient(model(), pictures())
    found = {row[0]: row[1:] for row in rows(whole._repr_html_())}
    assert found["score"] == [significant(v) for v in whole.output.tolist()]
    shares = [cells for name, cells in found.items() if name not in ("", "score", "FullGrad map", "rounding")]
    assert len(shares) == 1 + len(whole.terms)
    for place, score in enumerate(whole.output.tolist()):
        total = sum(float(cells[place].replace("−", "-")) for cells in shares)
        assert total == pytest.approx(score, abs=0.01)


def test_operations_beyond_the_largest_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heatproof.notebook.full_gradient.OPERATIONS", 1)
    whole = hp.full_gradient(net(), images(3))
    found = {row[0]: row[1:] for row in rows(whole._repr_html_())}
    (others,) = [cells for name, cells in found.items() if "further operations" in name]
    assert len(found) == 6
    (kept,) = [cells for name, cells in found.items() if "(" in name or name == "gradient x input"]
    for place, score in enumerate(whole.output.tolist()):
        total = sum(float(cells[place].replace("−", "-")) for cells in (kept, others))
        assert total == pytest.approx(score, abs=0.01)


def test_the_map_beside_a_full_gradient_is_fullgrad() -> None:
    x, target = pictures(), torch.tensor([0, 1, 2])
    drawn = fullgrad_map(hp.full_gradient(model(), x, target), 3)
    torch.testing.assert_close(torch.from_numpy(drawn), hp.fullgrad(model(), x, target))


def test_a_full_gradient_without_an_image_has_no_map() -> None:
    dense = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2)).eval()
    html = hp.full_gradient(dense, torch.ones(2, 3))._repr_html_()
    assert "<img" not in html
    assert "cannot be drawn" not in html


def test_a_perturbation_says_what_it_holds() -> None:
    found = perturbation()
    cells = {row[0]: row for row in rows(found._repr_html_())}
    for place, fraction in enumerate(found.fractions):
        assert cells[f"{fraction:g}"][1].startswith(significant(float(found.probability[place].mean())))
        assert cells[f"{fraction:g}"][2].startswith(significant(float(found.change[place].mean())))


def test_methods_are_listed_and_still_a_dictionary() -> None:
    assert isinstance(hp.METHODS, dict)
    assert [row[0] for row in rows(hp.METHODS._repr_html_())[1:]] == sorted(hp.METHODS)  # type: ignore[attr-defined]


def evil_names(folder: Path) -> dict[str, Any]:
    """Everything that shows itself, with names that attack."""
    whole = synthetic_results.full_results(folder / "a", size=8, photos=1)
    swaps = dict(zip(synthetic_results.METHODS, [EVIL, *ATTACKS.values()], strict=False))
    tables = {name: getattr(whole, name).replace(swaps) for name in ("curves", "floors", "verdicts", "by_check")}
    tables["verdicts"] = tables["verdicts"].assign(reason=EVIL)
    config = whole.config | {"model": EVIL, "dataset": EVIL, "warnings": [EVIL], "refused": {EVIL: EVIL}}
    run = synthetic_bench.bench(folder / "b")
    bad = dict(zip(synthetic_bench.METHODS, [EVIL, *ATTACKS.values()], strict=False))
    summary, curves = run.summary.replace(bad), run.curves.replace(bad)
    trained = synthetic_bench.retrained(folder / "c")
    kept = dict(zip(synthetic_bench.ENTRIES, [EVIL, *ATTACKS.values()], strict=False))
    areas, accuracies = trained.areas.replace(kept), trained.accuracies.replace(kept)
    gradient = hp.full_gradient(model(), pictures())
    terms = [dataclasses.replace(term, name=EVIL, op=EVIL) for term in gradient.terms]
    maps = hp.gradient(model(), pictures())
    return {
        "audit": audit_of(dataclasses.replace(whole, config=config, folder=folder / "x<b>'\"y", **tables)),
        "bench": bench_of(
            dataclasses.replace(
                run, config=run.config | {"model": EVIL, "warnings": [EVIL]}, summary=summary, curves=curves
            )
        ),
        "retraining": retrained_of(
            dataclasses.replace(trained, config=trained.config | {"model": EVIL}, areas=areas, accuracies=accuracies)
        ),
        "full gradient": dataclasses.replace(gradient, terms=terms),
        "maps": hp.show(pictures(), dict.fromkeys([EVIL, *ATTACKS.values()], maps), titles=[EVIL]),
    }


def test_names_that_attack_are_text(chromium: Browser, tmp_path: Path) -> None:
    found = {name: shown._repr_html_() for name, shown in evil_names(tmp_path).items()}
    assert not any("cannot be drawn" in html for html in found.values())
    (tmp_path / "page.html").write_text(
        "<!DOCTYPE html><meta charset=utf-8><title>page</title><link rel=icon href='data:,'>" + "".join(found.values())
    )
    for name, html in found.items():
        page = Page(html)
        assert {"script", "iframe", "form", "base", "meta", "link"}.isdisjoint(tag for tag, _ in page.elements), name
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html), name
        assert ATTACKS["script"] in page.text, name
    with browser.opened(chromium, tmp_path / "page.html") as shown:
        shown.use_everything()
        assert shown.nothing_happened, (shown.page.url, shown.seen)


def test_what_cannot_be_drawn_says_so_and_breaks_nothing(tmp_path: Path) -> None:
    audit = SHOWN["audit"](tmp_path)
    for broken in (
        dataclasses.replace(
            audit, results=dataclasses.replace(audit.results, verdicts=pd.DataFrame({"method": ["a"]}))
        ),
        dataclasses.replace(audit, results=None),
        dataclasses.replace(hp.full_gradient(model(), pictures()), output=EVIL),
    ):
        html = broken._repr_html_()
        assert re.match(r"<p>\w+ cannot be drawn here \(\w+: ", html), html
        assert "<script" not in html


def test_the_link_leads_to_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = SHOWN["audit"](tmp_path / "runs" / "a b#c")
    monkeypatch.chdir(tmp_path)
    assert 'href="runs/a%20b%23c/report.html"' in audit._repr_html_()
    (tmp_path / "else").mkdir()
    monkeypatch.chdir(tmp_path / "else")
    assert f'href="{tmp_path.as_uri()}/runs/a%20b%23c/report.html"' in audit._repr_html_()


@pytest.mark.parametrize("preprocess", [None, hp.Preprocess(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))])
def test_show_draws_what_the_model_sees(preprocess: hp.Preprocess | None) -> None:
    x = pictures()
    given = x if preprocess is None else normalised(x.clone(), preprocess)
    sheet = hp.show(given, hp.gradient(model(), given), preprocess=preprocess)
    seen = torch.stack([torch.from_numpy(picture) for picture in sheet.images]).permute(0, 3, 1, 2)
    torch.testing.assert_close(seen, (x * 255).round().byte())


def test_show_stretches_an_image_of_unknown_units() -> None:
    (picture,) = hp.show(pictures(1) * 7 - 2, torch.ones(1, 1, 8, 8)).images
    assert (picture.min(), picture.max()) == (0, 255)


def test_show_takes_an_image_set_with_its_names() -> None:
    found: ImageSet = image_set(pictures(), ["a.png", "b.png", "c.png"], [None] * 3, mean=(0.0,) * 3, std=(1.0,) * 3)
    sheet = hp.show(found, {"ones": torch.ones(3, 1, 8, 8)}, titles=["first"], most=2)
    assert sheet.titles == ["first", "b.png"]
    assert "1 more image not shown" in sheet._repr_html_()


def test_show_chooses_the_view_that_hides_nothing_and_lays_maps_over_the_image() -> None:
    x, ones = pictures(), torch.ones(3, 1, 8, 8)
    sheet = hp.show(x, {"signed": -ones, "plain": ones})
    assert sheet.views == {"signed": "diverging", "plain": "absolute"}
    assert hp.show(x, -ones, view="absolute").views == {"map": "absolute"}
    over = hp.show(x, ones, overlay=0.25)
    grey = over.images[0].mean(2, keepdims=True)
    whole = hp.show(x, ones).maps["map"][0]
    assert abs(over.maps["map"][0] - (0.25 * whole + 0.75 * grey)).max() <= 0.5


def test_a_sheet_is_saved(tmp_path: Path) -> None:
    sheet = hp.show(pictures(), {"gradient": hp.gradient(model(), pictures())})
    with Image.open(sheet.save(tmp_path / "new" / "sheet.png")) as found:
        assert found.size[0] > 200
    assert sheet.save(tmp_path / "sheet.svg").read_text().startswith("<?xml")
    with pytest.raises(InputError, match="png, pdf, svg"):
        sheet.save(tmp_path / "sheet.gif")


WRONG: dict[str, tuple[Any, dict[str, Any]]] = {
    "another batch": (torch.ones(2, 1, 8, 8), {}),
    "another size": (torch.ones(3, 1, 4, 4), {}),
    "classes in front": (torch.ones(5, 3, 3, 8, 8), {}),
    "no map": ({}, {}),
    "no tensor": ({"a": [1, 2]}, {}),
    "an unknown view": (torch.ones(3, 1, 8, 8), {"view": "both"}),
    "more than opaque": (torch.ones(3, 1, 8, 8), {"overlay": 1.5}),
    "no image to show": (torch.ones(3, 1, 8, 8), {"most": 0}),
}


@pytest.mark.parametrize(("maps", "options"), WRONG.values(), ids=WRONG)
def test_show_refuses_what_does_not_fit(maps: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        hp.show(pictures(), maps, **options)
