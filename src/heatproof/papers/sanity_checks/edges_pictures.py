"""Figures 1 and 37 redrawn: maps beside an edge detector, and maps of the edges alone."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, picture_of, tiles
from ..types import Measured
from .edges import METHODS

HALF = 0.5
"""Strikingly similar."""
NAMES = {
    "gradient": "gradient",
    "smoothgrad": "SmoothGrad",
    "guided_backprop": "guided backprop",
    "gradcam": "GradCAM",
    "guided_gradcam": "Guided GradCAM",
    "integrated_gradients": "integrated gradients",
    "gradient_x_input": "gradient x input",
}


def figure1(found: Measured) -> Figure:
    rows = [
        [photo_of(found.arrays["photos"][i].numpy()), picture_of(found.arrays["edges"][i].numpy()),
         *(picture_of(found.arrays[f"map/{n}"][i].numpy()) for n in METHODS)]
        for i in range(len(found.arrays["photos"]))
    ]  # fmt: skip
    return tiles(rows, (), ("photo", "edge detector", *map(_short, METHODS)), "Saliency maps beside an edge detector")


def figure37(found: Measured) -> Figure:
    rows, names = [], []
    for i in range(len(found.arrays["photos"])):
        x, edges = (found.arrays[n][i].numpy() for n in ("photos", "edges"))
        for kind, shown in (("map", x), ("edged", x * edges / edges.max())):
            rows.append([photo_of(shown), *(picture_of(found.arrays[f"{kind}/{n}"][i].numpy()) for n in METHODS)])
            names.append("photo" if kind == "map" else "photo x edges")
    return tiles(rows, names, ("input", *map(_short, METHODS)), "The maps of a photo, and those of its edges alone")


def _short(name: str) -> str:
    return {"integrated_gradients": "integrated", "gradient_x_input": "grad x input"}.get(name, NAMES[name])


def draw_bars(found: Measured) -> Figure:
    groups = {
        title: {NAMES[n]: tuple(found[f"{key}/{n}/spearman"]) for n in METHODS}
        for key, title in (("edges", "with the edges"), ("kept", "with the map of the edges alone"))
    }
    return bars(groups, "How much of a map is edges (MobileNetV2)", "absolute Spearman", {"strikingly similar": HALF})
