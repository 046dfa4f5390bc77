"""The maps of every class as data URIs: one image per photo and method."""

from __future__ import annotations

from dataclasses import dataclass

from ..experiment.results import ClassSheet, Results
from ..plots.classes import class_tiles, competition, has_competition
from .film import SIDE, data_uri, is_small, joined, shrunk


@dataclass(frozen=True)
class ClassRow:
    """One method of a sheet: an image with a tile for each class, and one for the competition where it has one."""

    method: str
    rival: str
    columns: int
    image: str
    width: int
    height: int
    pixelated: bool


@dataclass(frozen=True)
class Classes:
    """The sheet of one photo, ready to print; `target` is the place of the explained class among `heads`."""

    title: str
    picture: str
    heads: list[str]
    target: int
    rows: list[ClassRow]


def class_sheets(results: Results) -> list[Classes]:
    """The sheets of a run."""
    return [_sheet(sheet) for sheet in results.sheets]


def _sheet(sheet: ClassSheet) -> Classes:
    heads = [*sheet.classes, *(["competition"] if has_competition(sheet) else [])]
    picture = data_uri(shrunk(sheet.picture, 2 * SIDE), lossless=False)
    return Classes(sheet.title, picture, heads, sheet.target, [_row(sheet, method) for method in sheet.maps])


def _row(sheet: ClassSheet, method: str) -> ClassRow:
    tiles = class_tiles(sheet, method)
    image, small = joined(tiles), is_small(sheet.maps[method])
    uri = data_uri(image, lossless=small)
    return ClassRow(method, competition(method, sheet.maps), len(tiles), uri, *image.size, pixelated=small)
