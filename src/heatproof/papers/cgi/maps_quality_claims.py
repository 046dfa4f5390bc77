"""Claims of figure 3 and footnote 1: the quality of CGI beside that of gradient x input, and of softmax gradients."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import bars, photo_of, picture_of, tiles
from ..judge import above, below, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .maps_cifar import MAPS, cifar_quality
from .maps_quality import METHODS, photo_maps

PHOTOS, CIFAR = "cgi-photo-maps", "cgi-cifar-quality"
SHARE, AREA, EQUAL = 0.1, 0.02, 0.01
"""Comparable: not worse by more than this, as a share of mass and as an area; and areas that are the same."""
NO_QUALITY = "gradient x input does not clearly beat chance here, so quality cannot be compared"
NAMES = {"gradient_x_input": "gradient x input", "cgi": "CGI"}


def _photos(found: Measured) -> Finding:
    number = found["difference"]
    shares = ", ".join(f"{NAMES[m]} {said(found[m])}" for m in METHODS)
    text = (
        f"difference {said(number)}; {shares}, area of the box {found.value('area'):.2f}; values kept "
        f"{found.value('kept'):.3f}, mass kept {found.value('mass'):.2f}"
    )
    return _comparable(found["above area"], above(number, -SHARE), text, number)


def _cifar(found: Measured) -> Finding:
    number = found["CGI minus gradient x input"]
    text = f"difference {said(number, 3)}; gain: {_gains(found, 'gradient x input', 'CGI')}"
    return _comparable(found["gain/gradient x input"], above(number, -AREA), text, number)


def _comparable(gain: Number, held: bool | None, text: str, number: Number) -> Finding:
    """None unless the map that the paper starts from tells more than chance, by its gain over it."""
    if above(gain, 0):
        return finding(held, text, number)
    return finding(None, text, number, NO_QUALITY)


def _softmax(found: Measured) -> Finding:
    number = found["CGI, softmax minus CGI"]
    text = (
        f"gain of softmax minus logits: CGI {said(number, 3)}, gradient x input "
        f"{said(found['gradient x input, softmax minus gradient x input'], 3)}; values kept by the contest: softmax "
        f"{said(found['kept, softmax'])}, logits {said(found['kept'])}; gain: "
        f"{_gains(found, 'gradient x input', 'CGI', 'CGI, softmax')}"
    )
    return _comparable(found["gain/gradient x input"], below(number, 0), text, number)


def _centred(found: Measured) -> Finding:
    number = found["centred CGI minus CGI"]
    held = False if within(number, 0, EQUAL) else above(number, 0)
    text = f"gain, centred minus plain {said(number, 4)}; gain: {_gains(found, 'gradient x input', 'CGI')}"
    return _comparable(found["gain/gradient x input"], held, text, number)


def _gains(found: Measured, *names: str) -> str:
    return ", ".join(f"{name} {said(found[f'gain/{name}'], 3)}" for name in names)


def _photo_tiles(found: Measured) -> Figure:
    photos = [photo_of(p.numpy()) for p in found.arrays["photos"]]
    rows = [photos, *([picture_of(m.numpy(), "diverging") for m in found.arrays[name]] for name in METHODS)]
    return tiles(rows, ["photo", *(NAMES[m] for m in METHODS)])


def _cifar_tiles(found: Measured) -> Figure:
    photos = [photo_of(p.numpy()) for p in found.arrays["photos"]]
    rows = [photos, *([picture_of(m.numpy(), "diverging") for m in found.arrays[name]] for name in MAPS)]
    return tiles(rows, ["image", *MAPS])


def _bars(found: Measured) -> Figure:
    return bars(
        {"gain": {name: tuple(found[f"gain/{name}"]) for name in MAPS}},
        x_label="gain over random order: how much faster the probability falls",
    )


EXPERIMENTS = (
    Experiment(
        PHOTOS,
        photo_maps,
        minutes=(0.9, 2.25),
        data=("photos", "squeezenet1_0_dc"),
        reduced="10 photos at 112 pixels",
    ),
    Experiment(CIFAR, cifar_quality, minutes=(None, 0.55), networks=("cifar-clean",), reduced="300 images"),
)

CIFAR_SETTING = (
    "CIFAR-10 CNN, test images, most salient pixels (sum of |values|) turned black first: area between the curves of the "
    "class's probability in random and in the map's order."
)
TOLD = "Told only where gradient x input beats random order."
CLAIMS = (
    Claim(
        "S0-Fig3",
        "Maps of CGI are of comparable quality to those of gradient x input.",
        "section 4, figure 3",
        "SqueezeNet, photos at 112 pixels, 1000 classes compete: share of |map| inside the object's box. "
        f"Told only where gradient x input's share is over the box's area. Held: CGI not worse by more than {SHARE}.",
        _photos,
        PHOTOS,
        "comparable quality",
        "SqueezeNet stands in for VGG-19, whose weights are not here, on few photos of half the side; the paper shows only "
        "pictures.",
    ),
    Claim(
        "S0-Fig3-CIFAR",
        "The same on a small network.",
        "section 4, figure 3",
        f"{CIFAR_SETTING} {TOLD} Held: CGI not worse by more than {AREA}.",
        _cifar,
        CIFAR,
        "comparable quality",
        "Pixel perturbation on a CIFAR-10 CNN in place of a look at photos.",
    ),
    Claim(
        "S0-Fig3-VGG19",
        "Maps of CGI are of comparable quality to those of gradient x input on VGG-19.",
        "section 4, figure 3",
        "",
        published="comparable quality",
        missing="VGG-19's weights are not here. With them: heatproof bench localise --model torchvision:vgg19 --weights "
        "vgg19.pth --images photos --masks boxes.csv --methods gradient_x_input,cgi.",
    ),
    Claim(
        "S0-Neg",
        "Gradients of softmax outputs in place of logits do not yield good methods.",
        "footnote 1",
        f"{CIFAR_SETTING} {TOLD} Held: CGI of softmax outputs below CGI of logits.",
        _softmax,
        CIFAR,
        "did not yield good methods",
        "The paper names no measure. Softmax gradients sum to zero over the labels, so that a confident label wins nearly "
        "every pixel: the contest removes little.",
    ),
    Claim(
        "S0-Ext-centred",
        "The best way to combine all logits is open: centred competition gives better maps than CGI.",
        "section 5, open question",
        f"{CIFAR_SETTING} {TOLD} Held: centred competition above CGI; not if they differ by under {EQUAL}.",
        _centred,
        CIFAR,
        "an open question",
        "Not a claim of the paper: compete(center=True) is our answer.",
    ),
)

PICTURES = (
    Picture("Gradient x input and CGI on photos", "figure 3", PHOTOS, _photo_tiles, ("S0-Fig3",), photos=True),
    Picture(
        "Competition of logits and of softmax outputs on CIFAR-10",
        "",
        CIFAR,
        _cifar_tiles,
        ("S0-Fig3-CIFAR", "S0-Neg"),
        photos=True,
    ),
    Picture(
        "Pixel perturbation on CIFAR-10",
        "",
        CIFAR,
        _bars,
        ("S0-Fig3-CIFAR", "S0-Neg", "S0-Ext-centred"),
    ),
)
