"""Claims of the naive model of section 3.1: what competition keeps under random gradients."""

from __future__ import annotations

from matplotlib.figure import Figure

from ...plots.plates import Series, curves
from ...theory.nulls import survival
from ..judge import agrees, every, finding, said
from ..types import Claim, Experiment, Finding, Measured, Picture
from .theory import CLASSES, random_gradients


def _random_gradients(found: Measured) -> Finding:
    held = every(agrees(found[f"{k}"], 1 / k) for k in CLASSES)
    kept = "; ".join(f"k = {k}: {said(found[str(k)], 4)}, closed form {survival(k):.4f}" for k in CLASSES)
    return finding(held, f"share kept, {kept}", found["10"])


def _survival(found: Measured) -> Figure:
    x = [float(k) for k in CLASSES]
    return curves(
        {
            "measured": Series.of(x, [found[f"{k}"] for k in CLASSES]),
            "2(1 - 2^-k)/k": Series(x, [survival(k) for k in CLASSES], control=True),
            "1/k, the paper's": Series(x, [1 / k for k in CLASSES], control=True),
        },
        x_label="logits that compete, k",
        y_label="share of pixels kept",
        log_x=True,
    )


EXPERIMENTS = (Experiment("cgi-random-gradients", random_gradients, minutes=(0.15, 0.15)),)

CLAIMS = (
    Claim(
        "S0-Thm-k",
        "With k logits and random gradients a pixel becomes zero with probability 1 - 1/k.",
        "section 3.1",
        "Linear networks with independent normal weights, class 0 explained: the share of pixels that CGI keeps.",
        _random_gradients,
        "cgi-random-gradients",
        published="1/k kept",
        why="A negative score wins by being the smallest, so 2(1 - 2^-k)/k survives: the paper's constant is an error.",
        error=True,
    ),
)

PICTURES = (
    Picture(
        "Pixels that survive competition under random gradients", "", "cgi-random-gradients", _survival, ("S0-Thm-k",)
    ),
)
