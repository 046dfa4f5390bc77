"""Boxes around the objects of photos, from a csv file."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .mask_files import plain

COLUMNS = ("file", "boxes_xyxy")

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the upright photo, from its upper left corner: 0 0 W H is all of a photo of W x H."""


@dataclass(frozen=True)
class Boxed:
    """The boxes of one photo, and its height and width where the file says them."""

    boxes: tuple[Box, ...]
    size: tuple[int, int] | None


def read_boxes(path: Path) -> dict[str, Boxed]:
    """The boxes of each photo by the column ``file``; several rows of one photo are taken together.

    Columns: ``file``; ``boxes_xyxy``, "x0 y0 x1 y1", several separated by ";"; and maybe ``width`` and ``height`` of
    the photo, which are then checked. Others are passed over.

    Raises:
        InputError: a file that cannot be read, a column that is missing, text that is no box (names the line).
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if missing := [name for name in COLUMNS if name not in (table.fieldnames or ())]:
                raise InputError(
                    f"{path} has no column {' and '.join(missing)}; it has {', '.join(table.fieldnames or ['none'])}; "
                    "expected file and boxes_xyxy ('x0 y0 x1 y1', several separated by ';')"
                )
            rows = [(table.line_num, row) for row in table]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"boxes cannot be read from {path}: {error}; expected a table (.csv) in UTF-8") from error
    found: dict[str, Boxed] = {}
    for line, row in rows:
        name, where = plain(row["file"] or ""), f"{path}, line {line}"
        before = found.get(name, Boxed((), None))
        found[name] = Boxed(before.boxes + _boxes(row["boxes_xyxy"] or "", where), _size(row, where) or before.size)
    return found


def boxes_mask(boxes: tuple[Box, ...], size: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels whose centre lies in a box. ``-> (H, W)`` bool; for whole numbers rows y0 to y1 - 1.

    Example:
        >>> boxes_mask(((1, 0, 3, 1),), (2, 4)).astype(int).tolist()
        [[0, 1, 1, 0], [0, 0, 0, 0]]
    """
    rows, columns = (np.arange(length) + 0.5 for length in size)
    mask = np.zeros(size, dtype=bool)
    for x0, y0, x1, y1 in boxes:
        mask |= ((y0 <= rows) & (rows < y1))[:, None] & ((x0 <= columns) & (columns < x1))
    return mask


def _boxes(text: str, where: str) -> tuple[Box, ...]:
    return tuple(_box(part, where) for part in text.split(";") if part.strip())


def _box(text: str, where: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(number) for number in text.split())
        if all(map(math.isfinite, (x0, y0, x1, y1))) and x0 < x1 and y0 < y1:
            return x0, y0, x1, y1
    except ValueError:
        pass
    raise InputError(f"{where}: {text.strip()!r} is no box; expected four numbers x0 y0 x1 y1 with x0 < x1 and y0 < y1")


def _size(row: dict[str, str], where: str) -> tuple[int, int] | None:
    height, width = row.get("height"), row.get("width")
    if not height or not width:
        return None
    try:
        return int(height), int(width)
    except ValueError:
        raise InputError(f"{where}: width {width!r}, height {height!r}; expected whole numbers of pixels") from None
