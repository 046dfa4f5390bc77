"""Claims on what happens inside: noise that accumulates (figures 6 and 14), features that fire anywhere (figure 13)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from matplotlib.figure import Figure
from torch import Tensor

from ...plots._style import Array
from ...plots.plates import Series, bars, curves, photo_of, picture_of, tiles
from ..judge import above, below, deciding, each_above, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps_layers import CONSTANT, FILTERS, KINDS, LAYERS, photo_layers, scene_layers

PRODUCT = "Gradient * activation"

NONE = 0.05
"""Growth under it, of the logarithm, is none."""
EQUAL = math.log(5 / 4)
"""Frequencies within a factor of 5/4 count as equal."""


def _ends(found: Measured, kind: str, what: str) -> str:
    start = int(found.value(f"{kind}/start"))
    deep, first = (said(found[f"{kind}/{what}/{layer}"]) for layer in (start, 0))
    return f"{deep} at ReLU {start} of {found.value('layers'):.0f}, {first} at the input"


def _accumulates(kind: str, what: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        growth = found[f"{kind}/{what}/growth"]
        return finding(above(growth, 0), _ends(found, kind, what), growth)

    return judge


def _stops(what: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        growth = found[f"RectGrad/{what}/growth"]
        told, control = (_ends(found, kind, what) for kind in ("RectGrad", PRODUCT))
        return finding(below(growth, NONE), f"{told}; gradient * activation {control}", growth)

    return judge


def _exponential(found: Measured) -> Finding:
    steps = [found[f"Saliency Map/outside/step/{layer}"] for layer in range(int(found.value("Saliency Map/start")))]
    grows = sum(above(step, 0) is True for step in steps)
    factors = [math.exp(step.value) for step in steps]
    told = f"grows in {grows} of {len(steps)} steps, by factors from {min(factors):.2f} to {max(factors):.2f}"
    held, number = each_above(steps, 0)
    return finding(held, told, number)


def _equally_often(found: Measured) -> Finding:
    layers = range(1, int(found.value("layers")) + 1)
    ratios = [found[f"fires/{layer}/log ratio"] for layer in layers]
    equal = [every((below(ratio, EQUAL), above(ratio, -EQUAL))) for ratio in ratios]
    factors = [math.exp(ratio.value) for ratio in ratios]
    told = (
        f"within a factor of 5/4 in {equal.count(True)} of {len(equal)} layers{_but(equal)}, object / background from "
    )
    told += f"{min(factors):.2f} to {max(factors):.2f} (" + _frequencies(found, _rows(found)) + ")"
    held, number = deciding(zip(equal, ratios, strict=True))
    return finding(held, told, number)


def _but(answers: Sequence[bool | None]) -> str:
    """The layers that an answer does not hold in."""
    other = [str(layer) for layer, answer in enumerate(answers, start=1) if answer is not True]
    return f" (not in ReLU {', '.join(other)})" if other else ""


def _frequencies(found: Measured, rows: dict[str, int]) -> str:
    places = ("object", "background")
    return "; ".join(f"{name}: " + " | ".join(f"{found.value(f'fires/{i}/{p}'):.2f}" for p in places)
                     for name, i in rows.items())  # fmt: skip


def _same_filters(found: Measured) -> Finding:
    alike = [found[f"fires/{layer}/alike"] for layer in range(1, int(found.value("layers")) + 1)]
    over_half = [above(one, 0.5) for one in alike]
    told = f"correlation over 0.5 in {over_half.count(True)} of {len(alike)} layers{_but(over_half)}, "
    held, number = each_above(alike, 0.5)
    return finding(held, f"{told}from {min(alike).value:.2f} to {max(alike).value:.2f}", number)


def _rows(found: Measured) -> dict[str, int]:
    """First, middle and last layers by name."""
    last = int(found.value("layers"))
    return {f"ReLU {i}": i for i in sorted({1, (last + 1) // 2, last})}


def _propagated(found: Measured) -> Figure:
    """As figure 6: the attribution at some layers, closer to the output further right."""
    rows: list[list[Array | None]] = []
    names = []
    for i, photo in enumerate(found.arrays["photos"]):
        for kind in ("Saliency Map", "RectGrad"):
            maps = [found.arrays[f"map/{kind}/{layer}"][i] for layer in range(LAYERS + 1)]
            shown = [picture_of(m, "diverging") if _varies(m) else None for m in maps]
            rows.append([photo_of(photo) if kind == "Saliency Map" else None, *shown])
            names.append(kind)
    return tiles(rows, names, ["image", "at the input", *[""] * (LAYERS - 1), "last ReLU"])


def _varies(one: Tensor) -> bool:
    """Whether there is something to see: the gradient in front of an average over positions is the same everywhere."""
    return bool(one.max() - one.min() > CONSTANT * one.abs().max())


def _gallery(found: Measured) -> Figure:
    """As figure 13: an image, its saliency map, and the first filters of some layers."""
    photo, saliency = photo_of(found.arrays["photos"][0]), picture_of(found.arrays["map/Saliency Map/0"][0])
    rows: list[list[Array | None]] = [[photo, saliency, *[None] * (FILTERS - 2)]]
    for layer in range(LAYERS + 1):
        units = found.arrays[f"units/{layer}"][0]
        rows.append([picture_of(units[i : i + 1]) for i in range(len(units))])
    return tiles(rows, ["image, saliency", "first layer", *[""] * (LAYERS - 1), "last layer"])


def _noise_by_layer(found: Measured) -> Figure:
    last = int(found.value("layers"))
    x = [float(i) for i in range(last + 1)]
    series = {}
    for kind in KINDS:
        depth = int(found.value(f"{kind}/start")) + 1
        series[kind] = Series.of(x[:depth], [found[f"{kind}/outside/{i}"] for i in range(depth)])
    ticks = ["input", *(f"ReLU {i}" for i in range(1, last + 1))]
    return curves(series, y_label="attribution outside the box / its area", ticks=ticks, marks={"chance": 1.0})


def _firing(found: Measured) -> Figure:
    layers = range(1, int(found.value("layers")) + 1)
    groups = {p: {f"ReLU {i}": found[f"fires/{i}/{p}"] for i in layers} for p in ("object", "background")}
    return bars(groups, x_label="how often a unit fires")


EXPERIMENTS = (
    Experiment("rectgrad-layers-scenes", scene_layers, minutes=(0.05, 0.05), networks=("scenes",)),
    Experiment("rectgrad-layers-photos", photo_layers, minutes=(0.1, 0.15), data=("photos", "squeezenet1_0_dc"),
               reduced="17 photos and SqueezeNet in place of Inception v4"),
)  # fmt: skip

WHERE = {
    "": ("rectgrad-layers-scenes", "Small CNN (5 ReLUs), photos with a pasted digit (quick: 60, full: 120). "),
    "-photos": (
        "rectgrad-layers-photos",
        "SqueezeNet (26 ReLUs), photos whose box covers less than a quarter (quick: 8, full: 17). ",
    ),
}
VARIATION = "Total variation of the attribution, averaged over channels, over the sum of its magnitudes"
OUTSIDE = "Share of |attribution|, averaged over channels, outside the cells of the box, over their area: 1 is chance"


UNIFORM = (
    "Where a network averages over positions, the gradient in front is the same everywhere, and says nothing of noise: "
    "saliency is followed from the deepest ReLU where it differs. What RectGrad's maps (a R) compare to is S3-Fig6-product."
)
SCALE = "Layers become finer towards the input, which alone makes maps rougher; gradient * activation is the control."
SMALL = "A small CNN and scenes with digits stand for Inception v4, ImageNet and the eye."
SQUEEZE = "SqueezeNet and photos with boxes stand for Inception v4 and the eye."
START = ". At the input, less at the deepest ReLU where it is not the same everywhere."


def _on_both(id: str, says: str, source: str, how: str, judge: Callable[[Measured], Finding], published: str,
             why: str = "", photos_why: str = "") -> tuple[Claim, ...]:  # fmt: skip
    return tuple(
        Claim(id + place, says, source, WHERE[place][1] + how, judge, WHERE[place][0], published=published,
              why=f"{SQUEEZE if place else SMALL} {photos_why if place else why}".rstrip())
        for place in WHERE
    )  # fmt: skip


CLAIMS = (
    *_on_both(
        "S3-Fig6/14",
        "The noise of saliency maps accumulates from the output to the input.",
        "section 5.2, figures 6 and 14",
        OUTSIDE + START,
        _accumulates("Saliency Map", "outside"),
        "accumulates",
        UNIFORM,
        UNIFORM,
    ),
    *_on_both(
        "S3-Fig6-product",
        "The noise of gradient times activation accumulates from the output to the input.",
        "section 5.2, figures 6 and 14",
        OUTSIDE + ". At the input, less at the last ReLU. The paper shows gradients; RectGrad's maps are this product.",
        _accumulates(PRODUCT, "outside"),
        "accumulates (gradients)",
    ),
    *_on_both(
        "S3-Fig6-variation",
        "The saliency map becomes noisier from the output to the input.",
        "section 5.2, figures 6 and 14",
        VARIATION + START,
        _accumulates("Saliency Map", "variation"),
        "accumulates",
        SCALE,
        SCALE,
    ),
    *_on_both(
        "S3-Fig6-exponential",
        "The noise of saliency maps grows at every layer, exponentially.",
        "section 5.2",
        OUTSIDE
        + ". The logarithm must grow at every step to the input, from the deepest ReLU where it is not constant.",
        _exponential,
        "exponentially",
        UNIFORM,
        UNIFORM,
    ),
    *_on_both(
        "S3-Fig6-rectgrad",
        "Noise does not accumulate in RectGrad's maps, which are thresholded at every layer.",
        "section 5.2, figures 6 and 14",
        OUTSIDE + ". At the input it must not be more than at the last ReLU (by under 5 %); q = 98, padding trick.",
        _stops("outside"),
        "stops it",
    ),
    *_on_both(
        "S3-Fig6-rectgrad-variation",
        "RectGrad's maps do not become noisier on their way.",
        "section 5.2, figures 6 and 14",
        VARIATION + ". At the input it must not be more than at the last ReLU (by under 5 %); q = 98, padding trick.",
        _stops("variation"),
        "stops it",
        SCALE,
        SCALE,
    ),
    *_on_both(
        "S3-Frequency",
        "Units fire on the background as often as on the object.",
        "section 3.2, left as a future study there",
        "Share of the units over zero on cells of the object and of the background, by ReLU; within 5/4 counts as equal.",
        _equally_often,
        "not significantly different, by eye",
        "The paper looked at pictures of filters; here they are counted.",
        "The paper looked at pictures of filters; here they are counted.",
    ),
    *_on_both(
        "S3-A.1/Fig13",
        "Filters retain or drop both kinds of feature alike.",
        "appendix A.1, figure 13",
        "Correlation over the filters of a layer of how often they fire on object and on background; over 0.5 in every "
        "layer (under that, most of the differences between filters are not shared).",
        _same_filters,
        "regardless of relevance, by eye",
        "Strokes of digits are not the photos' kind of features. The paper looked at pictures of filters.",
        "The paper looked at pictures of filters; here they are counted.",
    ),
)

PICTURES = (
    Picture("Attributions on their way to the input; gradients that are the same everywhere are left out", "figure 6",
            "rectgrad-layers-photos", _propagated, ("S3-Fig6/14-photos", "S3-Fig6-rectgrad-photos"), photos=True),
    Picture("Noise by layer", "figure 14", "rectgrad-layers-scenes", _noise_by_layer,
            ("S3-Fig6/14", "S3-Fig6-product", "S3-Fig6-rectgrad", "S3-Fig6-exponential")),
    Picture("What filters retain", "figure 13", "rectgrad-layers-photos", _gallery, ("S3-A.1/Fig13-photos",), photos=True),
    Picture("How often units fire", "", "rectgrad-layers-scenes", _firing, ("S3-Frequency", "S3-A.1/Fig13")),
)  # fmt: skip
