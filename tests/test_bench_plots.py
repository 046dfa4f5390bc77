"""Figures of benches: what is drawn is what was measured, best first, controls grey, names apart."""

from __future__ import annotations

import dataclasses
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import synthetic_bench
from heatproof.errors import InputError
from heatproof.experiment.bench_results import BenchResults
from heatproof.plots import area_bars, boxes, levels, retrain_curves
from heatproof.plots._lines import SERIES
from heatproof.plots._style import FLOOR, MUTED

CURVE = "change:least:black"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> BenchResults:
    return synthetic_bench.bench(tmp_path_factory.mktemp("bench"))


def _texts(figure: Figure) -> list[str]:
    return [t.get_text() for t in (*figure.texts, *figure.axes[0].texts)]


def _line(figure: Figure, y: list[float]) -> dict[str, object]:
    """Colour and dashes of the line that has these values."""
    for line in figure.axes[0].lines:
        if np.shape(line.get_ydata()) == np.shape(y) and np.allclose(line.get_ydata(), y, equal_nan=True):
            return {"colour": to_hex(str(line.get_color())), "dashed": line.is_dashed(), "x": list(line.get_xdata())}
    raise AssertionError(f"no line with {y}")


def _means(run: BenchResults, method: str, metric: str = CURVE) -> list[float]:
    rows = run.curves[(run.curves["method"] == method) & (run.curves["metric"] == metric)]
    return [float(v) for v in rows.sort_values("level")["mean"]]


@pytest.mark.parametrize("metric", [CURVE, "change:most:black"])
def test_levels_draw_every_method_and_colour_the_best_eight(run: BenchResults, metric: str) -> None:
    figure = levels(run, metric)
    better = synthetic_bench.MEASURES[metric].better
    tested = [m for m in synthetic_bench.METHODS if m not in ("edge_map", "random_map")]
    order = sorted(tested, key=lambda m: np.mean(_means(run, m, metric)) * (1 if better == "lower" else -1))
    coloured = {m for m in tested if _line(figure, _means(run, m, metric))["colour"] in SERIES}
    assert coloured == set(order[:8])
    assert len({_line(figure, _means(run, m, metric))["colour"] for m in coloured}) == 8
    for control in ("edge_map", "random_map"):
        assert _line(figure, _means(run, control, metric)) == {
            "colour": MUTED, "dashed": True, "x": list(synthetic_bench.LEVELS),
        }  # fmt: skip
    assert figure.axes[0].get_xscale() == "log"
    assert all(any(name == text for text in _texts(figure)) for name in synthetic_bench.METHODS)
    assert any(f"({better} is better)" in text for text in _texts(figure))


def test_the_first_eight_methods_keep_their_colours(run: BenchResults) -> None:
    one, other = levels(run, CURVE), levels(run, "change:most:black")
    for place, method in enumerate(list(synthetic_bench.METHODS)[:8]):
        found = [_line(f, _means(run, method, m))["colour"] for f, m in ((one, CURVE), (other, "change:most:black"))]
        assert set(found) <= {SERIES[place], "#b3b9c2"}


def test_names_at_the_ends_do_not_collide(run: BenchResults) -> None:
    flat = run.curves.assign(mean=0.5 + 1e-9 * run.curves["stage"], lower=0.4, upper=0.6)
    figure = levels(dataclasses.replace(run, curves=flat), CURVE)
    figure.canvas.draw()
    named = [t for t in figure.axes[0].texts if t.get_text() in synthetic_bench.METHODS]
    extents = sorted((t.get_window_extent() for t in named), key=lambda box: box.y0)
    assert len(extents) == 12
    assert all(above.y0 >= below.y1 - 2 for below, above in itertools.pairwise(extents))
    assert max(box.x1 for box in extents) <= figure.bbox.x1


def test_levels_that_are_no_small_shares_stand_on_a_plain_axis(run: BenchResults) -> None:
    plain = run.curves.assign(level=run.curves["stage"] * 0.1)
    assert levels(dataclasses.replace(run, curves=plain), CURVE).axes[0].get_xscale() == "linear"


def test_a_curve_without_any_value_is_drawn_empty(run: BenchResults) -> None:
    lost = run.curves["method"] == "gradient"
    curves = run.curves.assign(**{c: run.curves[c].mask(lost) for c in ("mean", "lower", "upper")})
    assert "gradient" not in _texts(levels(dataclasses.replace(run, curves=curves), CURVE))


def test_unknown_metrics_are_named(run: BenchResults) -> None:
    with pytest.raises(InputError, match=r"no such curve.*change:least:black"):
        levels(run, "gap")
    with pytest.raises(InputError, match=r"no such number.*outside"):
        boxes(run, CURVE)


