"""Claims of figure 1: what the maps of all logits share."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import photo_of, picture_of, tiles
from ..judge import above, deciding, every, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps import CLASSES, DIGIT, EXPECTED, all_logits_alexnet, all_logits_cnn

CNN, ALEXNET = "cgi-all-logits-cnn", "cgi-all-logits-alexnet"
NAMES = {CNN: "the CNN of Adebayo et al.", ALEXNET: "AlexNet at a quarter of its width"}
MANY = 0.05
"""Of the digit's pixels."""
LEAST = 0.1
"""A correlation under it is no likeness to speak of."""


def _visible(found: Measured) -> Finding:
    number = found["visible"]
    return finding(above(number, 0.9), f"{said(number, 3)} in the least similar of the ten maps", number)


def _in_all(found: Measured) -> Finding:
    held = every([above(found["in all"], MANY), above(found["beyond chance"], 0)])
    text = (
        f"share with positive heat in all ten maps: {said(found['in all'], 4)}; by chance, were the signs of the maps "
        f"independent: {plain(found.value('chance'), 4)}"
    )
    return finding(held, text, found["in all"])


def _in_another(found: Measured) -> Finding:
    number, beyond = found["in another too"], found["another beyond chance"]
    text = (
        f"{said(number, 3)}; by chance, were the signs of the maps independent: "
        f"{plain(found.value('another by chance'), 3)}, difference {said(beyond, 4)}"
    )
    return finding(every([above(number, 0.5), above(beyond, 0)]), text, beyond)


def _strokes(found: Measured) -> Finding:
    like = ((above(found[f"strokes own/{c}"], LEAST), found[f"strokes own/{c}"]) for c in EXPECTED)
    more = ((above(found[f"strokes/{c}"], 0), found[f"strokes/{c}"]) for c in EXPECTED)
    held, number = deciding([*like, *more])
    text = "; ".join(
        f"map of {c}: {said(found[f'strokes own/{c}'], 3)}, {said(found[f'strokes/{c}'], 3)} more than other labels' maps "
        f"with the same mean image, place {found.value(f'strokes rank/{c}'):.0f} of {CLASSES}"
        for c in EXPECTED
    )
    return finding(held, text, number)


def _panel(found: Measured) -> Figure:
    maps = found.arrays["maps"].numpy()
    pictures = [photo_of(1 - found.arrays["photo"].numpy()), *map(picture_of, maps)]
    last = picture_of(found.arrays["cgi"].numpy(), "diverging")
    names = ["image", *(f"logit {c}" for c in range(CLASSES)), f"CGI, logit {DIGIT}"]
    rows = [[*pictures, last][i : i + 6] for i in (0, 6)]
    return tiles(rows, captions=[names[:6], names[6:]])


def _claims(experiment: str, suffix: str) -> tuple[Claim, ...]:
    where = f"{NAMES[experiment]} on MNIST in [0, 1] (black is 0), test images of a {DIGIT} that it predicts as {DIGIT}"
    rows: tuple[tuple[str, str, str, Callable[[Measured], Finding], str], ...] = (
        (
            "",
            "The digit is clearly visible in the gradient x input maps of all ten logits.",
            "Held: mean absolute rank correlation of image and map over 0.9, in the worst map of each image.",
            _visible,
            "Such a correlation needs no network: maps that are zero where the image is black reach .985 by chance.",
        ),
        (
            "-heat",
            "Many pixels receive heat (positive values) in all the maps.",
            f"Share of the digit's pixels. Held: over {MANY:.0%}, and over what independent signs would give.",
            _in_all,
            "No pixel count is published; the ten maps of a pixel lean to different signs. Whether a human finds a pixel "
            "irrelevant is not measured.",
        ),
        (
            "-shared",
            "Many relevant pixels receive heat in more than one map.",
            f"Share of the pixels with heat in the map of {DIGIT} that have some in another one too. Held: over a "
            "half, and over what independent signs would give.",
            _in_another,
            "With ten maps chance alone leaves nearly no pixel to one map.",
        ),
        (
            "-strokes",
            "The maps of 7 and 5 are red where those digits have strokes, blue where they have none.",
            "Rank correlation of the label's map with its mean image over the pixels of the digit, minus the mean of the "
            f"nine other maps with the same image. Held: over 0 for both, and the label's own over {LEAST}.",
            _strokes,
            "The paper shows one image, and these are many, over which the map of 7 hardly follows a 7; any map may "
            "resemble a mean image, hence the other maps.",
        ),
    )
    return tuple(
        Claim(
            f"S0-Fig1{suffix}{name}", says, "section 3, figure 1", f"{where}. {how}", judge, experiment, "in words", why
        )
        for name, says, how, judge, why in rows
    )


EXPERIMENTS = (
    Experiment(CNN, all_logits_cnn, minutes=(0.1, 0.15), networks=("mnist-cnn",), reduced="300 images"),
    Experiment(
        ALEXNET,
        all_logits_alexnet,
        minutes=(None, 0.25),
        networks=("labels-mnist-alexnet",),
        reduced="a quarter of the width, 6,000 training images, 300 test images",
    ),
)
CLAIMS = (*_claims(ALEXNET, ""), *_claims(CNN, "-CNN"))
PICTURES = (
    Picture(
        "Gradient x input of every logit for one digit, and CGI",
        "figure 1",
        ALEXNET,
        _panel,
        tuple(c.id for c in _claims(ALEXNET, "")),
        photos=True,
    ),
    Picture("The same on the CNN", "figure 1", CNN, _panel, tuple(c.id for c in _claims(CNN, "-CNN")), photos=True),
)
