"""Figure 7 redrawn: maps of the sum-pool network beside edges."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import photo_of, picture_of, tiles
from ..types import Measured
from .theory import FIGURE


def figure7(found: Measured) -> Figure:
    rows, names = [], []
    for photo in range(len(found.arrays["photos"])):
        for k in range(len(found.arrays["filters"])):
            x, edges = (found.arrays[n][photo].numpy() for n in ("photos", "edges"))
            maps = [picture_of(found.arrays[f"{k}/{n}"][photo].numpy(), "diverging") for n in ("closed", *FIGURE)]
            rows.append([photo_of(x), picture_of(edges), *maps])
            names.append(("sum near 0", "other sum")[k])
    columns = ("photo", "edges", "closed form", "gradient", "SmoothGrad", "integrated", "guided backprop")
    title = "One random filter, ReLU, sum over places: weights that sum to nearly 0, and others"
    return tiles(rows, names, columns, title)
