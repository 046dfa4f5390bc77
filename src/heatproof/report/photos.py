"""The photos of a run with the maps of the original network laid over them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..experiment.results import Photo, Results
from ..plots._select import without_verdict
from ..plots._style import is_control
from ..plots.visualise import View, palette
from .film import EXACT, data_uri, shrunk
from .photo_maps import SIDE, encoded
from .words import count

Array = np.ndarray[Any, Any]

WEIGHT = 8_000_000
"""Characters of all maps together: with the rest of a page that is under 15 MB."""
LEAST = 32
"""Maps are never made smaller than that, pixels."""
STOPS = 33
"""Colours of a scale that a page interpolates between."""


@dataclass(frozen=True)
class Method:
    """A method as its tiles show it; verdict is "" where none was asked for."""

    name: str
    verdict: str
    control: bool


@dataclass(frozen=True)
class Tile:
    """The map of one method for one photo; uri is "" where there is none, and note says so, or what is odd about it."""

    method: Method
    uri: str
    note: str


@dataclass(frozen=True)
class Sheet:
    """One photo with the maps of all methods; width and height are those of the photo on the page."""

    title: str
    explained: str
    picture: str
    width: int
    height: int
    pixelated: bool
    tiles: list[Tile]


@dataclass(frozen=True)
class Scale:
    """The colours of a view: for the key (CSS), and for the filter that colours grey maps (SVG, one table a channel)."""

    view: View
    gradient: str
    tables: dict[str, str]


@dataclass(frozen=True)
class Viewer:
    """The section; note says how many photos it shows where that is not all of them."""

    methods: list[Method]
    sheets: list[Sheet]
    scales: list[Scale]
    note: str


def viewer(results: Results) -> Viewer | None:
    """The photos whose original maps were kept; None where there are none."""
    methods = _methods(results)
    sheets = [_sheet(photo, methods, WEIGHT // len(results.photos)) for photo in results.photos]
    if not any(tile.uri for sheet in sheets for tile in sheet.tiles):
        return None
    every = int(results.config["chosen"]["images"])
    note = f"{count(len(sheets), 'photo')} of {every}, spread evenly." if len(sheets) < every else ""
    return Viewer(methods, sheets, [_scale("absolute"), _scale("diverging")], note)


def _methods(results: Results) -> list[Method]:
    """In the order of the cards: controls last."""
    silent = without_verdict(results)
    methods = [
        Method(
            str(row["method"]), "" if silent else str(row["verdict"]), is_control(str(row["method"]), results.config)
        )
        for row in results.verdicts.to_dict("records")
    ]
    return sorted(methods, key=lambda method: method.control)


def _sheet(photo: Photo, methods: list[Method], weight: int) -> Sheet:
    picture, maps = photo.picture(), photo.maps()
    uris = _within(maps, weight)
    tiles = [Tile(m, uris.get(m.name, ""), _note(maps.get(m.name))) for m in methods]
    image = shrunk(picture, SIDE)
    small = max(picture.shape[:2]) <= EXACT
    return Sheet(photo.title, photo.explained, data_uri(image, small), *image.size, small, tiles)


def _within(maps: Mapping[str, Array], weight: int) -> dict[str, str]:
    """Maps as data URIs, as large as fit into so many characters together."""
    side = min(SIDE, max((max(saliency.shape) for saliency in maps.values()), default=SIDE))
    with ThreadPoolExecutor() as pool:  # the encoder works outside the interpreter's lock
        while True:
            uris = dict(zip(maps, pool.map(partial(encoded, side=side), maps.values()), strict=True))
            total = sum(map(len, uris.values()))
            if total <= weight or side <= LEAST:
                return uris
            side = max(LEAST, int(side * min(0.9, 0.95 * (weight / total) ** 0.5)))  # WebP weighs by the area


def _note(saliency: Array | None) -> str:
    if saliency is None:
        return "no map"
    if not np.isfinite(saliency).any():
        return "undefined"
    return "constant" if float(np.ptp(saliency, axis=(1, 2)).max()) == 0 else ""


def _scale(view: View) -> Scale:
    colours = palette(view, STOPS)
    gradient = ", ".join(f"rgb({r} {g} {b})" for r, g, b in colours[::4])
    tables = {
        f"feFunc{channel}": " ".join(f"{value / 255:.3f}" for value in colours[:, i]) for i, channel in enumerate("RGB")
    }
    return Scale(view, f"linear-gradient(90deg, {gradient})", tables)
