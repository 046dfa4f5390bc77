"""Claims of sections 3 and 3.1 about trained networks, on the MNIST and the CIFAR-10 CNN."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import bars, points
from ...theory.nulls import correlated_share, survival
from ..judge import above, below, deciding, every, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .maps_trained import CLASSES, TOP, trained_cifar, trained_mnist

MNIST, CIFAR = "cgi-trained-mnist", "cgi-trained-cifar"
NAMES = {MNIST: "MNIST CNN", CIFAR: "CIFAR-10 CNN"}
BLIND = "Logits are free up to a shift that no softmax sees, and ratios are not."
CLEARLY = 3
"""Times what chance gives: "well above"."""
Judge = Callable[[Measured], Finding]


def _regression(found: Measured) -> Finding:
    number = found["pearson"]
    return finding(above(number, 0.9), f"Pearson r {said(number, 3)}; slope {said(found['slope'])}", number)


def _delta(found: Measured) -> Finding:
    number = found["delta"]
    text = f"{said(number, 3)}; 1/sqrt(n): {found.value('delta by chance'):.3f}"
    return finding(every([above(number, 0.1), below(number, 0.2)]), text, number)


def _beyond_chance(found: Measured) -> Finding:
    number, chance = found["delta"], found.value("delta by chance")
    text = f"{said(number, 3)}, {number.value / chance:.1f} times 1/sqrt(n) = {chance:.3f}"
    return finding(above(number, CLEARLY * chance), text, number)


def _ratio(found: Measured) -> Finding:
    number = found["twice the next"]
    text = (
        f"share of images {said(number)}; the next logit is over 0 in {found.value('next over 0'):.0%} of all; median "
        f"ratio to it {found.value('ratio to the next'):.1f}, to the others' mean size "
        f"{found.value('ratio to the rest'):.1f}"
    )
    return finding(above(number, 0.5), text, number)


def _overlaps(found: Measured) -> str:
    return "; ".join(
        f"{name} {said(found[what], 3)}, shuffled {found.value(f'{what}/null'):.3f}"
        for name, what in (("gradients", "overlap"), ("maps", "overlap of maps"))
    )


def _overlap(found: Measured) -> Finding:
    number = found["overlap/beyond"]
    return finding(above(number, 0), f"{_overlaps(found)}; gradients beyond shuffled {said(number, 3)}", number)


def _square(found: Measured) -> Finding:
    number = found["overlap"]
    return finding(within(number, TOP**2, 0.01), f"{_overlaps(found)}; rho squared {TOP**2:.2f}", number)


def _half(found: Measured) -> Finding:
    return finding(above(found["alike"], 0.5), f"cosine {said(found['alike'], 3)}", found["alike"])


def _carried(found: Measured) -> Finding:
    number, beyond = found["carried"], found["carried/beyond"]
    text = (
        f"{said(number, 3)}; gradients of one size {found.value('carried/null'):.3f}, difference {said(beyond, 3)}; "
        f"the same gradients shuffled {found.value('carried/shuffled'):.3f}"
    )
    return finding(*_with(text, (above(number, 0.5), number), (above(beyond, 0), beyond)))


def _left(found: Measured) -> Finding:
    number = found["left"]
    theory = (correlated_share(0.5) + correlated_share(0.0)) / 2
    text = (
        f"sum of CGI over sum of gradient x input {said(number)}; model of two logits {theory:.2f}; values kept "
        f"{said(found['kept'])}, random gradients {survival(CLASSES):.2f}"
    )
    return finding(above(number, 0.5), text, number)


def _other_labels(found: Measured) -> Finding:
    grows, kept = found["heat by logit"], found["kept by the second"]
    text = (
        f"rank correlation of logit and heat {said(grows)}; values kept for the second label {said(kept, 3)}, random "
        f"gradients {survival(CLASSES):.3f}"
    )
    return finding(*_with(text, (above(grows, 0), grows), (above(kept, survival(CLASSES)), kept)))


def _with(text: str, *parts: tuple[bool | None, Number]) -> tuple[bool | None, str, Number]:
    """What a finding takes, where several parts decide."""
    held, number = deciding(parts)
    return held, text, number


def _scatter(name: str) -> Callable[[Measured], Figure]:
    def draw(found: Measured) -> Figure:
        pairs = {NAMES[name]: (found.arrays["logits"].flatten().numpy(), found.arrays["sums"].flatten().numpy())}
        return points(pairs, x_label="logit", y_label="sum of gradient x input", line=True)

    return draw


def _bars(name: str) -> Callable[[Measured], Figure]:
    rows = {
        "delta, gradient and input": "delta",
        "overlap of top fifths": "overlap",
        "overlap, shuffled": "overlap/null",
        "carried by the top fifth": "carried",
        "carried, gradients of one size": "carried/null",
        "values kept by CGI": "kept",
        "sum left by CGI": "left",
    }

    def draw(found: Measured) -> Figure:
        return bars({NAMES[name]: {row: tuple(found[what]) for row, what in rows.items()}})

    return draw


EXPERIMENTS = (
    Experiment(MNIST, trained_mnist, minutes=(0.15, 0.4), networks=("mnist-cnn",), reduced="300 images"),
    Experiment(CIFAR, trained_cifar, minutes=(None, 0.6), networks=("cifar-clean",), reduced="300 images"),
)

ROWS: tuple[tuple[str, str, str, str, Judge, str, str], ...] = (
    (
        "S0-Fig2-CNN",
        "With biases the sum of gradient x input still varies about linearly with the logit.",
        "section 3, figure 2",
        "Pearson r over the ten logits of each image. Held: mean r over 0.9.",
        _regression,
        "approximately linear",
        "What the sum lacks of a logit is exactly what the biases add (FullGrad, proposition 3), which differs by logit.",
    ),
    (
        "S0-Thm-delta",
        "On real data delta, the inner product of unit gradient and unit input, is 0.1 to 0.2 for the chosen label.",
        "section 3.1",
        "delta = g . x / (|g| |x|). Held: the interval of the mean lies in 0.1 to 0.2.",
        _delta,
        "0.1 to 0.2",
        "The paper does not name its networks; delta depends on network, size and units of the image.",
    ),
    (
        "S0-Thm-chance",
        "Gradient and input are correlated: delta is well above the 1/sqrt(n) of independent vectors.",
        "section 3.1",
        f"Held: the interval of delta is over {CLEARLY} times 1/sqrt(n).",
        _beyond_chance,
        "0.1 to 0.2 against 0.01 at n = 10,000",
        "The paper does not name its networks; where biases make much of the logit, the input's share of it is small.",
    ),
    (
        "S0-Thm-ratio",
        "The chosen label's logit is significantly higher than the others, say 2X or 4X.",
        "section 3.1",
        "Of images whose next logit is over 0, the share whose largest is at least twice as high. Held: over a half.",
        _ratio,
        "2X or 4X",
        BLIND,
    ),
    (
        "S0-Thm-overlap",
        "Gradients of different logits overlap significantly in their high coordinates.",
        "section 3.1",
        f"Pixels (not 0) in the largest {TOP:.0%} of |gradient| of both labels. Held: more than the same gradients "
        "shuffled over these pixels, by the interval of the difference.",
        _overlap,
        "significant overlap",
        "Maps meet more than gradients by chance alone: all of them hold the same image.",
    ),
    (
        "S0-Thm-half",
        "On the features that two labels share, their gradients correlate by at least 1/2.",
        "section 3.1, an assumption",
        f"Cosine of both gradients over the pixels in the largest {TOP:.0%} of both. Held: mean over 1/2.",
        _half,
        "h1 . h2 >= 1/2",
        "Ten labels of one softmax are trained against each other; the model's two labels are not.",
    ),
    (
        "S0-Rem1",
        "Labels that concentrate on a share rho of the pixels compete on about rho squared of them.",
        "section 3.1, remark 1",
        f"Overlap of the largest {TOP:.0%} of |gradient| at pixels that are not 0. Held: within .01 of {TOP**2:.2f}.",
        _square,
        "0.2 gives 4 %",
        "The square is what independent sets give; gradients of one network are not independent (S0-Thm-overlap).",
    ),
    (
        "S0-Rem1-sparse",
        "The bulk of each label's score is carried by a subset of the pixels.",
        "section 3.1, remark 1",
        f"Share of |gradient x input| in the largest {TOP:.0%} of the pixels that are not 0. Held: over a half, and more "
        "than |x| alone would give.",
        _carried,
        "",
        "The remark's reason is that gradients are uneven; where the large ones lie matters little: shuffled ones do it.",
    ),
    (
        "S0-Thm-left",
        "Competition leaves a significant part of the logit: some kind of approximate completeness.",
        "section 3.1",
        "Mean sum of CGI over mean sum of gradient x input, all labels competing. Held: over a half.",
        _left,
        "some constants",
        "Ten labels compete, and the paper's model has two.",
    ),
    (
        "S0-Rem2",
        "The map makes sense for any label with a large enough logit.",
        "section 3.1, remark 2",
        "CGI of all ten labels. Held: its heat grows with the logit (rank correlation over labels over 0), and the second "
        "label keeps more than random gradients would.",
        _other_labels,
        "in words",
        "Making sense is read as heat that follows the logit, and a contest that the second label wins beyond chance.",
    ),
)


def _claims(experiment: str, suffix: str = "") -> tuple[Claim, ...]:
    return tuple(
        Claim(id + suffix, says, source, f"{NAMES[experiment]}, test images, predicted label. {how}", judge, experiment,
              published, why)
        for id, says, source, how, judge, published, why in ROWS
    )  # fmt: skip


def _pictures(experiment: str, suffix: str = "") -> tuple[Picture, ...]:
    bars = ("S0-Thm-delta", "S0-Thm-overlap", "S0-Rem1", "S0-Rem1-sparse", "S0-Thm-left")
    return (
        Picture(f"Sums of gradient x input against ten logits, {NAMES[experiment]}", "figure 2", experiment,
                _scatter(experiment), (f"S0-Fig2-CNN{suffix}",)),
        Picture(f"What section 3 assumes of trained networks, {NAMES[experiment]}", "", experiment, _bars(experiment),
                tuple(id + suffix for id in bars)),
    )  # fmt: skip


CLAIMS = (*_claims(MNIST), *_claims(CIFAR, "-CIFAR"))
PICTURES = (*_pictures(MNIST), *_pictures(CIFAR, "-CIFAR"))
