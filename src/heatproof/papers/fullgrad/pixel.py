"""Pixel perturbation and digit flipping (sections 5.1 and 6)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...experiment.bench_results import BenchResults
from ...types import Explain
from ..lab import IMAGENET, Lab
from ..numbers import Array, over
from ..types import Measured, Number

FRACTIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5)
"""Of the authors' code; the curves of figure 2a are drawn over their logarithm."""
CHUNK = {False: 16, True: 2}
"""Images in a pass: small ones, and photos."""
FULLGRAD, RANDOM = "FullGrad", "random_map"
RIVALS = {
    "Grad-CAM": "gradcam",
    "gradient": "gradient",
    "SmoothGrad": "smoothgrad(n=25)",
    "integrated gradients": "integrated_gradients(steps=25)",
}
CHANNEL, MNIST, MINIMAL = "FullGrad by channel", "FullGrad with psi_mnist", "FullGrad with psi_m"
PSI = {
    CHANNEL: "fullgrad(rescale='channel')",
    MNIST: "fullgrad(rescale='none')",
    MINIMAL: "fullgrad(rescale='none', values='signed')",
}
ALL = {FULLGRAD: "fullgrad", **RIVALS, **PSI}
MUCH = 2.0
"""Times as much: "much better"."""
MUCH_MORE = "flip/much more"
SIGNED = "signed rank/"
"""Before the names of numbers whose pixels are ranked by signed values; elsewhere by magnitudes."""


def pixel_cifar(lab: Lab) -> Measured:
    """ResNet-20 on CIFAR-10: all methods and all post-processings."""
    x, _ = lab.cifar_units(lab.pick(96, 192, 1000))
    found = perturbed(lab, "pixel", lab.resnet20(), x, named(lab, ALL), imagenet_black())
    return Measured(found | signed_rank(lab, lab.resnet20(), x, imagenet_black()))


def pixel_photos(lab: Lab) -> Measured:
    """MobileNetV2 on photos: all methods and all post-processings."""
    net, x = lab.photo_net("mobilenet_v2"), lab.photos(lab.pick(4, 64, 1000)).pixels
    found = perturbed(lab, "pixel", net, x, named(lab, ALL), imagenet_black())
    return Measured(found | signed_rank(lab, net, x, imagenet_black()))


def digit_flip(lab: Lab) -> Measured:
    """LeNet on eights of MNIST, turned into threes: signed maps beside FullGrad's."""
    x, targets = digits(lab, lab.pick(2000, 10_000))
    eights = x[targets == 8]
    texts = {FULLGRAD: "fullgrad", **PSI, "gradient x input": "gradient_x_input", "gradient": "gradient"}
    results = lab.bench(
        "flip", "flip", lab.lenet(), eights, named(lab, texts), targets=torch.full((len(eights),), 8),
        black=mnist_units(torch.zeros(1)), chunk=64,
    )  # fmt: skip
    rows = {name: by_stage(results, name, "logodds:8-3").mean(0) for name in (*texts, RANDOM)}
    numbers = {f"flip/{name}": over(values) for name, values in rows.items()}
    numbers[MUCH_MORE] = over(rows[MINIMAL] - MUCH * rows[FULLGRAD])
    numbers |= {f"flip/{name} - {FULLGRAD}": over(rows[name] - rows[FULLGRAD]) for name in rows if name != FULLGRAD}
    for name in rows:
        curve = by_stage(results, name, "curve:8-3")
        numbers |= {f"curve/{name}/{k}": over(values) for k, values in enumerate(curve, 1)}
    return Measured(numbers | {"images": Number(float(len(eights)))}, flipped(lab, eights[:5]))


