"""A panel with one named row per method, for boxes and dots."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ._style import INK, MUTED, PAPER, fitted, write
from .curves import dress

LINE, LABELS, WIDTH, TOP, BELOW = 0.22, 2.25, 7.2, 0.42, 0.5
"""Inches: height of a row, width of the names, of a figure, and the space above and below the panel."""


def row_figure(names: Sequence[str], quiet: set[str], title: str, note: str) -> tuple[Figure, Axes]:
    """A figure whose panel has row i at y = i + 1, from the top; its scale is left to the caller, who ends with `dressed`.

    Args:
        names: of the rows. quiet: those that are written in grey.
        title: above. note: what is drawn, below.
    """
    height = TOP + LINE * max(len(names), 1) + BELOW
    figure = Figure(figsize=(WIDTH, height), dpi=150, facecolor=PAPER)
    axes = figure.add_axes((LABELS / WIDTH, BELOW / height, (WIDTH - LABELS - 0.2) / WIDTH, 1 - (TOP + BELOW) / height))
    axes.set_ylim(len(names) + 0.5, 0.5)
    for row, name in enumerate(names):
        text, size = fitted(name, LABELS - 0.2, 7.5)
        y = 1 - (TOP + (row + 0.5) * LINE) / height
        colour = MUTED if name in quiet else INK
        write(figure, (LABELS - 0.1) / WIDTH, y, text, fontsize=size, ha="right", va="center", color=colour)
    text, size = fitted(title, WIDTH - 0.4, 9)
    write(figure, 0.15 / WIDTH, 1 - 0.22 / height, text, fontsize=size)
    text, size = fitted(note, WIDTH - 0.3, 6.5)
    write(figure, 0.15 / WIDTH, 0.04 / height, text, fontsize=size, color=MUTED, va="bottom")
    return figure, axes


def dressed(axes: Axes, low: float, high: float) -> None:
    """Limits with a little space, no ticks and no spine at the left, where the names stand."""
    log = axes.get_xscale() == "log"
    if log:
        axes.minorticks_off()
    space = 0.03 * ((high - low) or abs(high) or 1.0)
    axes.set_xlim(*((low / 1.15, high * 1.15) if log else (low - space, high + space)))
    dress(axes)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    left, right = sorted(axes.get_xlim())
    if not log and left < 0 < right:
        axes.axvline(0, color=MUTED, lw=0.8, zorder=0)
