"""Figures from plain numbers and arrays: tiles, curves, bars, points, boxes. What pages of claims are drawn with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._style import CURVE, FLOOR, INK, MUTED, PAPER, VERDICT_COLOURS, ZONE, Array, tile, write
from .curves import dress
from .visualise import View, colour, natural_view

SERIES = (
    CURVE, ZONE, VERDICT_COLOURS["sensitive"], VERDICT_COLOURS["input-dominated"], VERDICT_COLOURS["undecided"],
    "#0788a8", "#7440b8", "#7d4a2f",
)  # fmt: skip
SIDE, GAP, LABEL = 0.95, 0.06, 1.35
"""Inches: of a tile, between tiles, and of the names of rows."""
WIDTH = 7.2


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


def tiles(
    images: Sequence[Sequence[Array | None]],
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    title: str = "",
    captions: Sequence[Sequence[str]] = (),
) -> Figure:
    """A grid of pictures, uint8 ``(H, W, 3)`` each (None leaves a place free), with names of rows and columns.

    Args:
        images: by row and column; `picture_of` makes them from maps and photos.
        captions: a short text under each picture, by row and column.
    """
    count = max(len(row) for row in images)
    first = next(image for row in images for image in row if image is not None)
    high = SIDE * first.shape[0] / first.shape[1]
    below = 0.16 if captions else 0.0
    left, top = (LABEL if rows else 0.12), 0.42 if columns else 0.3
    width, height = left + count * (SIDE + GAP) + 0.1, top + len(images) * (high + GAP + below) + 0.1
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    write(figure, 0.1 / width, 1 - 0.17 / height, title, fontsize=9)
    for r, row in enumerate(images):
        bottom = height - top - (r + 1) * (high + GAP + below) + GAP + below
        if rows:
            write(figure, 0.1 / width, (bottom + high / 2) / height, rows[r], va="center", fontsize=7)
        for c, image in enumerate(row):
            x = left + c * (SIDE + GAP)
            if r == 0 and columns:
                write(figure, (x + SIDE / 2) / width, 1 - 0.37 / height, columns[c], ha="center", fontsize=6.5)
            if image is not None:
                tile(figure, (x, bottom, SIDE, high), image)
            if captions and captions[r][c]:
                where = (x + SIDE / 2) / width, (bottom - 0.12) / height
                write(figure, *where, captions[r][c], ha="center", fontsize=6, color=MUTED)
    return figure


def curves(
    series: Mapping[str, Series],
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    ticks: Sequence[str] = (),
    marks: Mapping[str, float] | None = None,
    log_x: bool = False,
) -> Figure:
    """Curves with their bands in one panel.

    Args:
        ticks: names of the places 0, 1, ... where x counts stages.
        marks: values drawn across, with their names.
    """
    figure, axes = _panel(title, x_label, y_label, 3.4)
    for place, (name, one) in enumerate(series.items()):
        tint = FLOOR if one.control else SERIES[place % len(SERIES)]
        if len(one.lower):
            axes.fill_between(one.x, one.lower, one.upper, color=tint, alpha=0.14, lw=0)
        style: dict[str, Any] = {"dashes": (3, 2)} if one.control else {"marker": "osD^vPX*"[place % 8], "ms": 3}
        axes.plot(one.x, one.y, color=tint, lw=1.4, label=name, **style)
    for name, value in (marks or {}).items():
        axes.axhline(value, color=INK, lw=0.8, dashes=(1, 2), label=name)
    if log_x:
        axes.set_xscale("log")
    if ticks:
        axes.set_xticks(range(len(ticks)), list(ticks))
    _named(axes)
    return figure


def bars(
    groups: Mapping[str, Mapping[str, Any]],
    title: str = "",
    x_label: str = "",
    marks: Mapping[str, float] | None = None,
) -> Figure:
    """Horizontal bars: for each row one bar of each series, with its interval.

    Args:
        groups: by series, then row: a number, or a triple (value, lower, upper).
    """
    rows = list(dict.fromkeys(row for held in groups.values() for row in held))
    figure, axes = _panel(title, x_label, "", 0.9 + 0.13 * len(rows) * (len(groups) + 0.6))
    thick = 0.8 / len(groups)
    for place, (name, held) in enumerate(groups.items()):
        for row, given in held.items():
            value, lower, upper = given if isinstance(given, tuple) else (given, np.nan, np.nan)
            y = rows.index(row) + (place - (len(groups) - 1) / 2) * thick
            axes.barh(y, value, thick * 0.9, color=SERIES[place], label=name if row == next(iter(held)) else None)
            if np.isfinite(lower):
                axes.plot([lower, upper], [y, y], color=INK, lw=1)
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    for name, value in (marks or {}).items():
        axes.axvline(value, color=INK, lw=0.8, dashes=(1, 2), label=name)
    _named(axes)
    return figure


def points(
    groups: Mapping[str, tuple[Array, Array]], title: str = "", x_label: str = "", y_label: str = "", line: bool = False
) -> Figure:
    """Scattered points by group. line: draw y = x."""
    figure, axes = _panel(title, x_label, y_label, 3.8)
    for place, (name, (x, y)) in enumerate(groups.items()):
        axes.scatter(x, y, s=7, color=SERIES[place % len(SERIES)], alpha=0.6, lw=0, label=name)
    if line:
        low, high = axes.get_xlim()
        axes.plot([low, high], [low, high], color=FLOOR, lw=0.9, dashes=(3, 2), label="y = x")
    _named(axes)
    return figure


def boxes(samples: Mapping[str, Array], title: str = "", x_label: str = "", log: bool = False) -> Figure:
    """Box plots, one row each: quartiles and median, whiskers of 1.5 interquartile ranges, no outliers."""
    figure, axes = _panel(title, x_label, "", 0.9 + 0.28 * len(samples))
    finite = [np.asarray(v, float)[np.isfinite(np.asarray(v, float))] for v in samples.values()]
    axes.boxplot(finite, orientation="horizontal", showfliers=False, patch_artist=True, widths=0.56, showcaps=False,
                 boxprops={"facecolor": CURVE, "alpha": 0.35, "lw": 0}, medianprops={"color": CURVE, "lw": 1.6},
                 whiskerprops={"color": CURVE, "lw": 0.9})  # fmt: skip
    axes.set_yticks(range(1, len(samples) + 1), list(samples))
    axes.invert_yaxis()
    if log:
        axes.set_xscale("log")
    return figure


def picture_of(values: Any, view: View | None = None) -> Array:
    """A map ``(C, H, W)`` in colours: signed ones red and blue around white, magnitudes from black to yellow."""
    saliency = np.asarray(values)
    return colour(saliency, view or natural_view(saliency))


def photo_of(values: Any) -> Array:
    """An image ``(C, H, W)`` in [0, 1] as a picture."""
    plain = np.asarray(values)[:3]
    plain = plain if len(plain) == 3 else np.repeat(plain[:1], 3, axis=0)
    return np.asarray((np.clip(plain, 0, 1) * 255).round().transpose(1, 2, 0), np.uint8)


def _panel(title: str, x_label: str, y_label: str, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, height), dpi=150, facecolor=PAPER, layout="constrained")
    axes = figure.add_subplot()
    dress(axes)
    axes.set_title(title, fontsize=9, color=INK, loc="left", parse_math=False)
    axes.set_xlabel(x_label, fontsize=7.5, color=MUTED, parse_math=False)
    axes.set_ylabel(y_label, fontsize=7.5, color=MUTED, parse_math=False)
    return figure, axes


def _named(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=6.5, frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
