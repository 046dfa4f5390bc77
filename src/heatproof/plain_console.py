"""A console that prints names as they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from .visible import visible


class PlainConsole(Console):
    """Takes no text for markup or an emoji code, and sends no control character of one to the terminal.

    Names of files, classes and methods come from others: ``[red]`` in one of them is part of the name, and an escape
    sequence could rewrite what the terminal shows.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich does; what moves the cursor of a progress bar is rich's own, and marked as such."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
