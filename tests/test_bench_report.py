"""Reports of benches and of retraining: one file, no request, every text escaped, every number of the results in it."""

from __future__ import annotations

import dataclasses
import re
from html import unescape
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

import synthetic_bench
from heatproof.errors import InputError
from heatproof.experiment.bench_results import BenchResults
from heatproof.faithfulness.kind import Measure
from heatproof.report import bench_figures, bench_tables, render_bench, render_retrain, retrain_figures
from heatproof.report.bench_words import beside_chance, significant, span
from heatproof.report.retrain_sections import published_order
from test_report import EVIL, Page


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> BenchResults:
    return synthetic_bench.bench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def page(run: BenchResults) -> Page:
    return Page(render_bench(run).read_text("utf-8"))


def _changed(run: BenchResults, folder: Path, **changes: object) -> BenchResults:
    return dataclasses.replace(run, folder=folder, **changes)  # type: ignore[arg-type]


def _safe(page: Page) -> None:
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert "alert" not in "".join(page.code["script"])
    assert not [k for _, attributes in page.elements for k in attributes if k.startswith("on")]
    assert all(value.startswith(("data:", "#")) for name in ("src", "href") for value in page.values(name))
    assert any(v.startswith("default-src 'none'") for v in page.values("content"))


def test_the_page_makes_no_request_and_pictures_have_texts(page: Page) -> None:
    _safe(page)
    drawn = [a for tag, a in page.elements if tag == "svg" and a.get("role") == "img"]
    assert len(drawn) == 5
    assert all("random_map" in a["aria-label"] for a in drawn)
    photos = [a for tag, a in page.elements if tag == "img"]
    assert [a["alt"] for a in photos] == ["photo_0.jpg", "photo_1.jpg"]


def test_every_id_is_there_once_and_every_link_leads_to_one(page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {v[1:] for v in page.values("href") if v.startswith("#")} <= set(ids)


def test_every_number_of_the_summary_is_in_the_page(run: BenchResults, page: Page) -> None:
    for row in run.summary.to_dict("records"):
        assert significant(row["mean"]) in page.text
        assert span(row["lower"], row["upper"]) in page.text
        assert significant(row["gain"]) in page.text  # a dash for raw sums and the control
    for row in run.curves.to_dict("records"):
        assert f"{significant(row['mean'])} {span(row['lower'], row['upper'])}" in " ".join(page.text.split())


def _rows(page: Path, table: int) -> list[list[str]]:
    """The cells of a table, as text."""
    body = re.findall(r"<table.*?</table>", page.read_text("utf-8"), re.S)[table]
    rows = [re.findall(r"<t[hd].*?</t[hd]>", row, re.S) for row in re.findall(r"<tr.*?</tr>", body, re.S)]
    return [[unescape(re.sub("<.*?>", " ", cell, flags=re.S)).strip() for cell in row] for row in rows]


def test_the_ranking_is_best_first_and_says_how_it_compares_with_chance(run: BenchResults) -> None:
    rows = _rows(render_bench(run), 0)[1:]
    summary = run.summary[run.summary["metric"] == "outside"].set_index("method")
    order = list(summary["mean"].sort_values().index)
    assert [re.sub(r"\s|control$", "", row[0]) for row in rows] == [name.replace(" ", "") for name in order]
    for name, row in zip(order, rows, strict=True):
        r = summary.loc[name]
        expected = "" if name == "random_map" else (
            "better than" if r["gain_lower"] > 0 else "worse than" if r["gain_upper"] < 0 else "not told apart from"
        )  # fmt: skip
        assert row[1].endswith(f"{expected} chance" if expected else span(r["lower"], r["upper"]))
    assert {"better than chance", "worse than chance"} <= {
        word for row in rows for cell in row[1:] for word in re.findall(r"\w+ than chance", cell)
    }


def test_raw_sums_are_marked_and_stand_last(run: BenchResults) -> None:
    head = _rows(render_bench(run), 0)[0]
    assert [("raw: favours methods of small scale" in cell) for cell in head] == [False, False, False, True]


def test_what_is_missing_is_named(page: Page) -> None:
    text = " ".join(page.text.split())
    assert "no rule for torch.nn.LSTM at encoder.0; choose another method" in text
    assert "RuntimeError: out of memory" in text
    assert "photo_7.jpg could not be read: truncated" in text
    assert re.search(r"gradient\s+88 %\s+gap between both orders", text)
    assert "1 could not run" in text
    assert "FullGrad (Srinivas and Fleuret 2019), section 5.1" in text


def test_hostile_names_are_text(run: BenchResults, tmp_path: Path) -> None:
    kind = synthetic_bench.kind(title=EVIL, about=EVIL, source=EVIL, axis=EVIL)
    tables = {name: getattr(run, name).replace("gradient", EVIL) for name in ("curves", "summary", "table")}
    refused = pd.DataFrame([(EVIL, "refused", EVIL)], columns=["method", "status", "error"])
    measures = {k: dataclasses.replace(v, title=EVIL) for k, v in run.measures.items()}
    images = [{**row, "name": EVIL} for row in run.config["images"]]
    config = {**run.config, "model": EVIL, "dataset": EVIL, "warnings": [EVIL], "images": images, EVIL: EVIL}
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "0.png").write_bytes((run.folder / "photos" / "0.png").read_bytes())
    hostile = _changed(run, tmp_path, kind=kind, refused=refused, measures=measures, config=config, **tables)
    _safe(Page(render_bench(hostile).read_text("utf-8")))


