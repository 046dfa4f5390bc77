"""Claims on how maps look: layers of figure 1, methods of figure 3, the sharpness of equation 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, picture_of, tiles
from ..judge import above, each_above, each_below, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .photos import (
    BY_LAYER,
    EQUATION_2,
    FULLGRAD,
    METHODS,
    SHARPNESS,
    VARIANTS,
    WITHOUT_X,
    layers,
    layers_squeezenet,
    methods,
    sharpness,
)

NOISY = ("integrated gradients", "SmoothGrad")
SHOWN_LAYERS = 6
MATTERS = 0.02
"""Of the chance that a pixel in the box is above one outside: a layer that is nearer to FullGrad marks as well."""


def _layers(found: Measured) -> Finding:
    names = found.listed("names")[1:]
    best = max(names, key=lambda name: found.value(f"auc/{name}"))
    held, number = each_above((found[f"gap/{name}"] for name in names), MATTERS)
    text = f"{found.value('images'):g} photos, chance that a pixel in the box is above one outside: "
    text += f"FullGrad {said(found['auc/FullGrad'], 3)}, "
    text += f"input-gradient {said(found['auc/input'], 3)}, best of {len(names) - 1} layers (number {best}) "
    text += f"{said(found[f'auc/{best}'], 3)}; FullGrad less that {said(found[f'gap/{best}'], 3)}"
    return finding(held, text, number)


def _sharpest(subject: str, rivals: tuple[str, ...]) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        held, number = each_above((found[f"gap/{what}/{subject}/{name}"] for what in SHARPNESS for name in rivals), 0)
        shown = ", ".join(f"{name} {said(found[f'Gini index/{name}'], 3)}" for name in (subject, *rivals))
        return finding(held, f"Gini index of |map|: {shown}", number)

    return judge


def _noise(found: Measured) -> Finding:
    held, number = each_below((found[f"gap/noise/{name}"] for name in NOISY), 0)
    return finding(held, "total variation / mass: " + _row(found, "noise", (*NOISY, FULLGRAD)), number)


def _edges(found: Measured) -> Finding:
    gap = found["gap/edges/Grad-CAM"]
    text = f"rank correlation with the image's edges: {_row(found, 'edges', (FULLGRAD, 'Grad-CAM'))}; "
    text += f"difference {said(gap)}"
    return finding(above(gap, 0), text, gap)


def _confined(what: str, words: str) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        gaps = {name: found[f"gap/{what}/{name}"] for name in METHODS if name != FULLGRAD}
        nearest = min(gaps, key=lambda name: gaps[name].value)
        text = f"{words}: {_row(found, what, METHODS, 3)}; FullGrad less {nearest} {said(gaps[nearest], 3)}"
        held, number = each_above(gaps.values(), 0)
        return finding(held, text, number)

    return judge


def _row(found: Measured, what: str, names: Iterable[str], digits: int = 2) -> str:
    return ", ".join(f"{name} {said(found[f'{what}/{name}'], digits)}" for name in names)


def _figure_1(found: Measured) -> Figure:
    """A row for each photo: input-gradient, bias-gradients from the first layer to the last, and their sum."""
    stack = found.arrays["layers"].numpy()
    names = found.listed("names")
    picked = [1, *np.linspace(2, stack.shape[1] - 1, SHOWN_LAYERS).round().astype(int), 0]
    titles = ["photo", "input-gradient", *(f"layer {names[p]}" for p in picked[1:-1]), "FullGrad"]
    images = [
        [photo_of(photo.numpy()), *(picture_of(maps[p][None], "absolute") for p in picked)]
        for photo, maps in zip(found.arrays["photos"], stack, strict=True)
    ]
    return tiles(images, columns=titles)


def _figure_3(found: Measured) -> Figure:
    rows = range(len(found.arrays["photos"]))
    images = [
        [photo_of(found.arrays["photos"][i].numpy()),
         *(picture_of(found.arrays[name][i].numpy()[None], "absolute") for name in METHODS)]
        for i in rows
    ]  # fmt: skip
    return tiles(images, columns=["photo", *METHODS])


def _variants(found: Measured) -> Figure:
    names = [*VARIANTS, WITHOUT_X]
    signed = "signed (psi_m)"
    images = [
        [photo_of(photo.numpy()) for photo in found.arrays["photos"]],
        *(
            [picture_of(m.numpy()[None], "diverging" if name == signed else "absolute") for m in found.arrays[name]]
            for name in names
        ),
    ]
    return tiles(images, rows=["photo", *map(_short, names)])


def _short(name: str) -> str:
    return "SimpleFullGrad" if "SimpleFullGrad" in name else name


def _sharpness(found: Measured) -> Figure:
    rows = (*VARIANTS, WITHOUT_X)
    return bars(
        {"Gini index": {_short(name): tuple(found[f"Gini index/{name}"]) for name in rows}},
        x_label="Gini index of the map: 0 all pixels alike, 1 a single pixel",
    )


_DATA = ("photos", "mobilenet_v2_int8dq")
_OBJECTS = "photos whose boxes cover less than half"
_PHOTOS = f"MobileNetV2, {_OBJECTS} (10 quick, 36 full)"
_BOX = "area under the ROC curve of the pixels in the box, FullGrad less each layer with a bias and the input"
_FLOOR = "each map less its smallest value"
_SURROGATE = "MobileNetV2 in place of VGG-16, and boxes in place of the eye"

EXPERIMENTS = (
    Experiment("fullgrad-layers", layers, (0.3, 1.1), data=_DATA, reduced="36 photos, one network"),
    Experiment("fullgrad-layers-squeezenet", layers_squeezenet, (0.1, 0.4), data=("photos", "squeezenet1_0_dc"),
               reduced="36 photos"),
    Experiment("fullgrad-sharpness", sharpness, (0.3, 0.9), data=_DATA, reduced="36 photos, one network"),
    Experiment("fullgrad-methods", methods, (0.5, 1.5), data=_DATA, reduced="28 photos, one network, 20 samples"),
)  # fmt: skip

CLAIMS = (
    Claim(
        "S2-Fig1", "No layer's bias-gradients mark the object as well as the FullGrad map of all of them.", "figure 1",
        f"{_PHOTOS}: {_BOX}. Held: by more than {MATTERS} for all.",
        _layers, "fullgrad-layers", published="none of the layers marks the object satisfactorily; FullGrad does",
        why=f"{_SURROGATE}. A few late layers do as well by this measure, for a box does not ask for detail. Its batch "
        "norms' statistics are folded away, so all biases here are explicit.",
    ),
    Claim(
        "S2-Fig1-squeezenet", "No layer's bias-gradients mark the object as well as the FullGrad map of all of them.",
        "figure 1", f"SqueezeNet, the same photos: {_BOX}. Held: by more than {MATTERS} for all.",
        _layers, "fullgrad-layers-squeezenet",
        published="none of the layers marks the object satisfactorily; FullGrad does",
        why="SqueezeNet, which has no batch norms, in place of VGG-16, and boxes in place of the eye. A few layers do as "
        "well by this measure, for a box does not ask for detail.",
    ),
    Claim(
        "S2-Eq2-sharp", "Equation 2 gives the sharpest maps among its variants.", "section 4.2",
        f"{_PHOTOS}: Gini index and 1 - normalised entropy of |map|, both of which equation 2 (by channel) must lead.",
        _sharpest(EQUATION_2, (*(name for name in VARIANTS if name != EQUATION_2), WITHOUT_X)), "fullgrad-sharpness",
        published="sharpest",
        why=f"{_SURROGATE}; perhaps the many channels of the coarse layers outvote the few of the fine ones.",
    ),
    Claim(
        "S2-Eq2-sharp-code", "The maps of the authors' code, rescaled by layer, are the sharpest among the variants.",
        "section 4.2; official code", "The same photos and numbers, all of which rescaling by layer must lead.",
        _sharpest(BY_LAYER, (*(name for name in VARIANTS if name != BY_LAYER), WITHOUT_X)), "fullgrad-sharpness",
        published="sharpest",
        why=f"{_SURROGATE}. The published maps are rescaled by layer, so this may be what the paper saw.",
    ),
    Claim(
        "S2-Fig3-noise", "Integrated gradients and SmoothGrad are noisier than FullGrad.", "figure 3",
        f"{_PHOTOS.replace('10', '8').replace('36', '28')}: total variation divided by the mass of the map, {_FLOOR}.",
        _noise,
        "fullgrad-methods", published="noisy object boundaries",
        why=f"{_SURROGATE}. Maps enlarged from coarse layers are smooth whatever they show: this row could hardly fail.",
    ),
    Claim(
        "S2-Fig3-edges", "FullGrad follows the image's edges more than Grad-CAM does.", "figure 3, section 5.3",
        "The same photos: rank correlation of the map with an edge detector, difference on the same photos.", _edges,
        "fullgrad-methods", published="Grad-CAM does not adhere to boundaries, FullGrad does", why=f"{_SURROGATE}.",
    ),
    Claim(
        "S2-Fig3-confined", "FullGrad is more tightly confined to the object than the other methods.", "abstract, figure 3",
        f"The same photos: share of the map's mass in the box, less the box's area, over the rest of the area; {_FLOOR}.",
        _confined("inside", "mass in the box beyond chance (0 chance, 1 all)"), "fullgrad-methods",
        published="tightly confined within objects",
        why=f"{_SURROGATE}. The map of FullGrad is smooth and nowhere zero, so that much of its mass lies outside; by "
        "ranks it leads (S2-Fig3-confined-rank).",
    ),
    Claim(
        "S2-Fig3-confined-rank", "FullGrad ranks the pixels of the object above the others more than other methods do.",
        "abstract, figure 3", "The same photos: area under the ROC curve of the pixels in the box.",
        _confined("auc", "chance that a pixel in the box is above one outside"), "fullgrad-methods",
        published="tightly confined within objects",
        why=f"{_SURROGATE}; ranks say where a map is higher, not how much of it lies outside.",
    ),
)  # fmt: skip

PICTURES = (
    Picture("Bias-gradients of the layers, and FullGrad", "figure 1", "fullgrad-layers", _figure_1, ("S2-Fig1",), True),
    Picture("The same of SqueezeNet", "figure 1", "fullgrad-layers-squeezenet", _figure_1, ("S2-Fig1-squeezenet",), True),
    Picture("FullGrad beside other methods", "figure 3", "fullgrad-methods", _figure_3,
            ("S2-Fig3-confined", "S2-Fig3-confined-rank", "S2-Fig3-noise", "S2-Fig3-edges"), True),
    Picture("Equation 2 and its variants", "", "fullgrad-sharpness", _variants, ("S2-Eq2-sharp",), True),
    Picture("How sharp equation 2 and its variants are", "", "fullgrad-sharpness", _sharpness,
            ("S2-Eq2-sharp", "S2-Eq2-sharp-code")),
)  # fmt: skip
