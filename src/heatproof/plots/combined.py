"""All methods in one panel: who follows the network, who does not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..experiment.results import Results
from ._select import advances, axis_label, heading, methods_of, rows_of, stage_names, without_verdict
from ._style import CURVE, INK, MUTED, PAPER, RULE, VERDICT_COLOURS, is_control, plain, write
from .curves import dress


def combined(results: Results, metric: str, check: str | None = None) -> Figure:
    """One line per method, coloured by its verdict and named at its end; floors are in `curves`.

    Args:
        results: what a run left.
        metric: one of its metrics.
        check: one of its checks; None = the first.

    Raises:
        InputError: the run has no such curve.
    """
    names = methods_of(results, metric, check)
    figure = Figure(figsize=(7.2, max(3.8, 0.2 * len(names) + 1.2)), dpi=150, facecolor=PAPER)
    across = advances(results, check)
    stages = {} if across else stage_names(results, check)
    axes = figure.add_axes((0.06, 0.3, 0.64, 0.61) if stages else (0.06, 0.17, 0.64, 0.74))
    rows = rows_of(results, metric, check)
    last = float((rows["share"] if across else rows["stage"]).max())
    ends: dict[str, float] = {}
    for name in names:
        line = rows[(rows["method"] == name) & rows["mean"].notna()].sort_values("stage")
        if len(line) > 1:
            ends[name] = float(line["mean"].iloc[-1])
            axes.plot(line["share" if across else "stage"], line["mean"], clip_on=False, **_line(results, name, check))
    lowest = min(-0.04, math.floor(rows["mean"].min() * 10) / 10) if rows["mean"].notna().any() else -0.04
    axes.set(xlim=(0, last), ylim=(lowest, 1.04), yticks=[0, 0.25, 0.5, 0.75, 1])
    if across:
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "¼", "½", "¾", "1"])
    dress(axes)
    if stages:
        labels = [plain(name, 18) for name in stages.values()]
        axes.set_xticks(list(stages), labels, rotation=30, ha="right", fontsize=6, parse_math=False)
    axes.set_xlabel(axis_label(results, check), fontsize=7.5, color=MUTED, parse_math=False)
    axes.set_title(heading(results, metric, check), fontsize=9, loc="left", color=INK, parse_math=False)
    _name_ends(axes, results, ends, last, check)
    _key(axes, results, list(ends), check, -0.34 if stages else -0.13)
    return figure


def _line(results: Results, method: str, check: str | None) -> dict[str, Any]:
    """Controls are grey and dashed whatever their verdict: it says nothing about the model."""
    style = {"color": _colour(results, method, check), "lw": 1.5, "marker": "o", "ms": 2.8}
    return style | {"dashes": (2, 2), "marker": ""} if is_control(method, results.config) else style


def _colour(results: Results, method: str, check: str | None) -> str:
    """By the verdict of this check, or of the first one where this one judges nothing."""
    table = results.by_check
    table = table[table["check"] == check] if len(table) and check in set(table["check"]) else results.verdicts
    verdicts = dict(zip(table["method"], table["verdict"], strict=True))
    if is_control(method, results.config):
        return MUTED
    return CURVE if without_verdict(results) else VERDICT_COLOURS.get(str(verdicts.get(method)), MUTED)


def _key(axes: Axes, results: Results, names: list[str], check: str | None, below: float) -> None:
    shown = {_colour(results, name, check) for name in names}
    entries: list[tuple[str, dict[str, Any]]] = [
        (verdict, {"color": c, "lw": 1.5}) for verdict, c in VERDICT_COLOURS.items() if c in shown
    ]
    if any(is_control(name, results.config) for name in names):
        entries.append(("control, no model in it", {"color": MUTED, "lw": 1.5, "dashes": (2, 2)}))
    handles = [Line2D([], [], label=label, **style) for label, style in entries]
    axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.01, below), ncols=5, frameon=False, fontsize=7,
                labelcolor=MUTED, handlelength=1.6, columnspacing=1.4)  # fmt: skip


def _name_ends(axes: Axes, results: Results, ends: dict[str, float], last: float, check: str | None) -> None:
    """Names right of the axes, in the order of the lines' ends, moved apart where they would collide."""
    low, high = axes.get_ylim()
    order = sorted(ends, key=lambda name: ends[name])
    places = spread([ends[name] for name in order], 0.048 * (high - low), low, high)
    for name, place in zip(order, places, strict=True):
        leader = [last, 1.03 * last, 1.05 * last], [ends[name], place, place]
        axes.plot(*leader, color=RULE, lw=0.7, clip_on=False, zorder=0)
        write(axes, 1.06 * last, place, plain(name, 34), color=_colour(results, name, check), fontsize=7.5, va="center")


def spread(values: list[float], gap: float, low: float, high: float) -> list[float]:
    """Positions of ascending values at least ``gap`` apart, between low and high, as near to the values as that lets.

    Example:
        >>> [round(v, 6) for v in spread([0.0, 0.0, 1.0], 0.1, 0.0, 1.0)]
        [0.0, 0.1, 1.0]
    """
    gap = min(gap, (high - low) / max(len(values) - 1, 1))
    if not values:
        return []
    steps = gap * np.arange(len(values))
    # isotonic regression by pooling: neighbours closer than the gap share the mean of what they ask for
    pools: list[tuple[float, int]] = []
    for value in np.asarray(values) - steps:
        mean, size = float(value), 1
        while pools and pools[-1][0] > mean:
            before, count = pools.pop()
            mean, size = (mean * size + before * count) / (size + count), size + count
        pools.append((mean, size))
    placed = np.repeat([mean for mean, _ in pools], [size for _, size in pools])
    return [float(v) for v in np.clip(placed, low, high - steps[-1]) + steps]
