"""The sheet of one photo: what the model saw, and one map per method."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ..errors import InputError
from ._style import MUTED, PAPER, RULE, Array, fitted, plain, tile, tile_size, write
from .visualise import colour, natural_view, palette

TILE = 1.7
GAP = 0.1
LABEL = 0.22
MARGIN = 0.2
LINE = 0.15
"""All in inches. A tile is the larger side of a map."""


def sheet(picture: Array, maps: Mapping[str, Array], title: str, refused: Mapping[str, str] | None = None) -> Figure:
    """One photo with one map per method, names above, the colour key and what was refused below.

    Args:
        picture: the photo as the model saw it, uint8 ``(H, W, 3)``.
        maps: for each method its raw map ``(C, H, W)`` or ``(1, H, W)``. Maps with a negative value are drawn signed
            (red raises the score, blue lowers it), all others as magnitudes.
        title: printed over all, such as "tench.jpg: tench (97 %)".
        refused: for each method that does not apply, why.

    Returns:
        A figure to save as PNG, PDF or SVG.

    Raises:
        InputError: the picture or a map has another shape, or there is no map and nothing refused.
    """
    refused = refused or {}
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"picture is {picture.dtype} {picture.shape}; expected uint8 (H, W, 3)")
    if not maps and not refused:
        raise InputError("sheet(picture, maps) got no map and no refused method; there is nothing to draw")
    count = len(maps) + 1
    wide, high = tile_size(picture, TILE)
    columns = _columns(count, wide / high)
    rows = math.ceil(count / columns)
    width = 2 * MARGIN + columns * (wide + GAP) - GAP
    heading = textwrap.wrap(plain(title), max(20, int(width * 10.5))) or [""]
    notes = _notes(refused, int(width * 15))
    notes += [f"{plain(name)} is zero everywhere: it found nothing to show" for name, m in maps.items() if not m.any()]
    top = MARGIN + 0.26 * len(heading)
    height = top + rows * (high + LABEL + GAP) + 0.3 + LINE * len(notes) + MARGIN / 2
    figure = Figure(figsize=(width, height), dpi=150, facecolor=PAPER)
    _write_lines(figure, heading, 0.15, 0.26, fontsize=11, fontweight="bold")
    images = {"picture": picture} | {name: colour(m, natural_view(m)) for name, m in maps.items()}
    for place, (name, image) in enumerate(images.items()):
        left = MARGIN + place % columns * (wide + GAP)
        bottom = height - top - (place // columns + 1) * (high + LABEL + GAP) + GAP
        tile(figure, (left, bottom, wide, high), image)
        text, size = fitted(name, wide, 8)
        style = {"color": MUTED, "fontstyle": "italic"} if place == 0 else {}
        write(figure, left / width, (bottom + high + 0.05) / height, text, fontsize=size, **style)
    below = top + rows * (high + LABEL + GAP) + 0.12
    _key(figure, height - below, {natural_view(m) for m in maps.values()})
    _write_lines(figure, notes, below + 0.12, LINE, fontsize=7, color=MUTED)
    return figure


def _columns(count: int, aspect: float) -> int:
    """The number of columns that wastes little and keeps the sheet near a landscape page."""

    def cost(columns: int) -> float:
        rows = math.ceil(count / columns)
        empty = columns * rows - count
        return 2 * empty / count + abs(math.log(columns * aspect / rows / 1.5))

    return min(range(min(3, count), min(8, count) + 1), key=cost)


def _notes(refused: Mapping[str, str], letters: int) -> list[str]:
    lines: list[str] = []
    for name, reason in refused.items():
        lines += textwrap.wrap(
            f"{plain(name)} was not computed: {plain(reason)}", letters, subsequent_indent="    ", max_lines=3
        )
    return lines


def _write_lines(figure: Figure, lines: list[str], top: float, step: float, **style: object) -> None:
    width, height = figure.get_size_inches()
    for number, line in enumerate(lines):
        y = 1 - (top + number * step) / height
        write(figure, MARGIN / width, y, line, va="top", **style)


def _key(figure: Figure, bottom: float, views: set[str]) -> None:
    """Small colour bars that say what the colours mean, for the views that occur."""
    width, height = figure.get_size_inches()
    left = MARGIN
    for view, low, high in (("diverging", "lowers the score", "raises it"), ("absolute", "nothing", "strongest")):
        if view not in views:
            continue
        style = {"fontsize": 6.5, "color": MUTED, "va": "center"}
        middle = (bottom + 0.04) / height
        write(figure, left / width, middle, low, **style)
        left += 0.047 * len(low) + 0.05
        axes = figure.add_axes((left / width, bottom / height, 0.7 / width, 0.08 / height))
        axes.imshow(palette(view)[None], aspect="auto")  # type: ignore[arg-type]
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set(color=RULE, linewidth=0.5)
        write(figure, (left + 0.75) / width, middle, high, **style)
        left += 0.75 + 0.047 * len(high) + 0.35
