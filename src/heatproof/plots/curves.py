"""Similarity of maps to the original's as more and more of the network is randomised, against the null floor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.results import Results
from ._style import CURVE, FLOOR, INK, MUTED, PAPER, RULE, ZONE, fitted, metric_name

HALF = 0.5
"""The verdict looks at excess over the floor from this share of the blocks on, and compares it with this value unless
the run's own thresholds say otherwise (design.md, section 4)."""


def curves(results: Results, metric: str, check: str | None = None) -> Figure:
    """One small panel per method, worst verdict first: curve and floor, each with its 95 % interval.

    Args:
        results: what a run left.
        metric: one of its metrics.
        check: one of its checks; None = the first.

    Raises:
        InputError: the run has no such curve; the message names those it has.
    """
    names = methods_of(results, metric, check)
    columns = min(len(names), 4)
    rows = math.ceil(len(names) / columns)
    figure = Figure(figsize=(2.15 * columns + 0.3, 1.75 * rows + 0.75), dpi=150, facecolor=PAPER, layout="constrained")
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).flatten()
    lowest = bottom(results, metric)
    for place, name in enumerate(names):
        panel(axes[place], results, name, metric, check, lowest)
        text, size = fitted(name, 1.8, 8)
        axes[place].set_title(text, fontsize=size, loc="left", pad=4, color=INK, parse_math=False)
        axes[place].label_outer()
    for place in range(len(names), len(axes)):
        axes[place].set_axis_off()
        if place >= columns:
            axes[place - columns].tick_params(labelbottom=True)
    figure.suptitle(f"{metric_name(metric)}: similarity to the original map", fontsize=10, x=0.01, ha="left", color=INK)
    note = "share of blocks randomised · grey: null floor · shaded zone: map still follows the original network"
    figure.supxlabel(note if advances(results, check) else "stage", fontsize=7, color=MUTED)
    return figure


def panel(axes: Axes, results: Results, method: str, metric: str, check: str | None = None, lowest: float = 0) -> None:
    """Draw one method's curve, its null floor and the zone of the verdict `insensitive` into given axes."""
    rows = rows_of(results, metric, check)
    rows = rows[rows["method"] == method].sort_values("stage")
    x = rows["share"] if advances(results, check) else rows["stage"]
    last = float(x.max())
    for _, floor in results.floors[_is(results.floors, method, metric)].iterrows():
        if np.isfinite(floor["floor"]):
            axes.fill_between([0, last], floor["floor_lower"], floor["floor_upper"], color=FLOOR, alpha=0.28, lw=0)
            axes.plot([0, last], [floor["floor"]] * 2, color=FLOOR, lw=1, dashes=(3, 2))
            _zone(axes, results, rows, float(floor["floor"]), last)
    axes.fill_between(x, rows["lower"], rows["upper"], color=CURVE, alpha=0.22, lw=0)
    axes.plot(x, rows["mean"], color=CURVE, lw=1.4, marker="o", ms=2.6, clip_on=False, zorder=3)
    axes.set(xlim=(0, last), ylim=(lowest, 1.04), yticks=[0, 0.5, 1])
    if advances(results, check):
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    if not rows["mean"].iloc[1:].notna().any():
        axes.text(last / 2, 0.5, "undefined", color=MUTED, fontsize=8, ha="center", va="center")
    dress(axes)


def dress(axes: Axes) -> None:
    """A quiet frame: two thin spines, small grey numbers, one line at zero."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=RULE, linewidth=0.8)
    axes.tick_params(labelsize=7, labelcolor=MUTED, color=RULE, length=2, width=0.8)
    axes.axhline(0, color=RULE, lw=0.8, zorder=0)


def _zone(axes: Axes, results: Results, rows: pd.DataFrame, floor: float, last: float) -> None:
    if not rows["excess"].iloc[1:].notna().any() or not advances(results, None):
        return
    # excess = (s - floor) / (1 - floor), so this is the similarity at which the excess meets its threshold
    limit = floor + excess_threshold(results) * (1 - floor)
    half = min((float(s) for s in rows["share"] if s >= HALF), default=HALF)
    axes.fill_between([half, last], limit, 1, color=ZONE, alpha=0.1, lw=0, zorder=0)


def excess_threshold(results: Results) -> float:
    """The excess from which on a method counts as insensitive: the run's own threshold, .5 where it names none."""
    value = dict(results.config.get("thresholds") or {}).get("excess", HALF)
    return float(value) if isinstance(value, int | float) else HALF


def rows_of(results: Results, metric: str, check: str | None = None) -> pd.DataFrame:
    """The curves of one metric and check (None = the first), or `InputError` naming those there are."""
    table = results.curves
    checks = [str(c) for c in table["check"].unique()]
    found = table[(table["check"] == (check or next(iter(checks), None))) & (table["metric"] == metric)]
    if found.empty:
        raise InputError(
            f"no curve of metric={metric!r}, check={check!r} in {results.folder}; it has the metrics "
            f"{sorted(map(str, table['metric'].unique()))} and the checks {checks}"
        )
    return found


def methods_of(results: Results, metric: str, check: str | None = None) -> list[str]:
    """Methods that have a curve, in the order of the verdicts (worst first)."""
    have = list(dict.fromkeys(map(str, rows_of(results, metric, check)["method"])))
    ranked = [str(m) for m in results.verdicts["method"] if m in have]
    return ranked + [m for m in have if m not in ranked]


def advances(results: Results, check: str | None) -> bool:
    """Whether a check's stages randomise more and more of the network, so that the share can be the x axis."""
    table = results.curves
    rows = table[table["check"] == (check or table["check"].iloc[0])].drop_duplicates("stage").sort_values("stage")
    return bool(rows["share"].is_monotonic_increasing and rows["share"].is_unique)


def bottom(results: Results, metric: str) -> float:
    """One lower end of the y axis for all panels of a metric, so that they can be compared."""
    rows = results.curves[results.curves["metric"] == metric]
    floors = results.floors[results.floors["metric"] == metric]
    values = [v for v in _numbers(rows, "mean", "lower") if v < 0] + [v for v in _numbers(floors, "floor") if v < 0]
    return max(-1.04, min([-0.04, *(math.floor(v * 10) / 10 for v in values)]))


def _numbers(table: pd.DataFrame, *columns: str) -> Iterator[float]:
    for column in columns:
        yield from (float(v) for v in table[column].dropna())


def _is(table: pd.DataFrame, method: str, metric: str) -> pd.Series[bool]:
    return (table["method"] == method) & (table["metric"] == metric)
