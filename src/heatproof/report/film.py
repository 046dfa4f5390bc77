"""Film strips as data URIs: one image per photo, method and view."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from PIL import Image

from ..experiment.results import Results, Strip
from ..plots._style import check_name
from ..plots.visualise import View, colour

Array = np.ndarray[Any, Any]

SIDE = 144
"""Largest side of a tile, pixels: sharp at the size of a page, and 600 tiles stay within a few megabytes."""
GAP = 4
EXACT = 72
"""Tiles up to this size are compressed without loss: at a few pixels a map, smeared colours would be seen."""


@dataclass(frozen=True)
class Row:
    """One method of a strip; both images hold one tile per column, ``tile`` pixels wide."""

    id: str
    method: str
    absolute: str
    diverging: str
    width: int
    height: int
    tile: int
    pixelated: bool


@dataclass(frozen=True)
class Film:
    """The strip of one photo, ready to print."""

    title: str
    picture: str
    stages: list[str]
    rows: list[Row]
    check: str = ""


def films(results: Results) -> list[Film]:
    """The strips of a run, methods in the order of the verdicts."""
    order = [str(m) for m in results.verdicts["method"]]
    strips = enumerate(results.strips)
    return [_film(f"strip-{place}", strip, [m for m in order if m in strip.maps]) for place, strip in strips]


def _film(id: str, strip: Strip, methods: Sequence[str]) -> Film:
    names = [*methods, *(m for m in strip.maps if m not in methods)]
    picture = shrunk(strip.picture, 2 * SIDE)
    with ThreadPoolExecutor() as pool:  # the encoder works outside the interpreter's lock
        ids = (f"{id}-{place}" for place in range(len(names)))
        rows = list(pool.map(_row, ids, names, (strip.maps[name] for name in names)))
    return Film(strip.title, data_uri(picture, lossless=False), strip.stages, rows, check_name(strip.check))


def _row(id: str, method: str, maps: Array) -> Row:
    small = is_small(maps)
    absolute, diverging = (joined([colour(saliency, view) for saliency in maps]) for view in get_args(View))
    width, height = absolute.size
    tile = (width + GAP) // len(maps) - GAP
    return Row(id, method, data_uri(absolute, small), data_uri(diverging, small), width, height, tile, pixelated=small)


def is_small(images: Array) -> bool:
    """Whether tiles ``(..., H, W)`` are kept without loss."""
    return bool(max(images.shape[-2:]) <= EXACT)


def joined(images: Iterable[Array]) -> Image.Image:
    """Tiles, uint8 ``(H, W, 3)``, in one row."""
    tiles = [shrunk(image, SIDE) for image in images]
    width, height = tiles[0].size
    row = Image.new("RGBA", (len(tiles) * (width + GAP) - GAP, height))
    for place, tile in enumerate(tiles):
        row.paste(tile, (place * (width + GAP), 0))
    return row


def shrunk(image: Array, side: int) -> Image.Image:
    """Larger images are averaged down, smaller ones stay as they are."""
    picture = Image.fromarray(image)
    factor = side / max(picture.size)
    if factor >= 1:
        return picture
    width, height = (max(1, round(length * factor)) for length in picture.size)
    return picture.resize((width, height), Image.Resampling.BOX)


def data_uri(image: Image.Image, lossless: bool, quality: int = 76) -> str:
    """An image as text that stands in the page itself."""
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", lossless=lossless, quality=quality, method=1)  # twice as fast as 4, 3 % larger
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
