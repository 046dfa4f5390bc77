"""The tiles of the film strips that belong to one method, with their similarities: the pictures stand in the strips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..experiment.results import Results
from .film import Film
from .words import number


@dataclass(frozen=True)
class Frames:
    """One photo of one method.

    Attributes:
        row: id of the row of the strips that holds its maps.
        title: of the photo.
        words: for each stage what to say of the tile, "original" first.
    """

    row: str
    title: str
    words: list[str]


def frames(results: Results, films: Sequence[Film], method: str, check: str) -> list[Frames]:
    """The photos that a method has strips of under a check."""
    return [
        Frames(row.id, film.title, _words(results, film, strip.image, method, check))
        for film, strip in zip(films, results.strips, strict=True)
        for row in film.rows
        if strip.check == check and row.method == method
    ]


def _words(results: Results, film: Film, image: int, method: str, check: str) -> list[str]:
    """The similarities of the tiles; "" for those that the run has none of."""
    table, plan = results.tiles, dict(results.config.get("check_plan") or {}).get(check)
    if table.empty or not plan:
        return ["original", *[""] * (len(film.stages) - 1)]
    rows = table[(table["check"] == check) & (table["method"] == method) & (table["image"] == image)]
    found = {int(stage): number(value) for stage, value in zip(rows["stage"], rows["similarity"], strict=True)}
    return ["original", *(found.get(stage, "") for stage in plan["stages"])]
