"""Similarity of maps to the original's as more and more of the network is randomised, against the null floor."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..experiment.results import Results
from ._curve import curve_of
from ._select import axis_label, bottom, heading, judges, methods_of
from ._style import CURVE, FLOOR, INK, MUTED, PAPER, RULE, ZONE, fitted


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
    figure.suptitle(heading(results, metric, check), fontsize=10, x=0.01, ha="left", color=INK, parse_math=False)
    zone = " · shaded zone: map still follows the original network" if judges(results, check) else ""
    note = f"{axis_label(results, check)} · grey: null floor{zone}"
    figure.supxlabel(note, fontsize=7, color=MUTED, parse_math=False)
    return figure


def panel(axes: Axes, results: Results, method: str, metric: str, check: str | None = None, lowest: float = 0) -> None:
    """Draw one method's curve, its null floor and the zone of the verdict `insensitive` into given axes."""
    curve = curve_of(results, method, metric, check)
    ends = [0.0, curve.last]
    if curve.floor:
        value, lower, upper = curve.floor
        axes.fill_between(ends, lower, upper, color=FLOOR, alpha=0.28, lw=0)
        axes.plot(ends, [value] * 2, color=FLOOR, lw=1, dashes=(3, 2))
    if curve.zone:
        half, limit = curve.zone
        axes.fill_between([half, curve.last], limit, 1, color=ZONE, alpha=0.1, lw=0, zorder=0)
    axes.fill_between(curve.x, curve.lower, curve.upper, color=CURVE, alpha=0.22, lw=0)
    axes.plot(curve.x, curve.mean, color=CURVE, lw=1.4, marker="o", ms=2.6, clip_on=False, zorder=3)
    axes.set(xlim=ends, ylim=(lowest, 1.04), yticks=[0, 0.5, 1])
    if curve.shares:
        axes.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    if curve.undefined:
        axes.text(curve.last / 2, 0.5, "undefined", color=MUTED, fontsize=8, ha="center", va="center")
    dress(axes)


def dress(axes: Axes) -> None:
    """A quiet frame: two thin spines, small grey numbers, one line at zero."""
    axes.set_facecolor("none")
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set(color=RULE, linewidth=0.8)
    axes.tick_params(labelsize=7, labelcolor=MUTED, color=RULE, length=2, width=0.8)
    axes.axhline(0, color=RULE, lw=0.8, zorder=0)
