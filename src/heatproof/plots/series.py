"""Curves with their bands in one panel, each named at its right end."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._palette import marker_of, tints
from ._panel import (
    NAME,
    SMALL,
    WIDTH,
    End,
    Room,
    figure_of,
    last_point,
    left_of,
    limits,
    log_axis,
    name_ends,
    panel,
    plain_numbers,
)
from ._style import FLOOR, INK, MUTED, fitted, write
from ._text import widest

DASHES = ((3, 2), (1, 1.2), (6, 2), (6, 1.5, 1, 1.5))
"""Of controls, which are all grey."""
MANY = 24
"""Curves with more points have no markers."""


@dataclass(frozen=True)
class Series:
    """One curve: values over places, and its 95 % band where there is one; a control is grey and dashed."""

    x: Sequence[float]
    y: Sequence[float]
    lower: Sequence[float] = ()
    upper: Sequence[float] = ()
    control: bool = False

    @classmethod
    def of(cls, x: Sequence[float], numbers: Sequence[tuple[float, float, float]], control: bool = False) -> Series:
        """From triples (value, lower, upper)."""
        value, lower, upper = ([float(n[i]) for n in numbers] for i in range(3))
        return cls(x, value, lower, upper, control)


def curves(
    series: Mapping[str, Series],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    ticks: Sequence[str] = (),
    marks: Mapping[str, float] | None = None,
    log_x: bool = False,
) -> Figure:
    """Curves with their bands in one panel, each named at its right end.

    Args:
        ticks: names of the places 0, 1, ... where x counts stages.
        marks: values drawn across, with their names.
    """
    marks = marks or {}
    names = [*series, *marks]
    right = widest(names, NAME, 0.6, 2.3)
    high = max(2.5, 0.16 * len(names))
    left = left_of(y_label, high)
    slanted, below = _tick_room(ticks, WIDTH - left - right - 0.3)
    axes = panel(title, high, Room(left, right + 0.3, 0.05, below), x_label, y_label)
    values = [v for one in series.values() for v in one.y]
    bands = [v for one in series.values() for v in (*one.lower, *one.upper)]
    axes.set_ylim(*limits([*values, *marks.values()], bands))
    _places(axes, [float(v) for one in series.values() for v in one.x], log_x)
    plain_numbers(axes)
    if log_x and axes.get_xscale() == "log":
        log_axis(axes, *axes.get_xlim())
    if ticks:
        _stages(axes, ticks, slanted)
    colours = tints(series, [name for name, one in series.items() if one.control])
    dashes = [name for name in series if colours[name] == FLOOR]
    for name, one in series.items():
        _curve(axes, one, colours[name], DASHES[dashes.index(name) % 4] if name in dashes else None)
    for value in marks.values():
        axes.axhline(value, color=INK, lw=0.8, dashes=(1, 2))
    ends = [End(name, *last_point(axes, one.x, one.y), colours[name]) for name, one in series.items()]
    name_ends(axes, [*ends, *(End(name, 1.0, value, INK) for name, value in marks.items())], right)
    _unmeasured(axes, [end.name for end in ends if not math.isfinite(end.y)])
    return figure_of(axes)


def _curve(axes: Axes, one: Series, colour: str, dashes: tuple[float, ...] | None) -> None:
    if len(one.lower) and len(one.upper):
        low, high = axes.get_ylim()
        band = (np.clip(np.asarray(end, float), low, high) for end in (one.lower, one.upper))
        axes.fill_between(one.x, *band, color=colour, alpha=0.14, lw=0)
    style: dict[str, Any] = {"dashes": dashes} if dashes else {}
    if not dashes and len(one.x) <= MANY:
        style = {"marker": marker_of(colour), "ms": 3.4, "mew": 0}
    axes.plot(one.x, one.y, color=colour, lw=1.4, clip_on=False, zorder=2 if dashes else 3, **style)


def _unmeasured(axes: Axes, names: Sequence[str]) -> None:
    """Says which curves have no value at all."""
    if names:
        text, size = fitted("no value: " + ", ".join(names), 4.0, SMALL)
        on = {"transform": axes.transAxes}
        write(axes, 0.01, 0.01, text, fontsize=size, color=MUTED, va="bottom", **on)


def _places(axes: Axes, x: Sequence[float], log: bool) -> None:
    """Limits of the x axis; a logarithmic one leaves out what is not positive."""
    finite = [v for v in x if math.isfinite(v) and (v > 0 or not log)] or ([1.0, 10.0] if log else [0.0, 1.0])
    low, high = min(finite), max(finite)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(low / (1 if low < high else 2), high * (1 if low < high else 2))
    else:
        axes.set_xlim(low, high) if low < high else axes.set_xlim(low - 0.5, high + 0.5)


def _tick_room(ticks: Sequence[str], wide: float) -> tuple[bool, float]:
    """Whether names of stages are slanted, and the height that they need."""
    if not ticks:
        return False, 0.22
    longest = widest(ticks, SMALL, 0.0, 1.7)
    if longest <= wide / max(len(ticks) - 1, 1) - 0.05:
        return False, 0.22
    return True, 0.1 + 0.71 * longest + 0.1


def _stages(axes: Axes, ticks: Sequence[str], slanted: bool) -> None:
    every = math.ceil(len(ticks) / 30)
    names = [fitted(name, 1.7, SMALL)[0] for name in ticks]
    style: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    shown = [place for place in range(0, len(ticks), every) if axes.get_xlim()[0] <= place <= axes.get_xlim()[1]]
    axes.set_xticks(shown, [names[place] for place in shown], parse_math=False, fontsize=SMALL, **style)