def flipped(lab: Lab, x: Tensor) -> dict[str, Tensor]:
    """Some eights before and after: erased where the map says 8 and not 3 the most, at most 20 % of the pixels."""
    found = {"before": pixels_of(x)}
    for name, text in ((FULLGRAD, "fullgrad"), (MINIMAL, PSI[MINIMAL])):
        a, b = (lab.method(text)(lab.lenet(), x, torch.full((len(x),), digit)) for digit in (8, 3))
        difference = (a - b).sum(1)
        lowest = difference.flatten(1).topk(round(0.2 * 784)).values[:, -1, None, None]
        gone = (difference >= lowest) & (difference > 0)
        erased = x.masked_fill(gone[:, None], float(mnist_units(torch.zeros(1))))
        with torch.no_grad():
            found[f"odds/{name}"] = _odds(lab.lenet(), x) - _odds(lab.lenet(), erased)
        found |= {f"map/{name}": difference[:, None].float(), f"after/{name}": pixels_of(erased)}
    return found


def _odds(net: nn.Module, x: Tensor) -> Tensor:
    out: Tensor = net(x)
    return out[:, 8] - out[:, 3]


def perturbed(
    lab: Lab, run: str, net: nn.Module, x: Tensor, methods: Mapping[str, Explain], black: Tensor, **options: Any
) -> dict[str, Number]:
    """Output changes as "least/METHOD/FRACTION", their means over the fractions as "least/METHOD", and differences of
    methods on the same images as "least/A - B/FRACTION" and "least/A - B"; "most" where the most salient pixels go first.
    """
    results = lab.bench(
        "pixel",
        run,
        net,
        x,
        methods,
        black=black,
        fractions=FRACTIONS,
        chunk=CHUNK[x.shape[-1] > 64],
        **options,
    )
    numbers: dict[str, Number] = {"images": Number(float(len(x)))}
    for order in ("least", "most"):
        cells = {name: by_stage(results, name, f"change:{order}:black") for name in (*methods, RANDOM)}
        for name, values in (cells | {f"{a} - {b}": cells[a] - cells[b] for a, b in pairs(cells)}).items():
            numbers |= {f"{order}/{name}/{f:g}": over(v) for f, v in zip(FRACTIONS, values, strict=True)}
            numbers[f"{order}/{name}"] = over(values.mean(0))
    return numbers


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Every method beside FullGrad and beside chance."""
    return [(a, b) for a in names for b in (FULLGRAD, RANDOM) if a != b]


def signed_rank(lab: Lab, net: nn.Module, x: Tensor, black: Tensor) -> dict[str, Number]:
    """psi_m with pixels ranked by its sign too, beside FullGrad: what speaks against the class goes first."""
    methods = named(lab, {FULLGRAD: "fullgrad", MINIMAL: PSI[MINIMAL]})
    found = perturbed(lab, "pixel-signed", net, x, methods, black, rank="signed")
    return {f"{SIGNED}{name}": number for name, number in found.items()}


def named(lab: Lab, texts: Mapping[str, str]) -> dict[str, Explain]:
    return {name: lab.method(text) for name, text in texts.items()}


def by_stage(results: BenchResults, method: str, metric: str) -> Array:
    """Values of a method by stage and image. ``(S, I)``"""
    table = results.table
    rows = table[(table["method"] == method) & (table["metric"] == metric)]
    return np.asarray(rows.pivot_table(index="stage", columns="image", values="value", dropna=False), dtype=float)


def digits(lab: Lab, limit: int) -> tuple[Tensor, Tensor]:
    """MNIST test images in the units of LeNet, and their labels."""
    x, targets = lab.labelled("MNIST", "test", limit)
    return mnist_units(x), targets


def mnist_units(x: Tensor) -> Tensor:
    return (x - 0.1307) / 0.3081


def pixels_of(x: Tensor) -> Tensor:
    return (x * 0.3081 + 0.1307).clamp(0, 1).float()


def imagenet_black() -> Tensor:
    """A black pixel in ImageNet's units."""
    return -torch.tensor(IMAGENET["mean"]) / torch.tensor(IMAGENET["std"])