def test_a_bench_without_chance_curves_or_control_renders(run: BenchResults, tmp_path: Path) -> None:
    """A bench in which no method is involved: rows are what was occluded."""
    summary = run.summary[run.summary["metric"] == "gap"].assign(gain=np.nan, gain_lower=np.nan, gain_upper=np.nan)
    kind = synthetic_bench.kind(rows=("object", "background"))
    measures = {"gap": Measure("margin lost")}
    bare = _changed(run, tmp_path, kind=kind, measures=measures, summary=summary, curves=run.curves[:0],
                    config={**run.config, "control": "", "controls": []}, refused=run.refused[:0])  # fmt: skip
    text = Page(render_bench(bare).read_text("utf-8")).text
    assert "than chance" not in text
    assert "Curves" not in text
    assert "Raw sums" not in text
    only = _changed(run, tmp_path, summary=run.summary[:0])
    assert "Ranking" not in Page(render_bench(only).read_text("utf-8")).text


def test_many_numbers_stand_behind_a_line(run: BenchResults, tmp_path: Path) -> None:
    names = [f"gap:{i}" for i in range(8)]
    part = run.summary[run.summary["metric"] == "gap"]
    summary = pd.concat([part.assign(metric=name) for name in names])
    many = _changed(run, tmp_path, summary=summary, measures={n: Measure(n, "higher") for n in names})
    path = render_bench(many)
    assert [len(_rows(path, table)[0]) for table in (0, 1)] == [7, 3]
    assert "5 more figures" in Page(path.read_text("utf-8")).text


def test_a_method_that_failed_everywhere_could_not_run(run: BenchResults, tmp_path: Path) -> None:
    lost = [("deconvnet", "pixel", 0, "", i, 0, np.nan, "failed", "ModelError: no ReLU") for i in range(24)]
    table = pd.concat([run.table, pd.DataFrame(lost, columns=run.table.columns)])
    text = Page(render_bench(_changed(run, tmp_path, table=table)).read_text("utf-8")).text
    assert "2 could not run" in " ".join(text.split())


def test_tables_for_the_terminal_are_best_first(run: BenchResults) -> None:
    tables = bench_tables(run)
    titles = [title for title, _, _ in tables]
    assert titles[0] == "attribution outside the object, share, lower is better"
    assert titles[-1] == "could not run"
    assert all(len(row) == len(heads) for _, heads, rows in tables for row in rows)
    summary = run.summary[run.summary["metric"] == "outside"].set_index("method")
    first = tables[0][2][0]
    best = summary["mean"].idxmin()
    assert first[:2] == [best, significant(summary["mean"].min())]
    assert first[4] == "better than chance"
    curve = next(rows for title, _, rows in tables if title.startswith("fractional output change, least"))
    found = run.curves[(run.curves["metric"] == "change:least:black") & (run.curves["method"] == curve[0][0])]
    assert curve[0][1:] == [significant(v) for v in found.sort_values("level")["mean"]]


