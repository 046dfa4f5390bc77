"""The maps of every class of one photo, beside the competition between them (CGI paper, figure 1)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from matplotlib.figure import Figure

from ..experiment.results import ClassSheet
from ._style import CURVE, MUTED, PAPER, Array, fitted, tile, tile_size, write
from .visualise import colours

TILE = 0.85
GAP = 0.06
LABELS = 1.5
MARGIN = 0.15
HEAD = 0.72
"""Inches; a tile is the larger side of a map."""
COMPETITIONS = {"gradient_x_input": "cgi", "lrp": "clrp"}
"""Method -> the competition between its maps."""


def class_sheet(sheet: ClassSheet) -> Figure:
    """The picture, then per method one tile for each class on one scale, and last what competition leaves of them.

    The explained class is framed. Red raises the score of the tile's class, blue lowers it.
    """
    wide, high = tile_size(sheet.picture, TILE)
    heads = [*sheet.classes, *(["competition"] if has_competition(sheet) else [])]
    width = 2 * MARGIN + LABELS + (1 + len(heads)) * (wide + GAP)
    height = HEAD + MARGIN + max(len(sheet.maps), 1) * (high + GAP)
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    text, size = fitted(sheet.title, width - 2 * MARGIN, 10)
    write(figure, MARGIN / width, 1 - 0.13 / height, text, fontsize=size, fontweight="bold", va="top")
    start = MARGIN + LABELS
    tile(figure, (start, height - HEAD - high, wide, high), sheet.picture)
    for column, head in enumerate(heads, 1):
        explained = column - 1 == sheet.target
        text, size = fitted(head, wide, 6.5)
        x = (start + column * (wide + GAP)) / width
        style = {"color": CURVE, "fontweight": "bold"} if explained else {"color": MUTED}
        write(figure, x, 1 - (HEAD - 0.06) / height, text, fontsize=size, **style)
    for row, method in enumerate(sheet.maps):
        bottom = height - HEAD - row * (high + GAP) - high
        for column, image in enumerate(class_tiles(sheet, method), 1):
            box = (start + column * (wide + GAP), bottom, wide, high)
            tile(figure, box, image)
            if column - 1 == sheet.target:
                _frame(figure)
        text, size = fitted(method, LABELS - 0.1, 8)
        write(figure, MARGIN / width, (bottom + high / 2) / height, text, fontsize=size, va="center")
    return figure


def class_tiles(sheet: ClassSheet, method: str) -> Array:
    """The tiles of a method's row, all on one scale. ``-> uint8 (classes, H, W, 3)``, the competition's map appended."""
    maps = sheet.maps[method].sum(1, keepdims=True)
    rival = competition(method, sheet.maps)
    if rival:
        maps = np.concatenate([maps, sheet.maps[rival][sheet.target : sheet.target + 1].sum(1, keepdims=True)])
    return colours(maps, "diverging")


def competition(method: str, names: Iterable[str]) -> str:
    """Which of the names is the competition between a method's maps; "" where none is."""
    return next((n for n in (COMPETITIONS.get(method, ""), f"compete({method})") if n in set(names)), "")


def has_competition(sheet: ClassSheet) -> bool:
    """Whether any row of the sheet ends with a competition."""
    return any(competition(method, sheet.maps) for method in sheet.maps)


def _frame(figure: Figure) -> None:
    """Draw a border around the tile that was drawn last."""
    axes = figure.axes[-1]
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(color=CURVE, linewidth=1.6)
