"""Claims of section 5.1: pixel perturbation."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ..judge import above, below, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .pixel import (
    FRACTIONS,
    FULLGRAD,
    RANDOM,
    RIVALS,
    pixel_cifar,
    pixel_photos,
)

SEVERAL = 2
"""Methods that random removal must not be told apart from."""


def _lowest(found: Measured) -> Finding:
    names = (*RIVALS, RANDOM)
    gaps = {name: found[f"least/{name} - {FULLGRAD}"] for name in names}
    nearest = min(gaps, key=lambda name: gaps[name].value)
    text = f"mean output change: {row(found, 'least', (FULLGRAD, *names))}; {named(nearest)} less FullGrad "
    text += said(gaps[nearest], 3) + _exceptions(found, names)
    return finding(every(above(gap, 0) for gap in gaps.values()), text, gaps[nearest])


def _exceptions(found: Measured, names: tuple[str, ...]) -> str:
    """Fractions at which another method's mean is lower than FullGrad's."""
    lower = [
        f"{named(name)} at {100 * f:g} %"
        for name in names
        for f in FRACTIONS
        if found.value(f"least/{name}/{f:g}") < found.value(f"least/{FULLGRAD}/{f:g}")
    ]
    return f"; lower than FullGrad: {', '.join(lower)}" if lower else "; lowest at every fraction"


def _alike(found: Measured) -> Finding:
    """A method is told apart where it changes the output more than random removal does, by its interval."""
    gaps = {name: found[f"most/{name} - {RANDOM}"] for name in (FULLGRAD, *RIVALS)}
    alike = [name for name, gap in gaps.items() if above(gap, 0) is not True]
    text = f"mean output change: {row(found, 'most', (*gaps, RANDOM))}; not above random removal: "
    return finding(len(alike) >= SEVERAL, f"{text}{', '.join(alike) or 'none'}", found[f"most/{RANDOM}"])


def _apart(found: Measured) -> Finding:
    gaps = {name: found[f"least/{name} - {RANDOM}"] for name in (FULLGRAD, *RIVALS)}
    nearest = max(gaps, key=lambda name: gaps[name].value)
    text = f"output change less that of random removal: {', '.join(f'{n} {said(g, 3)}' for n, g in gaps.items())}"
    return finding(every(below(gap, 0) for gap in gaps.values()), text, gaps[nearest])


def row(found: Measured, what: str, names: tuple[str, ...], digits: int = 3) -> str:
    return ", ".join(f"{named(name)} {said(found[f'{what}/{name}'], digits)}" for name in names)


def named(name: str) -> str:
    return "random removal" if name == RANDOM else name


def _curves(order: str, names: tuple[str, ...]) -> Callable[[Measured], Figure]:
    def draw(found: Measured) -> Figure:
        x = [100 * f for f in FRACTIONS]
        series = {
            named(n): Series.of(x, [found[f"{order}/{n}/{f:g}"] for f in FRACTIONS], n == RANDOM)
            for n in (*names, RANDOM)
        }
        return curves(
            series, x_label=f"% of pixels removed, {order} salient first", y_label="|f - f'| / |f|", log_x=True
        )

    return draw


_METHODS = (FULLGRAD, *RIVALS)
NETS = {"cifar": "ResNet-20, CIFAR-10 (96 images quick, 192 full)", "photos": "MobileNetV2, 16 photos"}
LEAST = "mean of |f - f'| / |f| of the predicted class over 8 fractions from .1 to 50 %, removed pixels black"
WHY = {
    "cifar": "ResNet-20 on CIFAR-10 in place of VGG-16 on ImageNet; integrated gradients and SmoothGrad by 25 samples.",
    "photos": "MobileNetV2 and 16 photos in place of VGG-16 and the ImageNet validation set.",
}

EXPERIMENTS = (
    Experiment("fullgrad-pixel-cifar", pixel_cifar, (0.9, 1.8), data=("CIFAR10", "cifar10_resnet20"),
               reduced="192 images of CIFAR-10"),
    Experiment("fullgrad-pixel-photos", pixel_photos, (None, 3.5), data=("photos", "mobilenet_v2_int8dq"),
               reduced="16 photos"),
)  # fmt: skip

CLAIMS = (
    Claim(
        "S2-Fig2a", "Removing the least salient pixels, FullGrad changes the output less than any other method.",
        "figure 2a, section 5.1", f"{NETS['photos']}: {LEAST}; differences on the same photos.", _lowest,
        "fullgrad-pixel-photos", published="FullGrad lowest",
        why=f"{WHY['photos']} Only Grad-CAM cannot be told apart from FullGrad; over 100 photos and 15 fractions, measured "
        "once, their means were equal too (.280).",
    ),
    Claim(
        "S2-Fig2a-cifar", "Removing the least salient pixels, FullGrad changes the output less than any other method.",
        "figure 2a, section 5.1", f"{NETS['cifar']}: {LEAST}; differences on the same images.", _lowest,
        "fullgrad-pixel-cifar", published="FullGrad lowest",
        why=f"{WHY['cifar']} Grad-CAM is the lowest where 10 or 50 % of the pixels are removed.",
    ),
    Claim(
        "S2-Fig2a-vgg16", "The same with VGG-16 and the ImageNet validation set.", "figure 2a, section 5.1", "Not run.",
        published="FullGrad lowest",
        missing="there are no VGG-16 weights and no ImageNet validation set here; with both: heatproof bench pixel --model "
        "torchvision:vgg16_bn --weights VGG16_BN.safetensors --data IMAGENET_VAL --fills black --methods "
        "'fullgrad,gradcam,gradient,smoothgrad,integrated_gradients'",
    ),
    Claim(
        "S2-5.1-alt", "Removing the most salient pixels, several methods are like random removal.", "section 5.1",
        f"{NETS['photos']}: as S2-Fig2a, most salient first. Held: {SEVERAL} of 5 methods or more are not above random.",
        _alike, "fullgrad-pixel-photos", published="several methods similar to random", why=WHY["photos"],
    ),
    Claim(
        "S2-5.1-alt-cifar", "Removing the most salient pixels, several methods are like random removal.", "section 5.1",
        f"{NETS['cifar']}: as S2-Fig2a, most salient first. Held: {SEVERAL} of 5 methods or more are not above random.",
        _alike, "fullgrad-pixel-cifar", published="several methods similar to random", why=WHY["cifar"],
    ),
    Claim(
        "S2-5.1-least", "Removing the least salient pixels tells methods from random removal.", "section 5.1",
        f"{NETS['cifar']}: as S2-Fig2a-cifar, every method less random removal.", _apart, "fullgrad-pixel-cifar",
        published="random highest", why=WHY["cifar"],
    ),
)  # fmt: skip

PICTURES = (
    Picture("Least salient pixels removed, MobileNetV2", "figure 2a", "fullgrad-pixel-photos", _curves("least", _METHODS),
            ("S2-Fig2a", "S2-6-minimal-photos", "S2-6-mnist-photos")),
    Picture("Least salient pixels removed, ResNet-20", "figure 2a", "fullgrad-pixel-cifar", _curves("least", _METHODS),
            ("S2-Fig2a-cifar", "S2-5.1-least")),
    Picture("Most salient pixels removed, MobileNetV2", "", "fullgrad-pixel-photos", _curves("most", _METHODS),
            ("S2-5.1-alt",)),
    Picture("Most salient pixels removed, ResNet-20", "", "fullgrad-pixel-cifar", _curves("most", _METHODS),
            ("S2-5.1-alt-cifar",)),
)  # fmt: skip