def _labels(figure: Figure) -> list[str]:
    rows = [t for t in figure.texts if t.get_ha() == "right"]
    return [t.get_text() for t in sorted(rows, key=lambda t: -t.get_position()[1])]


@pytest.mark.parametrize(("metric", "sign"), [("outside", 1), ("gap", -1)])
def test_boxes_stand_best_first_where_their_numbers_are(run: BenchResults, metric: str, sign: int) -> None:
    figure = boxes(run, metric)
    rows = run.summary[run.summary["metric"] == metric].set_index("method")
    order = sorted(rows.index, key=lambda m: sign * rows.loc[m, "mean"])
    assert _labels(figure) == order
    axes = figure.axes[0]
    for place, name in enumerate(order, 1):
        vertices = axes.patches[place - 1].get_path().vertices
        assert vertices[:, 1].mean() == pytest.approx(place, abs=0.2)
        assert sorted({*np.round(vertices[:, 0], 9)}) == [
            round(rows.loc[name, c], 9) for c in ("quarter", "three_quarters")
        ]
        grey = name in ("random_map", "edge_map")
        assert (to_hex(axes.patches[place - 1].get_facecolor()) == FLOOR) == grey
        dot = [line for line in axes.lines if line.get_marker() == "o" and line.get_ydata()[0] == place]
        assert [float(line.get_xdata()[0]) for line in dot] == [rows.loc[name, "mean"]]
    dashed = [line for line in axes.lines if line.is_dashed()]
    assert [float(line.get_xdata()[0]) for line in dashed] == [rows.loc["random_map", "mean"]]


def test_raw_sums_stand_on_a_logarithmic_scale_and_say_so(run: BenchResults) -> None:
    figure = boxes(run, "outside:raw")
    assert figure.axes[0].get_xscale() == "log"
    assert any("raw: favours methods of small scale" in text for text in _texts(figure))
    assert boxes(run, "outside").axes[0].get_xscale() == "linear"
    negative = run.summary.assign(low=run.summary["low"].where(run.summary["method"] != "gradient", -1.0))
    assert boxes(dataclasses.replace(run, summary=negative), "outside:raw").axes[0].get_xscale() == "linear"


def test_a_method_without_values_has_an_empty_row(run: BenchResults) -> None:
    lost = run.summary["method"] == "gradient"
    columns = ("mean", "lower", "upper", "low", "quarter", "median", "three_quarters", "high")
    figure = boxes(
        dataclasses.replace(run, summary=run.summary.assign(**{c: run.summary[c].mask(lost) for c in columns})), "gap"
    )
    assert _labels(figure)[-1] == "gradient"
    assert "no value" in _texts(figure)


@pytest.mark.parametrize("direction", ["roar", "kar"])
def test_retrain_curves_draw_every_entry_and_the_unchanged_accuracy(tmp_path: Path, direction: str) -> None:
    results = synthetic_bench.retrained(tmp_path)
    figure = retrain_curves(results, direction)
    rows = results.accuracies[results.accuracies["direction"] == direction]
    for name, part in rows.groupby("method"):
        found = _line(figure, list(part["mean"]))
        assert found["x"] == [0.1, 0.3, 0.5, 0.7, 0.9]
        assert found["dashed"] == (name not in results.config["methods"])
    assert any(list(line.get_ydata()) == [0.74, 0.74] for line in figure.axes[0].lines)
    unknown = synthetic_bench.retrained(tmp_path, original=math.nan)
    assert "unchanged images" not in _texts(retrain_curves(unknown, direction))


def test_area_bars_stand_best_first_beside_chance_and_the_published(tmp_path: Path) -> None:
    results = synthetic_bench.retrained(tmp_path)
    figure = area_bars(results, "roar")
    assert _labels(figure) == sorted(synthetic_bench.ENTRIES, key=lambda m: synthetic_bench.ENTRIES[m])
    axes = figure.axes[0]
    dots = [line for line in axes.lines if line.get_marker() == "o"]
    rings = {
        float(r.get_xdata()[0])
        for r in dots
        if r.get_markerfacecolor() == "none" and r.get_xdata()[0] == r.get_xdata()[0]
    }
    assert rings == set(synthetic_bench.PUBLISHED.values())
    full = {float(r.get_xdata()[0]) for r in dots if r.get_markerfacecolor() != "none"}
    assert full == set(synthetic_bench.ENTRIES.values())
    band = axes.patches[0].get_extents().transformed(axes.transData.inverted())
    assert (band.x0, band.x1) == pytest.approx((0.638, 0.662))
    with pytest.raises(InputError, match=r"did not measure it; it has \['roar'\]"):
        area_bars(synthetic_bench.retrained(tmp_path, ("roar",)), "kar")
