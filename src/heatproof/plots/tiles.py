"""Grids of maps and photos, with names of rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ._style import MUTED, PAPER, Array, write
from ._text import widest, wrapped
from .visualise import View, colour, natural_view

WIDTH, HEIGHT, MARGIN, GAP = 7.2, 8.0, 0.1, 0.05
LEAST, MOST = 0.62, 1.5
"""Inches: a grid fits into width and height, as long as its tiles keep within LEAST and MOST."""
NAMES = 1.45
"""Inches: names of rows are wrapped beyond."""
SMALL = 64
"""Pixels: images up to this size are drawn as squares, larger ones smoothly."""
HEAD, NAME, CAPTION = 7.0, 7.5, 6.5
"""Points."""


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
    count = max([1, *(len(row) for row in images)])
    left = MARGIN + (widest(rows, NAME, 0.3, NAMES) + 0.08 if any(rows) else 0)
    room = min((WIDTH - left - MARGIN) / count - GAP, HEIGHT / max(len(images), 1) / _aspect(images) - GAP)
    side = min(MOST, max(LEAST, room))
    high = side * _aspect(images)
    width = max(left + count * (side + GAP) - GAP + MARGIN, 2.6)
    heads = [wrapped(name, side, HEAD, 4) for name in columns]
    under = [[wrapped(text, side, CAPTION, 2) for text in row] for row in captions]
    below = 0.11 * max((len(lines) for row in under for lines in row), default=0)
    over = wrapped(title, width - 2 * MARGIN, 9, 3) if title else []
    above = 0.12 * max(map(len, heads), default=0) + 0.04
    top = 0.08 + 0.17 * len(over) + (0.06 if over else 0) + above
    height = top + max(len(images), 1) * (high + GAP + below) + 0.04
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    axes = _canvas(figure)
    _lines(figure, MARGIN, 0.08, over, 0.17, fontsize=9)
    for c, lines in enumerate(heads[:count]):
        x = left + c * (side + GAP) + side / 2
        _lines(figure, x, top - 0.04 - 0.12 * len(lines), lines, 0.12, fontsize=HEAD, ha="center", color=MUTED)
    for r, row in enumerate(images):
        edge = top + r * (high + GAP + below)
        if r < len(rows):
            name = wrapped(rows[r], NAMES, NAME, max(1, int(high / 0.13)))
            _lines(figure, MARGIN, edge + high / 2 - 0.065 * len(name), name, 0.13, fontsize=NAME)
        for c, image in enumerate(row):
            x = left + c * (side + GAP)
            if image is not None:
                _tile(axes, x, edge, side, high, image)
            if r < len(under) and c < len(under[r]):
                style: dict[str, Any] = {"fontsize": CAPTION, "ha": "center", "color": MUTED}
                _lines(figure, x + side / 2, edge + high + 0.02, under[r][c], 0.11, **style)
    return figure


def picture_of(values: Any, view: View | None = None) -> Array:
    """A map ``(C, H, W)`` in colours: signed ones red and blue around white, magnitudes from black to yellow."""
    saliency = np.asarray(values)
    return colour(saliency, view or natural_view(saliency))


def photo_of(values: Any) -> Array:
    """An image ``(C, H, W)`` in [0, 1] as a picture."""
    plain = np.asarray(values)[:3]
    plain = plain if len(plain) == 3 else np.repeat(plain[:1], 3, axis=0)
    plain = np.nan_to_num(plain, nan=0.0)
    return np.asarray((np.clip(plain, 0, 1) * 255).round().transpose(1, 2, 0), np.uint8)


def _aspect(images: Sequence[Sequence[Array | None]]) -> float:
    """Height by width of the tallest picture, so that all of them fit; 1 where there is none."""
    return max((image.shape[0] / image.shape[1] for row in images for image in row if image is not None), default=1.0)


def _canvas(figure: Figure) -> Axes:
    """One panel for all tiles, measured in inches from the upper left corner: far faster than one for each."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.autoscale(False)
    return axes


def _tile(axes: Axes, left: float, top: float, wide: float, high: float, image: Array) -> None:
    """An image as large as fits into a place, in its middle, with a thin frame: a map of zeros may be white."""
    rows, columns = image.shape[:2]
    scale = min(wide / columns, high / rows)
    left, top = left + (wide - scale * columns) / 2, top + (high - scale * rows) / 2
    right, bottom = left + scale * columns, top + scale * rows
    way = "nearest" if max(rows, columns) <= SMALL else "antialiased"
    axes.imshow(image, extent=(left, right, bottom, top), aspect="auto", interpolation=way)
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=MUTED, lw=0.35, alpha=0.6))


def _lines(figure: Figure, x: float, top: float, lines: Sequence[str], step: float, **style: Any) -> None:
    """Lines of text from a place in inches, x from the left and top from above."""
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        write(figure, x / width, 1 - (top + number * step) / height, line, va="top", **style)
