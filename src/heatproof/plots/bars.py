"""Bars with an interval and a mark to compare with: one row per label, one panel per number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._style import CURVE, FLOOR, INK, MUTED, PAPER, fitted, write
from .curves import dress

LINE = 0.21
LABELS = 1.95
WIDTH = 7.2
GAP = 0.3
TOP = 0.42
BELOW = 0.42
"""Inches: height of a row, width of the labels, of a figure and between panels, and the space above and below."""


@dataclass(frozen=True)
class Bar:
    """A number with its 95 % interval, NaN where there is none.

    Attributes:
        mark: the number it is compared with, drawn as a tick across the bar, such as its null floor.
        mark_lower, mark_upper: the interval of the mark.
        quiet: drawn in grey: a control, or a row to compare with.
        colour: of the bar and its word; "" for the usual one.
        word: printed right of the bar.
    """

    value: float
    lower: float = float("nan")
    upper: float = float("nan")
    mark: float = float("nan")
    mark_lower: float = float("nan")
    mark_upper: float = float("nan")
    quiet: bool = False
    colour: str = ""
    word: str = ""


def bar_figure(labels: Sequence[str], panels: Mapping[str, Sequence[Bar]], note: str, group: int = 1) -> Figure:
    """Panels side by side that share their labels and their scale.

    Args:
        labels: one per row, from the top; "" draws none.
        panels: title -> the bars of its rows.
        note: what bars and ticks are, printed below.
        group: rows that belong together; a space follows each group.
    """
    width, panel = WIDTH, (WIDTH - LABELS) / max(len(panels), 1) - GAP
    places = [row * LINE + (row // group) * LINE * (0.6 if group > 1 else 0) for row in range(len(labels))]
    high = (places[-1] if places else 0) + LINE
    height = TOP + high + BELOW
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    limits = _limits([bar for bars in panels.values() for bar in bars])
    for column, (title, bars) in enumerate(panels.items()):
        left = LABELS + column * (panel + GAP)
        axes = figure.add_axes((left / width, BELOW / height, panel / width, high / height))
        _draw(axes, places, bars)
        axes.set(xlim=limits, ylim=(high, 0), yticks=[])
        text, size = fitted(title, panel + 0.2, 8)
        axes.set_title(text, fontsize=size, loc="left", color=INK, parse_math=False)
    for label, place in zip(labels, places, strict=True):
        text, size = fitted(label, LABELS - 0.2, 7.5)
        y = 1 - (TOP + place + LINE / 2) / height
        write(figure, (LABELS - 0.1) / width, y, text, fontsize=size, ha="right", va="center")
    write(figure, LABELS / width, 0.04 / height, note, fontsize=6.5, color=MUTED, va="bottom")
    return figure


def _draw(axes: Axes, places: Sequence[float], bars: Sequence[Bar]) -> None:
    for place, bar in zip(places, bars, strict=True):
        middle = place + LINE / 2
        if not np.isfinite(bar.value):
            axes.text(0, middle, " undefined", fontsize=6.5, color=MUTED, va="center")
            continue
        colour = bar.colour or (FLOOR if bar.quiet else CURVE)
        axes.barh(middle, bar.value, height=0.55 * LINE, color=colour, alpha=0.55, lw=0)
        if np.isfinite([bar.lower, bar.upper]).all():
            axes.plot([bar.lower, bar.upper], [middle] * 2, color=colour, lw=1.5, solid_capstyle="butt")
        if np.isfinite(bar.mark):
            _mark(axes, bar, middle)
        if bar.word:
            end = np.nanmax([0.0, bar.value, bar.upper])
            axes.text(end, middle, f"  {bar.word}", fontsize=6.5, color=colour, va="center")
    dress(axes)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=MUTED, lw=0.8)


def _mark(axes: Axes, bar: Bar, middle: float) -> None:
    ends = (middle - 0.42 * LINE, middle + 0.42 * LINE)
    if np.isfinite([bar.mark_lower, bar.mark_upper]).all():
        axes.fill_betweenx(ends, bar.mark_lower, bar.mark_upper, color=FLOOR, alpha=0.35, lw=0)
    axes.plot([bar.mark] * 2, ends, color=INK, lw=1.2, solid_capstyle="butt")


def _limits(bars: Sequence[Bar]) -> tuple[float, float]:
    """From zero, or the lowest end, to the highest end of what is drawn."""
    seen = [v for b in bars for v in (b.value, b.lower, b.upper, b.mark, b.mark_lower, b.mark_upper) if np.isfinite(v)]
    low, high = min([0.0, *seen]), max([0.0, *seen])
    space = 0.04 * ((high - low) or 1)
    return (low - space if low < 0 else 0.0), high + space
