"""Lines, and their names at the right ends."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes

from ._style import INK, MUTED, RULE, fitted, write
from .combined import spread

NAMES = 2.05
"""Inches: the width that names have."""


@dataclass(frozen=True)
class Line:
    """One curve with its 95 % band; NaN where there is no value. A control is grey and dashed."""

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]
    control: bool = False


def name_ends(axes: Axes, lines: Sequence[Line], colours: Mapping[str, str], mark: tuple[str, float]) -> None:
    """Names right of the panel, in the order of the lines' ends, moved apart where they would collide."""
    ends = {line.name: _end(axes, line) for line in lines} | {mark[0]: (1.0, mark[1])}
    order = sorted((n for n, (_, y) in ends.items() if math.isfinite(y)), key=lambda name: ends[name][1])
    low, high = axes.get_ylim()
    inches = axes.get_window_extent().height / axes.figure.dpi
    places = spread([ends[name][1] for name in order], 0.14 * (high - low) / inches, low, high)
    quiet = {line.name: MUTED for line in lines} | {mark[0]: INK}
    on: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for name, place in zip(order, places, strict=True):
        x, y = ends[name]
        axes.plot([x, 1.03, 1.05], [y, place, place], color=RULE, lw=0.7, zorder=0, **on)
        text, size = fitted(name, NAMES, 7.5)
        write(axes, 1.06, place, text, color=colours.get(name, quiet[name]), fontsize=size, va="center", **on)


def _end(axes: Axes, line: Line) -> tuple[float, float]:
    """The last point of a line that has a value: its place on the axis, and the value."""
    points = [(x, y) for x, y in zip(line.x, line.mean, strict=True) if math.isfinite(y)]
    return (across(axes, points[-1][0]), points[-1][1]) if points else (1.0, math.nan)


def across(axes: Axes, x: float) -> float:
    """Where a value stands on the axis, 0 = left end, 1 = right end."""
    low, high = axes.get_xlim()
    if axes.get_xscale() == "log":
        low, high, x = math.log(low), math.log(high), math.log(x)
    return (x - low) / (high - low)