def test_tables_for_the_terminal_leave_out_what_has_no_space(run: BenchResults, tmp_path: Path) -> None:
    rows = run.curves[run.curves["metric"] == "change:least:black"]
    fine = pd.concat([rows.assign(level=rows["level"] + shift) for shift in (0, 0.2)])
    part = run.summary[run.summary["metric"] == "gap"]
    summary = pd.concat([part.assign(metric=f"gap:{i}") for i in range(7)])
    measures = {**run.measures, **{f"gap:{i}": Measure(f"gap {i}", "higher") for i in range(7)}}
    tables = bench_tables(_changed(run, tmp_path, curves=fine, summary=summary, measures=measures))
    assert [len(heads) for title, heads, _ in tables if title == "means over images"] == [5, 3]
    levels = next(heads for title, heads, _ in tables if title.startswith("fractional output change, least"))[1:]
    assert len(levels) == 8
    assert (levels[0], levels[-1]) == ("0.001", "0.3")


def test_figures_are_written(run: BenchResults, tmp_path: Path) -> None:
    names = [path.name for path in bench_figures(_changed(run, tmp_path), "svg")]
    assert names == ["levels-change-least-black.svg", "levels-change-most-black.svg", "boxes-outside.svg", "boxes-gap.svg",
                     "boxes-outside-raw.svg"]  # fmt: skip
    held = retrain_figures(synthetic_bench.retrained(tmp_path), "svg")
    assert [path.stem for path in held] == ["accuracy-roar", "areas-roar", "accuracy-kar", "areas-kar"]
    with pytest.raises(InputError, match="expected one of png, pdf, svg"):
        bench_figures(run, "gif")  # type: ignore[arg-type]


def test_the_page_of_retraining(tmp_path: Path) -> None:
    results = synthetic_bench.retrained(tmp_path)
    page = Page(render_retrain(results).read_text("utf-8"))
    _safe(page)
    text = " ".join(page.text.split())
    assert "Reduced: 2000 training images of 50000" in text
    assert "ModelError: no rule" in text
    assert "Accuracy on unchanged images: 0.740." in text
    for row in results.areas.to_dict("records"):
        assert f"{significant(row['area'])} {span(row['lower'], row['upper'])}" in text
        assert np.isnan(row["published"]) or significant(row["published"]) in text
    first = [re.sub(r"\s+", " ", row[0]) for row in _rows(tmp_path / "report.html", 0)[1:]]
    assert [name.removesuffix(" control").replace("_ ", "_") for name in first] == sorted(
        synthetic_bench.ENTRIES, key=lambda m: synthetic_bench.ENTRIES[m]
    )


def test_the_order_beside_the_published_one(tmp_path: Path) -> None:
    results = synthetic_bench.retrained(tmp_path)
    found = published_order(results, "roar")
    assert found is not None
    assert published_order(results, "kar") is None
    names = list(synthetic_bench.PUBLISHED)
    rho = spearmanr(
        [synthetic_bench.ENTRIES[n] for n in names], [synthetic_bench.PUBLISHED[n] for n in names]
    ).statistic
    assert f"Spearman {significant(float(rho))} " in found[1]
    assert rho == pytest.approx(0.3)
    places = {name: [cell.text for cell in cells] for name, cells in found[0].rows}
    assert places["guided_backprop"] == ["2", "5"]
    assert places["rectgrad"] == ["1", "1"]


@pytest.mark.parametrize(("value", "text"), [(9.999, "10.0"), (99999.0, "1.00×10⁵"), (0.0009996, "0.00100"), (-0.0, "0"),
                                             (-3e-9, "−3.00×10⁻⁹"), (1e300, "1.00×10³⁰⁰"), (None, "–")])  # fmt: skip
def test_numbers_keep_three_digits(value: object, text: str) -> None:
    assert significant(value) == text


def test_the_words_follow_the_interval() -> None:
    assert beside_chance(0.0, 0.0) == "not told apart from chance"
    assert span(-1e-18, 0.04) == "0.0000 to 0.0400"
    assert span(0.0, 0.0) == ""
