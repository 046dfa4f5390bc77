"""A measure of a bench as box plots over images, one row per method."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.bench_results import BenchResults
from ._bench import best_first, controls_of, direction_words
from ._rows import dressed, row_figure
from ._style import CURVE, FLOOR, INK, MUTED

NOTE = "box: quartiles and median · whiskers: 1.5 interquartile ranges · dot: mean with its 95 % interval"
DECADES = 100
"""Values that are all positive and span more than this factor stand on a logarithmic scale."""


def boxes(results: BenchResults, metric: str) -> Figure:
    """Box plots over images, best mean first; controls grey, the mean of the control dashed through all rows.

    Args:
        results: what a bench left.
        metric: one of its metrics without levels.

    Raises:
        InputError: the bench has no such metric; the message names those it has.
    """
    table = results.summary[results.summary["metric"] == metric]
    if table.empty:
        have = list(dict.fromkeys(map(str, results.summary["metric"])))
        raise InputError(f"boxes(metric={metric!r}): {results.folder} has no such number; it has {have}")
    names, quiet = best_first(results, metric), controls_of(results)
    measure = results.measures[metric]
    chance = float(table.loc[table["method"] == results.control, "mean"].mean())
    note = NOTE + (f" · dashed: {results.control}" if math.isfinite(chance) else "")
    figure, axes = row_figure(names, quiet, measure.title + direction_words(measure), note)
    low, high = _ends(table)
    if low > 0 and high > DECADES * low:
        axes.set_xscale("log")
    found = {str(row["method"]): row for row in table.to_dict("records")}
    for place, name in enumerate(names, 1):
        _box(axes, place, found[name], FLOOR if name in quiet else CURVE)
    if math.isfinite(chance):
        axes.axvline(chance, color=MUTED, lw=0.9, dashes=(3, 2), zorder=0)
    dressed(axes, low, high)
    return figure


def _box(axes: Axes, row: int, values: dict[Any, Any], colour: str) -> None:
    if not math.isfinite(values["median"]):
        axes.text(0.01, row, "no value", transform=axes.get_yaxis_transform(), fontsize=6.5, color=MUTED, va="center")
        return
    parts = {"whislo": "low", "q1": "quarter", "med": "median", "q3": "three_quarters", "whishi": "high"}
    thin = {"color": colour, "lw": 0.9}
    axes.bxp([{key: float(values[name]) for key, name in parts.items()}], positions=[row], widths=0.56,
             orientation="horizontal", showfliers=False, manage_ticks=False, patch_artist=True, showcaps=False,
             boxprops={"facecolor": colour, "alpha": 0.35, "lw": 0}, whiskerprops=thin,
             medianprops={"color": colour, "lw": 1.6, "solid_capstyle": "butt"})  # fmt: skip
    ends = [float(values["lower"]), float(values["upper"])]
    if all(math.isfinite(end) for end in ends):
        axes.plot(ends, [row, row], color=INK, lw=1.1, solid_capstyle="butt", zorder=4)
    axes.plot([float(values["mean"])], [row], color=INK, marker="o", ms=3.2, mew=0, zorder=5)


def _ends(table: pd.DataFrame) -> tuple[float, float]:
    """Of all boxes and means; intervals beyond are cut off where they reach far."""
    drawn = table[["low", "high", "mean"]].to_numpy(float).ravel()
    finite = [float(v) for v in drawn if math.isfinite(v)] or [0.0, 1.0]
    return min(finite), max(finite)
