"""Claims of section 6: which post-processing for which metric."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import Series, bars, curves, photo_of, picture_of, tiles
from ..judge import above, below, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .faithfulness_claims import LEAST, NETS, WHY, named, row
from .mnist import IMAGE, INK, pixel_mnist
from .pixel import CHANNEL, FULLGRAD, MINIMAL, MNIST, MUCH, MUCH_MORE, RANDOM, SIGNED, digit_flip

STEPS = 8
SMALL = 0.1
"""Of the paper's psi's output change: a gain below that is none."""


def _minimal(found: Measured) -> Finding:
    ways = found[f"least/{MINIMAL} - {FULLGRAD}"], found[f"{SIGNED}least/{MINIMAL} - {FULLGRAD}"]
    better = min(ways, key=lambda number: number.value)
    text = "output change with psi_m less that with the paper's psi, pixels ranked by magnitude and by sign: "
    text += " and ".join(said(way, 3) for way in ways)
    return finding(every(above(way, 0) for way in ways), text, better)


def _better(found: Measured) -> Finding:
    gap = found[f"least/{MNIST} - {FULLGRAD}"]
    return finding(below(gap, 0), _gain(found, gap), gap)


def _no_gain(found: Measured) -> Finding:
    gap = found[f"least/{MNIST} - {FULLGRAD}"]
    return finding(above(gap, -SMALL * found.value(f"least/{FULLGRAD}")), _gain(found, gap), gap)


def _gain(found: Measured, gap: Number) -> str:
    shown = row(found, "least", (FULLGRAD, MNIST, CHANNEL))
    return f"mean output change: {shown}; psi_mnist less the paper's psi {said(gap, 3)}"


def _better_on_mnist(found: Measured) -> Finding:
    done = _better(found)
    image = f"{IMAGE} {said(found[f'least/{IMAGE}'], 4)}; {found.value('black'):.0%} of all pixels are black"
    return Finding(done.held, f"{done.measured}; {image}", done.number, done.reason)


def _better_on_ink(found: Measured) -> Finding:
    gap = found[f"ink/{MNIST} - {FULLGRAD}"]
    shown = row(found, "ink", (FULLGRAD, MNIST, IMAGE, RANDOM))
    return finding(below(gap, 0), f"mean output change: {shown}; psi_mnist less the paper's psi {said(gap, 3)}", gap)


def _flip(found: Measured) -> Finding:
    gap = found[f"flip/{MINIMAL} - {FULLGRAD}"]
    names = (FULLGRAD, MINIMAL, MNIST, "gradient x input", RANDOM)
    text = f"change of log-odds 8 against 3, nats: {row(found, 'flip', names, 1)}; psi_m less the paper's psi "
    text += f"{said(gap, 1)}; the paper's psi's own {MUCH:g} times less {said(found[MUCH_MORE], 1)}"
    return finding(above(found[MUCH_MORE], 0), text, found[MUCH_MORE])


def _psi(found: Measured) -> Figure:
    rows = (FULLGRAD, CHANNEL, MNIST, MINIMAL, RANDOM)
    return bars(
        {"least salient first (lower is better)": {named(n): tuple(found[f"least/{n}"]) for n in rows}},
        x_label="mean output change",
    )


def _flip_curves(found: Measured) -> Figure:
    x = [100 * 0.2 * k / STEPS for k in range(1, STEPS + 1)]
    names = (FULLGRAD, CHANNEL, MNIST, MINIMAL, "gradient x input", RANDOM)
    series = {
        named(n): Series.of(x, [found[f"curve/{n}/{k}"] for k in range(1, STEPS + 1)], n == RANDOM) for n in names
    }
    return curves(series, x_label="% of pixels erased, at most", y_label="change of log-odds, nats")


def _flipped(found: Measured) -> Figure:
    """Eights, then for both post-processings the difference of the maps of 8 and 3 and what is left of the digit."""
    a, count = found.arrays, len(found.arrays["before"])
    images, captions = [[photo_of(a["before"][i].numpy()) for i in range(count)]], [[""] * count]
    for name in (FULLGRAD, MINIMAL):
        images += [
            [picture_of(a[f"map/{name}"][i].numpy(), "diverging") for i in range(count)],
            [photo_of(a[f"after/{name}"][i].numpy()) for i in range(count)],
        ]
        captions += [[""] * count, [f"{a[f'odds/{name}'][i]:+.0f} nats" for i in range(count)]]
    rows = ["an eight", "FullGrad:\nmap of 8 - map of 3", "erased by FullGrad"]
    rows += ["with psi_m:\nmap of 8 - map of 3", "erased with psi_m"]
    return tiles(images, rows=rows, captions=captions)


EXPERIMENTS = (
    Experiment("fullgrad-pixel-mnist", pixel_mnist, (0.1, 0.5), data=("MNIST", "mnist_lenet"), reduced="1,000 images"),
    Experiment("fullgrad-flip", digit_flip, (0.04, 0.2), data=("MNIST", "mnist_lenet")),
)  # fmt: skip

_NONE = f"Held: psi_mnist changes the output less by no more than {SMALL:.0%} of what the paper's psi does."

CLAIMS = (
    Claim(
        "S2-6-minimal", "With psi_m (no abs, no rescaling) pixel perturbation gets worse.", "section 6",
        f"{NETS['cifar']}: as S2-Fig2a-cifar-mean; pixels ranked by magnitude and by sign, both of which must be worse.",
        _minimal, "fullgrad-pixel-cifar", published="a drop in performance", why=WHY["cifar"],
    ),
    Claim(
        "S2-6-minimal-photos", "With psi_m (no abs, no rescaling) pixel perturbation gets worse.", "section 6",
        f"{NETS['photos']}: as S2-Fig2a-mean; pixels ranked by magnitude and by sign, both of which must be worse.",
        _minimal, "fullgrad-pixel-photos", published="a drop in performance", why=WHY["photos"],
    ),
    Claim(
        "S2-6-mnist", "On MNIST pixel perturbation is better with psi_mnist (abs, no rescaling).", "section 6",
        f"LeNet, MNIST (200 images quick, 1,000 full): {LEAST}. Any gain counts.", _better_on_mnist, "fullgrad-pixel-mnist",
        published="worked much better",
        why="A pretrained LeNet; the paper does not say which network it used. More pixels are black than are ever "
        "removed, so any map that is lowest where the image is black wins here: so does the image itself.",
    ),
    Claim(
        "S2-6-mnist-ink", "On MNIST psi_mnist is better where only pixels that are not black are removed.", "section 6",
        f"The same images: mean of |f - f'| / |f| over {', '.join(f'{100 * f:g}' for f in INK)} % of each image's pixels "
        "that are not black, least salient first.",
        _better_on_ink, "fullgrad-pixel-mnist", published="worked much better",
        why="The paper removes black pixels too, which changes nothing; here every removed pixel is a change.",
    ),
    Claim(
        "S2-6-mnist-cifar", "On CIFAR psi_mnist is no gain.", "section 6",
        f"{NETS['cifar']}: as S2-Fig2a-cifar-mean. {_NONE}",
        _no_gain, "fullgrad-pixel-cifar", published="not the case for CIFAR-100", why="CIFAR-10 in place of CIFAR-100.",
    ),
    Claim(
        "S2-6-mnist-photos", "On ImageNet photos psi_mnist is no gain.", "section 6",
        f"{NETS['photos']}: as S2-Fig2a-mean. {_NONE}",
        _no_gain, "fullgrad-pixel-photos", published="not the case for ImageNet", why=WHY["photos"],
    ),
    Claim(
        "S2-6-digit", "Psi_m is much better at turning eights into threes than the paper's psi.", "section 6",
        "LeNet, eights of MNIST (192 quick, 974 full): at most 20 % of the pixels are erased where the map of 8 is above "
        f"that of 3 the most. Much: {MUCH:g} times the change of the paper's psi on the same images, or more.",
        _flip, "fullgrad-flip", published="much better",
        why="The protocol is DeepLIFT's, since the paper's supplement is missing.",
    ),
)  # fmt: skip

PICTURES = (
    Picture("Post-processings on CIFAR-10", "", "fullgrad-pixel-cifar", _psi, ("S2-6-minimal", "S2-6-mnist-cifar")),
    Picture("Post-processings on MNIST", "", "fullgrad-pixel-mnist", _psi, ("S2-6-mnist", "S2-6-mnist-ink")),
    Picture("Eights turned into threes", "", "fullgrad-flip", _flipped, ("S2-6-digit",), True),
    Picture("Digit flipping by share of erased pixels", "", "fullgrad-flip", _flip_curves, ("S2-6-digit",)),
)  # fmt: skip
