"""One panel in inches: its title, axes with plain numbers, and names beside, above or at the ends of lines."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from ._ends import across
from ._style import FLOOR, INK, MUTED, PAPER, RULE, fitted, write
from ._text import inches, widest, wrapped
from .combined import spread
from .curves import dress

WIDTH, MARGIN, LINE = 7.2, 0.12, 0.15
NAME, TITLE, SMALL = 7.5, 9.0, 7.0
"""Inches, and points."""


class Room(NamedTuple):
    """Inches around a panel: left and right of it, above (without the title) and below (without the label)."""

    left: float
    right: float
    above: float = 0.05
    below: float = 0.22


class End(NamedTuple):
    """Where a line ends: its name, place on the axis (0 to 1), value and colour."""

    name: str
    x: float
    y: float
    colour: str


def panel(title: str, high: float, room: Room, x_label: str = "", y_label: str = "") -> Axes:
    """A panel ``high`` inches high in a figure of the usual width."""
    lines = wrapped(title, WIDTH - 2 * MARGIN, TITLE, 3) if title else []
    top = 0.1 + 0.17 * len(lines) + (0.06 if lines else 0) + room.above
    bottom = room.below + (0.22 if x_label else 0.04)
    height = top + high + bottom
    figure = Figure(figsize=(WIDTH, height), dpi=150, facecolor=PAPER)
    wide = WIDTH - room.left - room.right
    axes = figure.add_axes((room.left / WIDTH, bottom / height, wide / WIDTH, high / height))
    dress(axes)
    for number, line in enumerate(lines):
        write(figure, MARGIN / WIDTH, 1 - (0.08 + 0.17 * number) / height, line, fontsize=TITLE, va="top")
    middle = (room.left + wide / 2) / WIDTH, (bottom + high / 2) / height
    if x_label:
        text, size = fitted(x_label, WIDTH - 2 * MARGIN, NAME)
        at = min(max(middle[0], inches(text, size) / 2 / WIDTH), 1 - inches(text, size) / 2 / WIDTH)
        write(figure, at, 0.05 / height, text, fontsize=size, color=MUTED, ha="center", va="bottom")
    if y_label:
        style: dict[str, Any] = {"rotation": 90, "ha": "left", "va": "center", "color": MUTED}
        write(figure, 0.06 / WIDTH, middle[1], "\n".join(_sideways(y_label, high)), fontsize=NAME, **style)
    return axes


def left_of(y_label: str, high: float) -> float:
    """The room that numbers and the name of a y axis need."""
    return 0.5 + 0.13 * len(_sideways(y_label, high))


def _sideways(y_label: str, high: float) -> list[str]:
    return wrapped(y_label, high + 0.15, NAME, 2)


def limits(values: Sequence[float], bands: Sequence[float] = (), zero: bool = False) -> tuple[float, float]:
    """Ends of an axis: all values, and bands as far as they reach half a span beyond; with zero where it is near."""
    finite = [float(v) for v in values if math.isfinite(v)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    span = (high - low) or abs(high) or 1.0
    ends = [float(v) for v in bands if math.isfinite(v)]
    low, high = max(min([low, *ends]), low - span / 2), min(max([high, *ends]), high + span / 2)
    near = 0 <= low < 0.4 * high or zero
    low, high = (min(low, 0.0), max(high, 0.0)) if near else (low, high)
    space = 0.04 * ((high - low) or 1.0)
    return (low if low == 0 else low - space), (high if high == 0 else high + space)


def name_ends(axes: Axes, ends: Sequence[End], width: float) -> None:
    """Names right of the panel, in the order of the ends, moved apart where they would collide."""
    order = sorted((end for end in ends if math.isfinite(end.y)), key=lambda end: end.y)
    low, high = axes.get_ylim()
    box = axes.get_window_extent()
    tall, wide = box.height / axes.figure.dpi, box.width / axes.figure.dpi
    places = spread([min(max(end.y, low), high) for end in order], 0.14 * (high - low) / tall, low, high)
    on: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "clip_on": False}
    for end, place in zip(order, places, strict=True):
        steps = [min(end.x, 1.0), 1 + 0.08 / wide, 1 + 0.14 / wide]
        axes.plot(steps, [end.y, place, place], color=RULE, lw=0.7, zorder=0, **on)
        text, size = fitted(end.name, width, NAME)
        colour = MUTED if end.colour == FLOOR else end.colour
        write(axes, 1 + 0.17 / wide, place, text, color=colour, fontsize=size, va="center", **on)


def last_point(axes: Axes, x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """The end of a line: its place on the axis, and its value; NaN where it has none."""
    points = [(a, b) for a, b in zip(x, y, strict=True) if math.isfinite(a) and math.isfinite(b)]
    return (across(axes, points[-1][0]), points[-1][1]) if points else (1.0, math.nan)


def key_rows(names: Sequence[str], width: float = WIDTH - 2 * MARGIN) -> list[list[tuple[str, float]]]:
    """Names of a key in rows, each with its place in inches from the left."""
    rows: list[list[tuple[str, float]]] = [[]]
    at = 0.0
    for name in names:
        wide = 0.32 + widest([name], NAME, 0.2, width)
        if rows[-1] and at + wide > width:
            rows.append([])
            at = 0.0
        rows[-1].append((name, at))
        at += wide
    return [row for row in rows if row]


def draw_key(axes: Axes, rows: Sequence[Sequence[tuple[str, float]]], colours: Mapping[str, str], marker: str) -> None:
    """Swatches with names above a panel; ``marker`` is that of matplotlib."""
    figure = figure_of(axes)
    box = axes.get_position()
    height = figure.get_size_inches()[1]
    for number, row in enumerate(rows):
        y = box.y1 + (0.1 + LINE * (len(rows) - 1 - number)) / height
        for name, at in row:
            x = (MARGIN + 0.05 + at) / WIDTH
            axes.plot([x], [y], marker=marker, ms=5, mew=0, ls="", color=colours[name], clip_on=False,
                      transform=figure.transFigure)  # fmt: skip
            text, size = fitted(name, WIDTH - 2 * MARGIN - 0.2, NAME)
            write(figure, x + 0.09 / WIDTH, y, text, fontsize=size, va="center")


def row_names(axes: Axes, names: Sequence[str], width: float, quiet: Sequence[str] = ()) -> None:
    """Names of rows left of the panel, row i at y = i from above; wrapped where they are long."""
    axes.lines[0].remove()  # the line at zero of `dress`: rows have no zero
    wide = axes.get_window_extent().width / axes.figure.dpi
    for place, name in enumerate(names):
        lines = wrapped(name, width, NAME, 2)
        size = NAME if len(lines) == 1 else SMALL - 0.5
        style: dict[str, Any] = {"ha": "right", "va": "center", "linespacing": 1.05, "fontsize": size}
        style |= {"transform": axes.get_yaxis_transform(), "color": MUTED if name in quiet else INK}
        write(axes, -0.08 / wide, place, "\n".join(lines), **style)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def marks_above(axes: Axes, marks: Mapping[str, float]) -> None:
    """Dotted lines across the rows, their names above the panel, one line each."""
    low, high = axes.get_xlim()
    tall = axes.get_window_extent().height / axes.figure.dpi
    drawn = [(name, value) for name, value in marks.items() if math.isfinite(value) and low <= value <= high]
    for number, (name, value) in enumerate(drawn):
        y = 1 + (0.05 + LINE * (len(drawn) - 1 - number)) / tall
        on: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot([value, value], [0, y + 0.1 / tall], color=INK, lw=0.8, dashes=(1, 2), zorder=4, **on)
        right = across(axes, value) > 0.5
        beside(axes, value, y, name, -4 if right else 4, va="bottom", xycoords=axes.get_xaxis_transform())


def beside(axes: Axes, x: float, y: float, text: str, points: float, **style: Any) -> None:
    """A small text so many points right of a place, left of it where they are negative."""
    style = {"ha": "left" if points > 0 else "right", "va": "center", "fontsize": SMALL, "color": INK, **style}
    axes.annotate(
        text, (x, y), (points, 0), textcoords="offset points", parse_math=False, annotation_clip=False, **style
    )


def log_axis(axes: Axes, low: float, high: float) -> None:
    """A logarithmic x axis with plain numbers: decades, or 1, 2 and 5 of each where there are few."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    few = math.log10(high / low) < 2.2
    places = [m * 10.0**d for d in decades for m in ((1, 2, 5) if few else (1,)) if low <= m * 10.0**d <= high]
    step = math.ceil(len(places) / 9)
    axes.set_xticks(places[::step], [f"{place:g}" for place in places[::step]])
    axes.xaxis.set_minor_locator(NullLocator())


def plain_numbers(axes: Axes) -> None:
    """Numbers without an offset or a common exponent written elsewhere."""
    written = FuncFormatter(lambda value, _: f"{round(value, 12):g}".replace("-", "−"))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(written)


def figure_of(axes: Axes) -> Figure:
    """The figure that a panel stands in."""
    figure = axes.get_figure()
    return figure if isinstance(figure, Figure) else Figure()
