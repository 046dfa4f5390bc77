"""Many named lines with their bands in one panel, the best in colour: what curves of benches are drawn with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._ends import Line, across, name_ends
from ._style import CURVE, INK, MUTED, PAPER, VERDICT_COLOURS, ZONE, fitted, write
from .curves import dress

SERIES = (
    CURVE, ZONE, VERDICT_COLOURS["sensitive"], VERDICT_COLOURS["input-dominated"], VERDICT_COLOURS["undecided"],
    "#0788a8", "#7440b8", "#7d4a2f",
)  # fmt: skip
"""Eight colours that dark and light pages both have; each goes with a marker and a name at the end of its line."""
MARKERS = "osD^vPX*"
QUIET = "#b3b9c2"
LOG_BELOW = 0.01
"""Shares of which the smallest is below this stand on a logarithmic axis: per mille and per cent in one figure."""
WIDTH, LEFT, RIGHT = 7.2, 0.55, 4.85
"""Inches: of a figure, and of the left and right end of its panel; names stand beside it."""


def line_figure(lines: Sequence[Line], best: Sequence[str], title: str, axis: str, mark: tuple[str, float]) -> Figure:
    """One panel of lines, each named at its right end.

    Args:
        lines: in the order of the run, which decides their colours.
        best: names, best first; the first eight that are no controls are drawn in colour.
        title, axis: what is measured, and over what.
        mark: a name and a value that is drawn across, such as the accuracy on unchanged data; NaN for none.
    """
    height = max(3.5, 0.155 * len(lines) + 1.15)
    figure = Figure(figsize=(WIDTH, height), dpi=150, facecolor=PAPER)
    axes = figure.add_axes((LEFT / WIDTH, 0.52 / height, (RIGHT - LEFT) / WIDTH, (height - 0.92) / height))
    _axis(axes, sorted({float(x) for line in lines for x in line.x}))
    axes.set_ylim(*_limits(lines, mark[1]))
    colours = _colours([line.name for line in lines if not line.control], best)
    for line in sorted(lines, key=lambda line: line.name in colours):
        _draw(axes, line, colours.get(line.name, MUTED if line.control else QUIET), 0.4 / max(4, len(lines)))
    if math.isfinite(mark[1]):
        axes.axhline(mark[1], color=INK, lw=0.8, dashes=(1, 2))
    dress(axes)
    name_ends(axes, lines, colours, mark)
    axes.set_xlabel(axis, fontsize=7.5, color=MUTED, parse_math=False)
    text, size = fitted(title, WIDTH - 0.4, 9)
    write(figure, 0.15 / WIDTH, 1 - 0.22 / height, text, fontsize=size)
    return figure


def _colours(names: Sequence[str], best: Sequence[str]) -> dict[str, str]:
    """Colours of the eight best; the first eight names keep theirs in every figure of a run."""
    chosen = set([name for name in best if name in names][: len(SERIES)])
    taken: dict[str, str] = {}
    for place, name in enumerate(names):
        if name in chosen:
            own = SERIES[place % len(SERIES)]
            taken[name] = own if own not in taken.values() else next(c for c in SERIES if c not in taken.values())
    return taken


def _draw(axes: Axes, line: Line, colour: str, shade: float) -> None:
    """shade: of the band of the interval, the fainter the more of them lie on each other."""
    loud = colour in SERIES
    low, high = axes.get_ylim()
    bands = (np.clip(np.asarray(end, float), low, high) for end in (line.lower, line.upper))
    if loud or line.control:
        axes.fill_between(line.x, *bands, color=colour, alpha=shade, lw=0)
    style: dict[str, Any] = {"lw": 1.4 if loud or line.control else 0.9, "zorder": 3 if loud else 2}
    style |= {"marker": MARKERS[SERIES.index(colour)], "ms": 3.4, "mew": 0} if loud else {}
    style |= {"dashes": (3, 2)} if line.control else {}
    axes.plot(line.x, line.mean, color=colour, clip_on=False, **style)


def _axis(axes: Axes, levels: Sequence[float]) -> None:
    """The levels on the axis, as many as there is space for."""
    low, high = (levels[0], levels[-1]) if levels else (0.0, 1.0)
    if logarithmic(levels):
        axes.set_xscale("log")
    axes.set_xlim(low, high if high > low else low + 1)
    axes.minorticks_off()
    places = [across(axes, level) for level in levels]
    shown: list[int] = []
    for i, place in enumerate(places):
        if not shown or place - places[shown[-1]] > 0.055:
            shown.append(i)
    axes.set_xticks([levels[i] for i in shown], [f"{levels[i]:g}" for i in shown])


def logarithmic(levels: Sequence[float]) -> bool:
    """Whether levels are shares that grow by orders of magnitude.

    Example:
        >>> logarithmic([0.001, 0.01, 0.1]), logarithmic([0.1, 0.5, 0.9]), logarithmic([0, 0.001, 0.5])
        (True, False, False)
    """
    return bool(levels) and 0 < min(levels) < LOG_BELOW and max(levels) < 1


def _limits(lines: Sequence[Line], mark: float) -> tuple[float, float]:
    """All means and, as far as they reach half a span beyond, the bands; zero where it is near."""
    means = _finite([mark, *(v for line in lines for v in line.mean)]) or [0.0, 1.0]
    span = (max(means) - min(means)) or abs(max(means)) or 1.0
    ends = _finite([v for line in lines for v in (*line.lower, *line.upper)])
    low = max(min([*means, *ends]), min(means) - span / 2)
    high = min(max([*means, *ends]), max(means) + span / 2)
    low = 0.0 if 0 <= low < 0.35 * high else low
    return (low if low == 0 else low - 0.04 * span), high + 0.04 * span


def _finite(values: Sequence[float]) -> list[float]:
    return [float(v) for v in values if math.isfinite(v)]
