"""Maps of a network trained on true labels beside those of its twin trained on permuted ones (section 4)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from ...checks.labels import Pair
from ...types import Explain
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .randomisation import SPATIAL, figures
from .randomisation_audit import ABSOLUTE, SIGNED, gathered, named

ZERO = 3
"""Place of the first digit 0 among MNIST's test images."""


def mnist_cnn(lab: Lab) -> Measured:
    return of_pair(lab, "labels-mnist-cnn", "MNIST")


def mnist_mlp(lab: Lab) -> Measured:
    return of_pair(lab, "labels-mnist-mlp", "MNIST")


def fashion_cnn(lab: Lab) -> Measured:
    return of_pair(lab, "labels-fashion-cnn", "FashionMNIST")


def fashion_mlp(lab: Lab) -> Measured:
    return of_pair(lab, "labels-fashion-mlp", "FashionMNIST")


def texts(lab: Lab, spatial: bool) -> dict[str, str]:
    """The methods of figures 22 to 25."""
    few, draws = lab.pick(10, 25, 50), lab.pick(3, 10, 25)
    return {name: text for name, text in figures(few, draws).items() if spatial or name not in SPATIAL}


def of_pair(lab: Lab, name: str, data: str) -> Measured:
    """Similarities over test images, what the gates say, and two things that can be seen in the maps."""
    images, _ = lab.labelled(data, "test", lab.pick(20, 40, 200))
    return beside(lab, lab.pair(name), images, named(lab, texts(lab, name.endswith("cnn"))))


def beside(lab: Lab, pair: Pair, images: Tensor, methods: Mapping[str, Explain]) -> Measured:
    """One class for both networks, the true one's; and under "own/" the class that each predicts (authors' code)."""
    found, own = (
        gathered(lab.audit(
            f"labels-{classes}", pair.true, images, methods, checks=("labels",), labels=pair, metrics=(SIGNED, ABSOLUTE),
            chunk=20, keep_maps="none", classes=classes,
        ))
        for classes in ("fixed", "predicted")
    )  # fmt: skip
    others = {f"own/{name}": n for name, n in own.numbers.items()}
    numbers = {**found.numbers, **others, **gates(pair), **seen(pair, images, methods)}
    return Measured(numbers, {"photo": images[ZERO], **drawn(pair, images[ZERO : ZERO + 1], methods)}, found.words)


def gates(pair: Pair) -> dict[str, Number]:
    """Accuracies by their names, their limits, and whether each holds."""
    held = [g for g in pair.gates["gates"] if g["value"] is not None]
    found = {f"gate/{g['name']}": Number(float(g["value"])) for g in held}
    found |= {f"gate limit/{g['name']}": Number(float(g["limit"])) for g in held}
    return found | {f"gate holds/{g['name']}": Number(float(bool(g["holds"]))) for g in held}


def seen(pair: Pair, images: Tensor, methods: Mapping[str, Explain]) -> dict[str, Number]:
    """Share of the object that guided backprop gives positive relevance; patches of GradCAM under both networks."""
    with torch.no_grad():
        target = pair.true(images).argmax(1)
    found: dict[str, Number] = {}
    for labels, net in (("true", pair.true), ("permuted", pair.permuted[0])):
        guided = methods["guided_backprop"](net, images, target)
        found[f"positive/{labels}"] = over(share_positive(guided, images))
        if "gradcam" in methods:
            found[f"patches/{labels}"] = over(patches(methods["gradcam"](net, images, target)))
    if "gradcam" in methods:
        one, other = (patches(methods["gradcam"](net, images, target)) for net in (pair.true, pair.permuted[0]))
        found["patches/more"] = over(other - one)
    return found


def share_positive(maps: Tensor, images: Tensor) -> Tensor:
    """Of the pixels that are not black, the share with positive relevance. ``(B,)``"""
    inside = images.sum(1) > 0
    return ((maps.sum(1) > 0) & inside).flatten(1).sum(1) / inside.flatten(1).sum(1)


def patches(maps: Tensor, share: float = 0.5) -> Tensor:
    """Number of connected patches (sides and corners) over a share of a map's maximum. ``(B,)``; NaN for an empty one."""
    held = maps.sum(1, keepdim=True)
    peak = held.amax((1, 2, 3), keepdim=True)
    lit = (held > share * peak) & (peak > 0)
    label = torch.arange(1, lit[0].numel() + 1, dtype=torch.float64).reshape(lit.shape[1:]).expand(lit.shape) * lit
    while True:  # the largest number of a patch floods it
        spread = max_pool2d(label, 3, 1, 1) * lit
        if torch.equal(spread, label):
            break
        label = spread
    counts = [float(len(one[one > 0].unique())) for one in label]
    return torch.tensor(counts, dtype=torch.float64).masked_fill(peak.flatten() <= 0, float("nan"))


def drawn(pair: Pair, image: Tensor, methods: Mapping[str, Explain]) -> dict[str, Tensor]:
    """Maps of one image under both networks, for the class that the true one predicts: "map/METHOD" ``(2, C, H, W)``."""
    with torch.no_grad():
        target = pair.true(image).argmax(1)
    nets = (pair.true, pair.permuted[0])
    return {f"map/{n}": torch.cat([explain(net, image, target) for net in nets]) for n, explain in methods.items()}
