"""Weights of the MNIST and Fashion-MNIST networks drawn again layer by layer (section 3; figures 4, 20, 21, 26 to 35)."""

from __future__ import annotations

from torch import nn

from ..lab import Lab
from ..types import Measured, Number
from .randomisation_audit import code_audit, gathered, named, outlines, strips

SPATIAL = ("gradcam", "guided_gradcam")
"""Methods that need a layer with height and width."""
PRODUCTS = ("integrated_gradients", "gradient_x_input")


def figures(few: int, draws: int) -> dict[str, str]:
    """Methods of the paper's rank correlations, by the names of their numbers."""
    return {
        "gradient": "gradient",
        "smoothgrad": f"smoothgrad(n={few})",
        "guided_backprop": "guided_backprop",
        "gradcam": "gradcam",
        "guided_gradcam": "guided_gradcam",
        "integrated_gradients": f"integrated_gradients(steps={few})",
        "ig_smoothgrad": f"ig_smoothgrad(n={draws})",
        "gradient_x_input": "gradient_x_input",
    }


def texts(lab: Lab, spatial: bool) -> dict[str, str]:
    """Methods of figures 4 and 20 to 35 and of the older appendix, by the names of their numbers."""
    few, draws = lab.pick(8, 20, 50), lab.pick(2, 5, 25)
    found = {
        **figures(few, draws),
        "vargrad": f"vargrad(gradient, n={min(few, 25)})",
        "deeplift": "deeplift",
        "lrp": "lrp(rule='epsilon')",
    }
    return {name: text for name, text in found.items() if spatial or name not in SPATIAL}


def mnist_cnn(lab: Lab) -> Measured:
    """Cascading, reverse and independent, with VarGrad, DeepLIFT and epsilon-LRP."""
    return of_network(lab, lab.network("mnist-cnn"), "MNIST", ("cascading", "independent", "reverse"))


def mnist_mlp(lab: Lab) -> Measured:
    return of_network(lab, lab.network("mnist-mlp"), "MNIST", spatial=False)


def fashion_cnn(lab: Lab) -> Measured:
    return of_network(lab, lab.network("fashion-cnn"), "FashionMNIST")


def fashion_mlp(lab: Lab) -> Measured:
    """The network on true labels of the pair that the test of labels needs."""
    return of_network(lab, lab.pair("labels-fashion-mlp").true, "FashionMNIST", spatial=False)


def of_network(
    lab: Lab,
    model: nn.Module,
    data: str,
    checks: tuple[str, ...] = ("cascading", "independent"),
    spatial: bool = True,
) -> Measured:
    """Similarities under five redraws of each stage, those of products on "many/" images, and the first image's strips."""
    images, _ = lab.labelled(data, "test", lab.pick(8, 10, 200))
    results = code_audit(lab, model, images, named(lab, texts(lab, spatial)), checks)
    found = gathered(results)
    numbers = {**found.numbers, **outlines(results, PRODUCTS), **signs_of_many(lab, model, data)}
    return Measured(numbers, {"photo": images[0], **strips(results)}, found.words)


def signs_of_many(lab: Lab, model: nn.Module, data: str) -> dict[str, Number]:
    """Products down a cascade on more images, since their signed correlation differs much between images."""
    images, _ = lab.labelled(data, "test", lab.pick(20, 40, 200))
    few = {name: text for name, text in texts(lab, False).items() if name in PRODUCTS}
    numbers = gathered(code_audit(lab, model, images, named(lab, few), ("cascading",))).numbers
    return {f"many/{name}": n for name, n in numbers.items() if name.startswith("cascading/")}
