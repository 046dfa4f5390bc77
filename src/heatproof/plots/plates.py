"""Figures from plain numbers and arrays: tiles, curves, bars, points, boxes. What pages of claims are drawn with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.figure import Figure

from ._palette import own_colour, tints
from ._panel import (
    LINE,
    NAME,
    SMALL,
    Room,
    beside,
    draw_key,
    figure_of,
    key_rows,
    left_of,
    limits,
    log_axis,
    marks_above,
    panel,
    plain_numbers,
    row_names,
)
from ._style import FLOOR, INK, MUTED, Array, write
from ._text import decimals_for, short, widest
from .series import Series as Series
from .series import curves as curves
from .tiles import photo_of as photo_of
from .tiles import picture_of as picture_of
from .tiles import tiles as tiles

CLOUD = 1500
"""More points than this are kept as pixels."""


def bars(
    groups: Mapping[str, Mapping[str, Any]],
    title: str = "",
    x_label: str = "",
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Horizontal bars with their values: for each row one bar of each series, with its interval.

    Args:
        groups: by series, then row: a number, or a triple (value, lower, upper).
        marks: values drawn through all rows, with their names.
    """
    marks = {name: value for name, value in (marks or {}).items() if math.isfinite(value)}
    rows = list(dict.fromkeys(row for held in groups.values() for row in held))
    numbers = {name: {row: _triple(given) for row, given in held.items()} for name, held in groups.items()}
    every = [v for held in numbers.values() for triple in held.values() for v in triple]
    values = [triple[0] for held in numbers.values() for triple in held.values()]
    key = key_rows(list(groups)) if len(groups) > 1 else []
    names = widest(rows, NAME, 0.4, 2.1)
    above = LINE * (len(key) + len(marks)) + (0.1 if key or marks else 0)
    thick = 0.2 if len(groups) == 1 else 0.15
    axes = panel(
        title, thick * (max(len(groups), 1) + 0.5) * max(len(rows), 1), Room(names + 0.2, 0.75, above), x_label
    )
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.set_xlim(*limits([*values, *marks.values()], every, zero=True))
    plain_numbers(axes)
    row_names(axes, rows, names)
    alone = len(groups) == 1
    colours = tints(rows if alone and _known(rows) else groups)
    step, decimals = 1 / (len(groups) + 0.5), decimals_for(values)
    for place, (name, held) in enumerate(numbers.items()):
        for row, triple in held.items():
            y = rows.index(row) + (place - (len(groups) - 1) / 2) * step
            _bar(axes, y, 0.86 * step, triple, colours.get(row if alone else name) or colours[name], decimals)
    axes.axvline(0, color=MUTED, lw=0.8)
    marks_above(axes, marks)
    draw_key(axes, [*key, *([[]] * len(marks))], colours, "s")
    return figure_of(axes)


def points(
    groups: Mapping[str, tuple[Array, Array]], title: str = "", x_label: str = "", y_label: str = "", line: bool = False
) -> Figure:
    """Scattered points by group. line: draw y = x."""
    held = {name: (np.asarray(x, float).ravel(), np.asarray(y, float).ravel()) for name, (x, y) in groups.items()}
    key = key_rows(list(held)) if any(held) else []
    axes = panel(title, 3.2, Room(left_of(y_label, 3.2), 0.3, LINE * len(key) + (0.1 if key else 0)), x_label, y_label)
    colours = tints(held)
    axes.set_xlim(*limits([float(v) for x, _ in held.values() for v in x]))
    axes.set_ylim(*limits([float(v) for _, y in held.values() for v in y]))
    plain_numbers(axes)
    for name, (x, y) in held.items():
        size, alpha = (9, 0.65) if len(x) < 400 else (4, 0.4)
        axes.scatter(x, y, s=size, color=colours[name], alpha=alpha, lw=0, clip_on=False, rasterized=len(x) > CLOUD)
    if line:
        axes.axline((0, 0), slope=1, color=FLOOR, lw=0.9, dashes=(3, 2), zorder=0)
        ends = [max(axes.get_xlim()[0], axes.get_ylim()[0]), min(axes.get_xlim()[1], axes.get_ylim()[1])]
        if ends[0] < ends[1]:
            beside(axes, ends[1], ends[1], "y = x", -16, color=MUTED, va="top")
    draw_key(axes, key, colours, "o")
    return figure_of(axes)


def boxes(samples: Mapping[str, Array], title: str = "", x_label: str = "", log: bool = False) -> Figure:
    """Box plots, one row each: quartiles and median, whiskers of 1.5 interquartile ranges, no outliers."""
    held = {name: np.asarray(v, float).ravel() for name, v in samples.items()}
    held = {name: v[np.isfinite(v) & ((v > 0) | (not log))] for name, v in held.items()}
    names = widest(held, NAME, 0.4, 2.1)
    label = "  ·  ".join(part for part in (x_label, "box: quartiles and median, whiskers: 1.5 of their range") if part)
    axes = panel(title, 0.27 * max(len(held), 1), Room(names + 0.2, 0.3), label)
    axes.set_ylim(max(len(held), 1) - 0.5, -0.5)
    drawn = {name: boxplot_stats(v)[0] for name, v in held.items() if v.size}
    ends = [float(box[end]) for box in drawn.values() for end in ("whislo", "whishi")]
    plain_numbers(axes)
    row_names(axes, list(held), names)
    if log and ends:
        log_axis(axes, min(ends) / 1.15, max(ends) * 1.15)
    else:
        axes.set_xlim(*limits(ends))
    colours = tints(held) if _known(held) else dict.fromkeys(held, tints(["measured"])["measured"])
    for place, name in enumerate(held):
        if name not in drawn:
            _no_value(axes, place)
            continue
        thin = {"color": colours[name], "lw": 0.9}
        axes.bxp([drawn[name]], positions=[place], widths=0.58, orientation="horizontal", showfliers=False,
                 manage_ticks=False, patch_artist=True, showcaps=False, whiskerprops=thin,
                 boxprops={"facecolor": colours[name], "alpha": 0.35, "lw": 0},
                 medianprops={"color": colours[name], "lw": 1.8, "solid_capstyle": "butt"})  # fmt: skip
    return figure_of(axes)


def _bar(axes: Axes, y: float, thick: float, number: tuple[float, float, float], colour: str, decimals: int) -> None:
    value, lower, upper = number
    if not math.isfinite(value):
        _no_value(axes, y)
        return
    axes.barh(y, value, thick, color=colour, alpha=0.6, lw=0)
    if math.isfinite(lower) and math.isfinite(upper):
        low, high = axes.get_xlim()
        axes.plot([max(lower, low), min(upper, high)], [y, y], color=INK, lw=1.1, solid_capstyle="butt", zorder=4)
    end = min(max([v for v in (0.0, value, upper) if math.isfinite(v)]), axes.get_xlim()[1])
    beside(axes, end, y, short(value, decimals), 4)


def _no_value(axes: Axes, y: float) -> None:
    on = {"transform": axes.get_yaxis_transform()}
    write(axes, 0.01, y, "no value", fontsize=SMALL, color=MUTED, va="center", **on)


def _triple(given: Any) -> tuple[float, float, float]:
    return tuple(map(float, given)) if isinstance(given, tuple | list) else (float(given), math.nan, math.nan)  # type: ignore[return-value]


def _known(names: Sequence[str] | Mapping[str, Any]) -> bool:
    """Whether rows are methods, or other names that have a colour of their own."""
    return any(own_colour(name) for name in names)
