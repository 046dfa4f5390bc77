"""A console that prints names as they are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.segment import Segment

from .visible import visible

PIPE = 10_000
"""Columns of what is no terminal."""


class PlainConsole(Console):
    """Takes no text for markup or an emoji code, and sends no control character of one to the terminal.

    Names of files, classes and methods come from others: ``[red]`` in one of them is part of the name, and an escape
    sequence could rewrite what the terminal shows.
    """

    bars: bool = True
    """Whether progress may be shown, where there is a terminal to show it on."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    @property
    def live(self) -> bool:
        """Whether bars may move: on a terminal, and not in a pipe that only colours were forced upon."""
        return self.bars and self.is_terminal and not self.is_dumb_terminal and self._is_screen

    @property
    def _is_screen(self) -> bool:
        return bool(self._force_terminal) or self.file.isatty()

    @property
    def size(self) -> ConsoleDimensions:
        """As rich says; in a pipe no line is broken, so that names and paths can be found in it."""
        found = super().size
        given = self._width is not None or os.environ.get("COLUMNS", "").isdigit()
        return found if given or self._is_screen else found._replace(width=PIPE)

    @size.setter
    def size(self, new: tuple[int, int]) -> None:
        Console.size.fset(self, new)  # type: ignore[attr-defined]

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does; what moves the cursor of a progress bar is rich's own, and marked as such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
