"""The film strip: how the maps of one photo change, stage after stage, method under method."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.results import Strip
from ._style import MUTED, PAPER, Array, fitted, tile, tile_size, write
from .visualise import View, colour

TILE = 1.0
GAP = 0.05
LABELS = 1.65
MARGIN = 0.15
"""Inches; a tile is the larger side of a map."""


def film_strip(strip: Strip, methods: Sequence[str] | None = None, view: View = "absolute") -> Figure:
    """Rows are methods, columns the original network and its randomised stages; every tile has its own scale.

    Args:
        strip: one photo of a run.
        methods: which rows, in order; None = all.
        view: magnitudes, or signed values (red raises the score, blue lowers it).

    Raises:
        InputError: a method that the strip does not have.
    """
    names = list(strip.maps) if methods is None else list(methods)
    if missing := [name for name in names if name not in strip.maps]:
        raise InputError(f"no film strip of {missing} for photo {strip.image}; it has {list(strip.maps)}")
    wide, high = tile_size(strip.picture, TILE)
    columns = len(strip.stages)
    width = 2 * MARGIN + LABELS + columns * (wide + GAP) - GAP
    heading = 0.68 if wide > 0.6 else 0.95
    height = heading + MARGIN + max(len(names), 1) * (high + GAP)
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    text, size = fitted(strip.title, width - 2 * MARGIN, 10)
    write(figure, MARGIN / width, 1 - 0.13 / height, text, fontsize=size, fontweight="bold", va="top")
    left = MARGIN + LABELS
    for column, stage in enumerate(strip.stages):
        text, size = fitted(stage, wide, 6.5)
        x = (left + column * (wide + GAP)) / width
        write(figure, x, 1 - (heading - 0.06) / height, text, fontsize=size, color=MUTED)
    for row, name in enumerate(names):
        bottom = height - heading - row * (high + GAP) - high
        _row(figure, strip.maps[name], (left, bottom, wide, high), view)
        text, size = fitted(name, LABELS - 0.1, 8)
        write(figure, MARGIN / width, (bottom + high / 2) / height, text, fontsize=size, va="center")
    return figure


def _row(figure: Figure, maps: Array, box: tuple[float, float, float, float], view: View) -> None:
    left, bottom, wide, high = box
    for column, saliency in enumerate(maps):
        tile(figure, (left + column * (wide + GAP), bottom, wide, high), colour(saliency, view))
