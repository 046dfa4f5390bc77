"""Claims of table 1 and figure 18."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from ...plots.plates import Series, bars, curves
from ..judge import above, agrees, each_above, finding, plain, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .retraining import NAMES, RANDOM, TABLE_1, retrained

RECTGRAD = NAMES[0]
AREA = {"roar": "AUC", "kar": "AOC"}
AGREE = 0.643
"""Spearman's rho of 8 unrelated rows is above it in 5 of 100 cases."""


def best(way: str, others: tuple[str, ...]) -> Callable[[Measured], Finding]:
    """Whether RectGrad's area is smaller than each other one."""

    def judge(found: Measured) -> Finding:
        more = {name: found[f"{way}/{name} - {RECTGRAD}"] for name in others}
        closest = min(more, key=lambda name: more[name].lower)
        held, number = each_above(more.values(), 0.0)
        areas = listing(found, way, (RECTGRAD, *others))
        text = f"{AREA[way]} {areas}; {closest} less {RECTGRAD}: {said(more[closest], 3)}; {_about(found)}"
        return finding(held, text, number)

    return judge


def _about(found: Measured) -> str:
    """What the networks reach, and how many of RectGrad's pixels have a rank by chance alone."""
    accuracy, tied = found.value("accuracy"), found.value(f"tied/{RECTGRAD}")
    return f"accuracy on whole images {accuracy:.2f}, {tied:.0%} of {RECTGRAD}'s pixels tied"


def ordered(way: str) -> Callable[[Measured], Finding]:
    """Whether the rows have the published order."""

    def judge(found: Measured) -> Finding:
        rho = found[f"rho/{way}"]
        return finding(above(rho, AGREE), f"Spearman {said(rho)} with the published order", rho)

    return judge


def _random(found: Measured) -> Finding:
    total = found["random sum"]
    return finding(agrees(total, 1.0), f"AUC + AOC = {said(total, 3)}", total)


def listing(found: Measured, way: str, names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {plain(found.value(f'{way}/{name}'), 3)}" for name in names)


def _table(way: str) -> Callable[[Measured], Figure]:
    def draw(found: Measured) -> Figure:
        here = {name: tuple(found[f"{way}/{name}"]) for name in TABLE_1[way]}
        return bars({"published": TABLE_1[way], "measured here": here}, x_label=f"{AREA[way]}, lower is better")

    return draw


def _accuracy(way: str) -> Callable[[Measured], Figure]:
    def draw(found: Measured) -> Figure:
        fractions = found.listed("fractions")
        series = {
            name: Series(
                [float(p) for p in fractions],
                [found.value(f"accuracy/{way}/{name}/{p}") for p in fractions],
                control=name == RANDOM,
            )
            for name in TABLE_1[way]
        }
        what = "removed" if way == "roar" else "kept"
        marks = {"whole images": found.value("accuracy")}
        return curves(series, x_label=f"share of pixels {what}", y_label="test accuracy", marks=marks)

    return draw


EXPERIMENTS = (
    Experiment(
        "rectgrad-retraining", retrained, (None, 46.0), data=("CIFAR10",),
        reduced="147 networks of 4,000 training and 2,000 test images, 4 epochs, fractions .1 .5 .9; 10 of 50 samples",
    ),
)  # fmt: skip

RUN = (
    "The paper's CNN on CIFAR-10, `bench roar --preset reduced --both`: 3 networks for each method and fraction, pixels "
    "ranked as by the authors; intervals of differences on the same networks and test images."
)
ROAR, KAR = "section 5.3, table 1, figure 18 (ROAR)", "section 5.3, table 1, figure 18 (KAR)"
OTHERS = NAMES[1:]
SMALL = "Networks of 4,000 images and 4 epochs stand for the paper's."
TIES = (
    "Pixels of one value, as RectGrad's zeros, go in random order, since exact counts take the place of the authors' "
    "strict percentiles."
)
HOLES = (
    "Signed maps of the predicted class may print the prediction into the shape of the holes; what networks learn of the "
    "holes alone: `heatproof bench roar --preset reduced --controls random,mask`."
)

CLAIMS = (
    Claim(
        "S3-Table1-roar", "RectGrad has the smallest ROAR area of the table, random removal included.", ROAR, RUN,
        best("roar", (*OTHERS, RANDOM)), "rectgrad-retraining", "RectGrad .5385, next .5408, random .5562",
        f"{SMALL} {TIES}",
    ),
    Claim(
        "S3-Table1-roar-methods", "RectGrad has a smaller ROAR area than all other attribution methods.", ROAR, RUN,
        best("roar", OTHERS), "rectgrad-retraining", "RectGrad .5385, next .5408",
        f"{SMALL} {HOLES}",
    ),
    Claim(
        "S3-Table1-kar", "RectGrad has the smallest KAR area of the table, random removal included.", KAR, RUN,
        best("kar", (*OTHERS, RANDOM)), "rectgrad-retraining", "RectGrad .3382, next .3928, random .4438",
        f"{SMALL} {HOLES} {TIES}",
    ),
    Claim(
        "S3-Table1-random", "AUC and AOC of random removal sum to 1.", "table 1",
        f"{RUN} Held where the interval of the sum holds 1.",
        _random, "rectgrad-retraining", ".5562 + .4438 = 1.0000", SMALL,
    ),
    Claim(
        "S3-Table1-order-roar", "The methods have the published order of ROAR areas.", ROAR,
        f"{RUN} Held if Spearman's rho of the 8 rows is over {AGREE} (5 % level), networks and images drawn again.",
        ordered("roar"),
        "rectgrad-retraining", "1",
        f"{SMALL} The published areas are .018 apart in all.",
    ),
    Claim(
        "S3-Table1-order-kar", "The methods have the published order of KAR areas.", KAR,
        f"{RUN} Held if Spearman's rho of the 8 rows is over {AGREE} (5 % level), networks and images drawn again.",
        ordered("kar"),
        "rectgrad-retraining", "1",
        f"{SMALL} {HOLES}",
    ),
)  # fmt: skip

PICTURES = (
    Picture("ROAR: area under the accuracy", "table 1", "rectgrad-retraining", _table("roar"),
            ("S3-Table1-roar", "S3-Table1-roar-methods", "S3-Table1-order-roar")),
    Picture("KAR: area over the accuracy", "table 1", "rectgrad-retraining", _table("kar"),
            ("S3-Table1-kar", "S3-Table1-order-kar")),
    Picture("ROAR: accuracy of networks retrained without the most salient pixels", "figure 18", "rectgrad-retraining",
            _accuracy("roar"), ("S3-Table1-roar", "S3-Table1-roar-methods")),
    Picture("KAR: accuracy of networks retrained on the most salient pixels alone", "figure 18", "rectgrad-retraining",
            _accuracy("kar"), ("S3-Table1-kar", "S3-Table1-random")),
)  # fmt: skip
