"""Claims of sections 3 and 3.1 about trained networks, on the MNIST and the CIFAR-10 CNN."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import bars, points
from ...theory.nulls import correlated_share, survival
from ..judge import above, every, finding, said, within
from ..types import Claim, Experiment, Finding, Measured, Picture
from .maps_trained import CLASSES, NETWORKS, TOP, trained_networks

NAME = "cgi-trained-networks"
NAMES = {"mnist-cnn": "MNIST CNN", "cifar-clean": "CIFAR-10 CNN"}
WHERE = "MNIST CNN and CIFAR-10 CNN, test images, predicted label"
BLIND = "Logits are free up to a shift that no softmax sees, and ratios are not."


def _each(found: Measured, what: str, digits: int = 3) -> str:
    return "; ".join(f"{NAMES[n]} {said(found[f'{n}/{what}'], digits)}" for n in NETWORKS)


def _regression(found: Measured) -> Finding:
    held = every(above(found[f"{n}/pearson"], 0.9) for n in NETWORKS)
    text = f"Pearson r: {_each(found, 'pearson')}; slope: {_each(found, 'slope', 2)}"
    return finding(held, text, found["cifar-clean/pearson"])


def _delta(found: Measured) -> Finding:
    inside = [_inside(found, n) for n in NETWORKS]
    chance = "; ".join(f"{NAMES[n]} {found.value(f'{n}/delta by chance'):.3f}" for n in NETWORKS)
    return finding(every(inside), f"{_each(found, 'delta')}; 1/sqrt(n): {chance}", found["mnist-cnn/delta"])


def _inside(found: Measured, name: str) -> bool | None:
    """Whether the interval reaches into .1 to .2."""
    value, lower, upper = found[f"{name}/delta"]
    return None if value != value else lower <= 0.2 and upper >= 0.1


def _beyond_chance(found: Measured) -> Finding:
    held = every(above(found[f"{n}/delta"], found.value(f"{n}/delta by chance")) for n in NETWORKS)
    times = "; ".join(
        f"{NAMES[n]} {found.value(f'{n}/delta') / found.value(f'{n}/delta by chance'):.1f} times" for n in NETWORKS
    )
    return finding(held, f"delta over 1/sqrt(n): {times}", found["cifar-clean/delta"])


def _ratio(found: Measured) -> Finding:
    held = every(above(found[f"{n}/twice the next"], 0.5) for n in NETWORKS)
    text = (
        f"share of images: {_each(found, 'twice the next', 2)}; median ratio to the largest other logit: "
        f"{_each(found, 'ratio to the next', 1)}; to the others' mean size: {_each(found, 'ratio to the rest', 1)}"
    )
    return finding(held, text, found["cifar-clean/twice the next"])


def _overlap(found: Measured) -> Finding:
    held = every(above(found[f"{n}/overlap"], TOP**2) for n in NETWORKS)
    return finding(held, f"{_each(found, 'overlap')}; independent sets: {TOP**2:.2f}", found["mnist-cnn/overlap"])


def _square(found: Measured) -> Finding:
    held = every(within(found[f"{n}/overlap"], TOP**2, 0.01) for n in NETWORKS)
    return finding(held, f"{_each(found, 'overlap')}; rho squared: {TOP**2:.2f}", found["mnist-cnn/overlap"])


def _half(found: Measured) -> Finding:
    held = every(above(found[f"{n}/alike"], 0.5) for n in NETWORKS)
    return finding(held, _each(found, "alike"), found["mnist-cnn/alike"])


def _carried(found: Measured) -> Finding:
    held = every(above(found[f"{n}/carried"], 0.5) for n in NETWORKS)
    return finding(held, _each(found, "carried"), found["mnist-cnn/carried"])


def _left(found: Measured) -> Finding:
    held = every(above(found[f"{n}/left"], 0.5) for n in NETWORKS)
    theory = (correlated_share(0.5) + correlated_share(0.0)) / 2
    text = (
        f"sum of CGI over sum of gradient x input: {_each(found, 'left', 2)}; model of two logits: {theory:.2f}; values "
        f"kept: {_each(found, 'kept', 2)}, random gradients {survival(CLASSES):.2f}"
    )
    return finding(held, text, found["mnist-cnn/left"])


def _other_labels(found: Measured) -> Finding:
    grows = [above(found[f"{n}/heat by logit"], 0) for n in NETWORKS]
    kept = [above(found[f"{n}/kept by the second"], survival(CLASSES)) for n in NETWORKS]
    text = (
        f"rank correlation of logit and heat: {_each(found, 'heat by logit', 2)}; values kept for the second label: "
        f"{_each(found, 'kept by the second')}, random gradients {survival(CLASSES):.3f}"
    )
    return finding(every([*grows, *kept]), text, found["mnist-cnn/heat by logit"])


def _scatter(found: Measured) -> Figure:
    pairs = {
        NAMES[n]: (found.arrays[f"{n}/logits"].flatten().numpy(), found.arrays[f"{n}/sums"].flatten().numpy())
        for n in NETWORKS
    }
    return points(pairs, x_label="logit", y_label="sum of gradient x input", line=True)


def _bars(found: Measured) -> Figure:
    rows = {
        "delta, gradient and input": "delta",
        "overlap of top fifths": "overlap",
        "carried by the top fifth": "carried",
        "values kept by CGI": "kept",
        "sum left by CGI": "left",
    }
    return bars({NAMES[n]: {row: tuple(found[f"{n}/{what}"]) for row, what in rows.items()} for n in NETWORKS})


EXPERIMENTS = (
    Experiment(NAME, trained_networks, minutes=(0.25, 0.75), networks=tuple(NETWORKS), reduced="300 images a network"),
)


def _claim(id: str, says: str, source: str, how: str, judge: object, published: str = "", why: str = "") -> Claim:
    return Claim(id, says, source, f"{WHERE}. {how}", judge, NAME, published, why)  # type: ignore[arg-type]


CLAIMS = (
    _claim(
        "S0-Fig2-CNN",
        "With biases the sum of gradient x input still varies about linearly with the logit.",
        "section 3, figure 2",
        "Pearson r over the ten logits of each image. Held: mean r over 0.9 on both.",
        _regression,
        "approximately linear",
        "On the CIFAR-10 CNN r stays under .9: what the sum lacks is exactly what the biases add, which differs by logit.",
    ),
    _claim(
        "S0-Thm-delta",
        "On real data delta, the inner product of unit gradient and unit input, is 0.1 to 0.2 for the chosen label.",
        "section 3.1",
        "delta = g . x / (|g| |x|). Held: the interval of the mean meets 0.1 to 0.2 on both.",
        _delta,
        "0.1 to 0.2",
        "The MNIST CNN lies just over the range, the CIFAR-10 CNN far below; the paper does not name its networks.",
    ),
    _claim(
        "S0-Thm-chance",
        "Gradient and input are correlated: delta is well above the 1/sqrt(n) of independent vectors.",
        "section 3.1",
        "Held: the interval of delta is over 1/sqrt(n) on both.",
        _beyond_chance,
        "0.1 to 0.2 against 0.01 at n = 10,000",
    ),
    _claim(
        "S0-Thm-ratio",
        "The chosen label's logit is significantly higher than the others, say 2X or 4X.",
        "section 3.1",
        "Share of images whose largest logit is at least twice the next. Held: over a half on both.",
        _ratio,
        "2X or 4X",
        BLIND,
    ),
    _claim(
        "S0-Thm-overlap",
        "Gradients of different logits overlap significantly in their high coordinates.",
        "section 3.1",
        f"Pixels (not 0) in the largest {TOP:.0%} of |gradient x input| of both labels. Held: over {TOP**2:.0%}.",
        _overlap,
        "significant overlap",
    ),
    _claim(
        "S0-Thm-half",
        "On the features that two labels share, their gradients correlate by at least 1/2.",
        "section 3.1, an assumption",
        f"Cosine of both maps over the pixels in the largest {TOP:.0%} of both. Held: mean over 1/2 on both.",
        _half,
        "h1 . h2 >= 1/2",
        "On the shared pixels the labels vote against each other: the cosine is negative on both networks.",
    ),
    _claim(
        "S0-Rem1",
        "Labels that concentrate on a share rho of the pixels compete on about rho squared of them.",
        "section 3.1, remark 1",
        f"Overlap of the largest {TOP:.0%} of pixels (not 0). Held: within .01 of {TOP**2:.2f} on both.",
        _square,
        "0.2 gives 4 %",
        "Large values of different labels meet about twice as often as independent sets would: see S0-Thm-overlap.",
    ),
    _claim(
        "S0-Rem1-sparse",
        "The bulk of each label's score is carried by a subset of the pixels.",
        "section 3.1, remark 1",
        f"Share of |gradient x input| in the largest {TOP:.0%} of the pixels that are not 0. Held: over a half on both.",
        _carried,
    ),
    _claim(
        "S0-Thm-left",
        "Competition leaves a significant part of the logit: some kind of approximate completeness.",
        "section 3.1",
        "Mean sum of CGI over mean sum of gradient x input, all labels competing. Held: over a half on both.",
        _left,
        "some constants",
        "Ten labels compete, and the paper's model has two.",
    ),
    _claim(
        "S0-Rem2",
        "The map makes sense for any label with a large enough logit.",
        "section 3.1, remark 2",
        "CGI of all ten labels. Held on both: its heat grows with the logit (rank correlation over labels over 0), and the "
        "second label keeps more than random gradients would.",
        _other_labels,
        "in words",
        "On the CIFAR-10 CNN the heat does not grow with the logit, and on neither does the second label clearly keep more "
        "than chance leaves; cause not known.",
    ),
)

PICTURES = (
    Picture("Sums of gradient x input against ten logits", "figure 2", NAME, _scatter, ("S0-Fig2-CNN",)),
    Picture(
        "What section 3 assumes of trained networks",
        "",
        NAME,
        _bars,
        ("S0-Thm-delta", "S0-Thm-overlap", "S0-Rem1", "S0-Rem1-sparse", "S0-Thm-left"),
    ),
)
