"""Figures of maps in the paper's layout: figures 5a, 15 and 17."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from ...plots._style import Array
from ...plots.plates import photo_of, picture_of, tiles
from ..types import Measured
from .maps import BASELINES

COLUMNS = {
    "Saliency Map": "Saliency", "Gradient * Input": "Grad * Input", "Guided Backpropagation": "Guided BP",
    "SmoothGrad": "SmoothGrad", "Integrated Gradients": "IntegGrad", "Epsilon-LRP": "Epsilon-LRP",
    "DeepLIFT": "DeepLIFT", "RectGrad": "RectGrad", "RectGrad PRR": "RectGrad PRR",
}  # fmt: skip
"""The paper's order and short names."""


def coherence(found: Measured) -> Figure:
    """As figure 5a: photos down, methods across, each photo without and with the baselines' threshold."""
    rows: list[Sequence[Array | None]] = []
    names = []
    for i in range(3):
        maps = {name: picture_of(found.arrays[f"map/{name}"][i]) for name in COLUMNS}
        cut = {name: picture_of(found.arrays[f"cut/{name}"][i], "diverging") for name in BASELINES}
        rows += [[photo_of(found.arrays["photos"][i]), *maps.values()], [None, *(cut.get(name) for name in COLUMNS)]]
        names += [spoken(found, i), "with threshold"]
    return tiles(rows, names, ["image", *COLUMNS.values()])


def modified(found: Measured) -> Figure:
    """As figure 17: photos across, the two rules down."""
    count = len(found.arrays["photos"])
    rows = [_photos(found, count), *(_pictures(found, f"map/{name}", count) for name in ("RectGrad", "RectGradMod"))]
    return tiles(rows, ["image", "RectGrad (PR1)", "RectGradMod (PR2)"], [spoken(found, i) for i in range(count)])


def same_class(found: Measured) -> Figure:
    """As figure 15: two images of a class below each other, methods across."""
    rows = [
        [photo_of(photo), *(picture_of(found.arrays[f"map/{name}"][i]) for name in COLUMNS)]
        for i, photo in enumerate(found.arrays["photos"])
    ]
    return tiles(rows, ["one digit", "again", "another digit", "again"], ["image", *COLUMNS.values()])


def spoken(found: Measured, place: int) -> str:
    """The class of a photo, from the name of its file."""
    return found.listed("names")[place].split("/")[-1].rsplit(".", 1)[0].replace("_", " ")


def _pictures(found: Measured, key: str, count: int, first: int = 0) -> list[Array | None]:
    return [picture_of(one) for one in found.arrays[key][first : first + count]]


def _photos(found: Measured, count: int) -> list[Array | None]:
    return [photo_of(one) for one in found.arrays["photos"][:count]]
