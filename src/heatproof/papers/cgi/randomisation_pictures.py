"""Pictures of section 4: maps of one image as the network is destroyed, and how much of them is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ...plots.plates import Series, curves, photo_of, picture_of, tiles
from ...plots.visualise import View, colours
from ...theory.nulls import survival
from ..types import Measured, Number
from .randomisation import INPUT, SIGNS
from .randomisation_judges import NAMES, positions
from .randomisation_labels import COMPETING, PLAIN

Draw = Callable[[Measured], Figure]
Pixels = Any
"""A picture, uint8 ``(H, W, 3)``."""
MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def strip(order: str, pair: tuple[str, str], view: View = "diverging", own_class: bool = False) -> Draw:
    """A column for each stage: competition on the scale of its method, on its own, and the method.

    Args:
        own_class: the second row shows competition for the class that each network names, in place of its own scale.
    """

    def draw(found: Measured) -> Figure:
        places = ["original", *(f"{order}/{p}" for p in positions(found, order))]
        plain, winners, own = (_maps(found, name, places) for name in (*pair, f"predicted/{pair[1]}"))
        shared = [colours(np.stack(maps), view) for maps in zip(plain, winners, strict=True)]
        method, winner = (NAMES[name] for name in pair)
        rows: list[list[Pixels | None]] = [
            [_photo(found, 0), *(both[1] for both in shared)],
            [None, *(picture_of(values, view) for values in (own if own_class else winners))],
            [None, *(both[0] for both in shared)],
        ]
        names = [winner, f"{winner}, class that the network names" if own_class else f"{winner}, own scale", method]
        return tiles(rows, names, ["image", "trained", *_stages(found, order)])

    return draw


def _maps(found: Measured, name: str, places: list[str]) -> list[Pixels]:
    return [np.asarray(found.arrays[f"{name}/{place}"][0]) for place in places]


def _stages(found: Measured, order: str) -> list[str]:
    """What is random at each stage; in a cascade everything down to a block."""
    names, places = found.listed(order), positions(found, order)
    return [names[p - 1] if order == "independent" or p == 1 else f"down to {names[p - 1]}" for p in places]


def _photo(found: Measured, image: int) -> Pixels:
    values = np.asarray(found.arrays["images"][image], float)
    return photo_of(values if len(values) == 1 else values * STD[:, None, None] + MEAN[:, None, None])


def left(found: Measured) -> Figure:
    """Share of pixels that competition keeps, from the trained network to random weights."""
    places = positions(found, "cascading")
    x = [0.0, *(float(p) for p in places)]
    series = {}
    for choice, words in (("", ""), ("predicted/", ", own class")):
        for name, words_of in ((INPUT[1], "CGI"), (SIGNS[1], "CLRP, alphabeta")):
            values = [found[f"original/{name}/kept"], *(found[f"{choice}cascading/{name}/kept/{p}"] for p in places)]
            series[words_of + words] = Series.of(x, values)
    chance = Series([x[1], x[-1]], [survival(10)] * 2, control=True)
    return curves(
        {**series, "2(1 - 2^-k)/k": chance},
        x_label="own class: the one that each network names; else that of the trained network",
        y_label="share of pixels kept",
        ticks=["trained", *_stages(found, "cascading")],
    )


def alike(order: str, methods: tuple[str, ...]) -> Draw:
    """Likeness to the trained network's map over the stages, beside what zeros alone give."""

    def draw(found: Measured) -> Figure:
        places = positions(found, order)
        x = [0.0, *(float(p) for p in places)]
        series: dict[str, Series] = {}
        for name in methods:
            series[NAMES[name]] = Series.of(x, [Number(1.0), *(found[f"{order}/{name}/absolute/{p}"] for p in places)])
        for name in methods:
            chance = [found.value(f"{order}/{name}/expected/{p}") for p in places]
            series[f"{NAMES[name]}: zeros alone"] = Series(x[1:], chance, control=True)
        label = "absolute rank correlation"
        return curves(series, y_label=label, ticks=["trained", *_stages(found, order)])

    return draw


def threes(found: Measured) -> Figure:
    """The three panels of figure 7, CGI of the class that keeps most, and the same of the network on true labels."""
    rows: list[list[Pixels | None]] = []
    count = len(found.arrays["images"])
    for which in ("permuted", "true"):
        for image in range(count):
            maps = [np.asarray(found.arrays[f"{which}/{name}"][image]) for name in (PLAIN, COMPETING, "best")]
            shared = colours(np.stack(maps[:2]), "diverging")
            rows.append([_photo(found, image), *shared, *(picture_of(m, "diverging") for m in maps[1:])])
    names = ["trained on permuted labels"] * count + ["trained on true labels"] * count
    columns = ["image", "gradient x input", "CGI", "CGI, own scale", "CGI, class that keeps most"]
    return tiles(rows, names, columns)
