"""Claims of section 5.1: pixel perturbation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ..judge import above, below, each_above, each_below, every, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .answers import many
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
ALIKE = 0.1
"""Of the change by random removal: a method that differs by less from it is like it."""


def _lowest(found: Measured) -> Finding:
    """FullGrad is the lowest at every fraction."""
    gaps = {(name, f): found[f"least/{name} - {FULLGRAD}/{f:g}"] for name in (*RIVALS, RANDOM) for f in FRACTIONS}
    answers = {key: above(gap, 0) for key, gap in gaps.items()}
    worst = min(gaps, key=lambda key: (_order(answers[key]), gaps[key].lower))
    text = f"{_images(found)}: {_places(answers, None)} not told apart from FullGrad; {_places(answers, False)} lower; "
    text += f"{named(worst[0])} less FullGrad at {100 * worst[1]:g} % {said(gaps[worst], 3)}"
    return finding(every(answers.values()), text, gaps[worst])


def _order(answer: bool | None) -> int:
    """No first, then unclear, then yes."""
    return {False: 0, None: 1, True: 2}[answer]


def _places(answers: Mapping[tuple[str, float], bool | None], which: bool | None) -> str:
    """Methods with the fractions at which the answer is this one."""
    names = dict.fromkeys(name for (name, _), answer in answers.items() if answer is which)
    at = {n: ", ".join(f"{100 * f:g}" for (name, f), a in answers.items() if name == n and a is which) for n in names}
    return "; ".join(f"{named(name)} (at {where} %)" for name, where in at.items()) or "none"


def _lowest_mean(found: Measured) -> Finding:
    names = (*RIVALS, RANDOM)
    gaps = {name: found[f"least/{name} - {FULLGRAD}"] for name in names}
    nearest = min(gaps, key=lambda name: gaps[name].lower)
    unclear = [named(name) for name, gap in gaps.items() if above(gap, 0) is None]
    text = f"{_images(found)}, mean output change: {row(found, 'least', (FULLGRAD, *names))}; {named(nearest)} less "
    text += f"FullGrad {said(gaps[nearest], 3)}; not told apart from FullGrad: {', '.join(unclear) or 'none'}"
    held, number = each_above(gaps.values(), 0)
    return finding(held, text, number)


def _images(found: Measured) -> str:
    return f"{found.value('images'):g} images"


def _alike(found: Measured) -> Finding:
    """A method is like random removal where the interval of their difference is about zero; worse where it is below."""
    gaps = {name: found[f"most/{name} - {RANDOM}"] for name in (FULLGRAD, *RIVALS)}
    margin = ALIKE * found.value(f"most/{RANDOM}")
    answers = {name: within(gap, 0, margin) for name, gap in gaps.items()}
    alike, unclear = ([name for name in gaps if answers[name] is which] for which in (True, None))
    worse = [name for name, gap in gaps.items() if below(gap, 0)]
    text = f"{_images(found)}, mean output change: {row(found, 'most', (*gaps, RANDOM))}; "
    text += f"like random removal: {_list(alike)}; unclear: {_list(unclear)}; "
    text += f"changes less than random removal: {_list(worse)}"
    held = many(answers.values(), SEVERAL)
    near = sorted((gaps[name] for name in gaps if answers[name] is held), key=lambda gap: abs(gap.value))
    return finding(held, text, near[0])


def _list(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _apart(found: Measured) -> Finding:
    gaps = {name: found[f"least/{name} - {RANDOM}"] for name in (FULLGRAD, *RIVALS)}
    held, number = each_below(gaps.values(), 0)
    text = f"{_images(found)}, output change less that of random removal: "
    text += ", ".join(f"{name} {said(gap, 3)}" for name, gap in gaps.items())
    return finding(held, text, number)


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
NETS = {"cifar": "ResNet-20, CIFAR-10", "photos": "MobileNetV2, ImageNet photos"}
_CHANGE = "|f - f'| / |f| of the predicted class"
LEAST = f"mean of {_CHANGE} over 8 fractions from .1 to 50 %, removed pixels black"
_EACH = f"{_CHANGE} at each of 8 fractions from .1 to 50 %, removed pixels black; held: FullGrad is lower at every one"
BLACK = (
    "integrated gradients and SmoothGrad by 25 samples. Black as the paper says: the authors' script puts the mean, which "
    "is 0 after normalising."
)
WHY = {
    "cifar": f"ResNet-20 on CIFAR-10 in place of VGG-16 on ImageNet; {BLACK}",
    "photos": f"MobileNetV2 and 64 photos in place of VGG-16 and the ImageNet validation set; {BLACK}",
}

EXPERIMENTS = (
    Experiment("fullgrad-pixel-cifar", pixel_cifar, (0.9, 1.8), data=("CIFAR10", "cifar10_resnet20"),
               reduced="192 images of CIFAR-10"),
    Experiment("fullgrad-pixel-photos", pixel_photos, (None, 10.0), data=("photos", "mobilenet_v2_int8dq"),
               reduced="64 photos"),
)  # fmt: skip

_LIKE = f"Held: of {SEVERAL} of 5 methods or more the interval is within {ALIKE:.0%} of random removal's change of it."

CLAIMS = (
    Claim(
        "S2-Fig2a", "Removing the least salient pixels, FullGrad changes the output less than any other method.",
        "figure 2a, section 5.1", f"{NETS['photos']}: {_EACH}; differences on the same photos.", _lowest,
        "fullgrad-pixel-photos", published="FullGrad lowest", why=WHY["photos"],
    ),
    Claim(
        "S2-Fig2a-mean",
        "Removing the least salient pixels, FullGrad changes the output least in the mean over the fractions.",
        "figure 2a, section 5.1",
        f"{NETS['photos']}: {LEAST}; differences on the same photos.", _lowest_mean, "fullgrad-pixel-photos",
        published="FullGrad lowest", why=WHY["photos"],
    ),
    Claim(
        "S2-Fig2a-cifar", "Removing the least salient pixels, FullGrad changes the output less than any other method.",
        "figure 2a, section 5.1", f"{NETS['cifar']}: {_EACH}; differences on the same images.", _lowest,
        "fullgrad-pixel-cifar", published="FullGrad lowest",
        why=f"{WHY['cifar']} Why Grad-CAM is lower at 50 % is not known.",
    ),
    Claim(
        "S2-Fig2a-cifar-mean",
        "Removing the least salient pixels, FullGrad changes the output least in the mean over the fractions.",
        "figure 2a, section 5.1",
        f"{NETS['cifar']}: {LEAST}; differences on the same images.", _lowest_mean, "fullgrad-pixel-cifar",
        published="FullGrad lowest", why=WHY["cifar"],
    ),
    Claim(
        "S2-Fig2a-vgg16",
        "Removing the least salient pixels, FullGrad changes the output least: VGG-16 and ImageNet.",
        "figure 2a, section 5.1", "Not run.",
        published="FullGrad lowest",
        missing="there are no VGG-16 weights and no ImageNet validation set here; with both: heatproof bench pixel --model "
        "torchvision:vgg16_bn --weights VGG16_BN.safetensors --data IMAGENET_VAL --fills black --methods "
        "'fullgrad,gradcam,gradient,smoothgrad,integrated_gradients'",
    ),
    Claim(
        "S2-5.1-alt", "Removing the most salient pixels, several methods are like random removal.", "section 5.1",
        f"{NETS['photos']}: as S2-Fig2a-mean, most salient first. {_LIKE}",
        _alike, "fullgrad-pixel-photos", published="several methods similar to random", why=WHY["photos"],
    ),
    Claim(
        "S2-5.1-alt-cifar", "Removing the most salient pixels, several methods are like random removal.", "section 5.1",
        f"{NETS['cifar']}: as S2-Fig2a-mean, most salient first. {_LIKE}",
        _alike, "fullgrad-pixel-cifar", published="several methods similar to random", why=WHY["cifar"],
    ),
    Claim(
        "S2-5.1-least", "Removing the least salient pixels tells methods from random removal.", "section 5.1",
        f"{NETS['photos']}: as S2-Fig2a-mean, every method less random removal.", _apart, "fullgrad-pixel-photos",
        published="random highest", why=WHY["photos"],
    ),
    Claim(
        "S2-5.1-least-cifar", "Removing the least salient pixels tells methods from random removal.", "section 5.1",
        f"{NETS['cifar']}: as S2-Fig2a-mean, every method less random removal.", _apart, "fullgrad-pixel-cifar",
        published="random highest", why=WHY["cifar"],
    ),
)  # fmt: skip

PICTURES = (
    Picture("Least salient pixels removed, MobileNetV2", "figure 2a", "fullgrad-pixel-photos", _curves("least", _METHODS),
            ("S2-Fig2a", "S2-Fig2a-mean", "S2-5.1-least", "S2-6-minimal-photos", "S2-6-mnist-photos")),
    Picture("Least salient pixels removed, ResNet-20", "figure 2a", "fullgrad-pixel-cifar", _curves("least", _METHODS),
            ("S2-Fig2a-cifar", "S2-Fig2a-cifar-mean", "S2-5.1-least-cifar")),
    Picture("Most salient pixels removed, MobileNetV2", "", "fullgrad-pixel-photos", _curves("most", _METHODS),
            ("S2-5.1-alt",)),
    Picture("Most salient pixels removed, ResNet-20", "", "fullgrad-pixel-cifar", _curves("most", _METHODS),
            ("S2-5.1-alt-cifar",)),
)  # fmt: skip
