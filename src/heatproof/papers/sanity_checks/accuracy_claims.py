"""Claims of appendix B on the accuracy of the MNIST networks."""

from __future__ import annotations

from collections.abc import Callable

from ..judge import finding, within
from ..types import Claim, Experiment, Finding, Measured, Number, Picture
from .accuracy import accuracies

NEAR = 0.5
"""Percentage points that a training of our own may differ by."""


def reaches(name: str, published: float) -> Callable[[Measured], Finding]:
    def judge(found: Measured) -> Finding:
        share = Number(*(100 * n for n in found[name]))
        text = f"{share.value:.2f} % ({share.lower:.2f} to {share.upper:.2f})"
        return finding(within(share, published, NEAR), text, share)

    return judge


EXPERIMENTS = (
    Experiment("sanity-accuracy", accuracies, minutes=(0.15, 0.15), networks=("mnist-cnn", "mnist-mlp"), data=("MNIST",),
               reduced="20 thousand steps, as the paper says; its code takes 55 thousand"),
)  # fmt: skip
PROTOCOL = (
    "Trained here by Adam in batches of 50, lr 1e-4{}, 18 epochs (quick: 2 epochs of batches of 100, lr {}, one cycle); on "
    "the 10,000 MNIST test images; within half a percentage point."
)
WHY = "The paper does not name batch size and learning rate; its code's are taken."

CLAIMS = (
    Claim(
        "S1-B-CNN", "The CNN reaches 99.2 % on MNIST's test set.", "appendix B",
        PROTOCOL.format(", weight decay 1e-3", "1e-3"), reaches("mnist-cnn", 99.2), "sanity-accuracy", "99.2 %", WHY,
    ),
    Claim(
        "S1-B-MLP", "The MLP reaches 98.7 % on MNIST's test set.", "appendix B", PROTOCOL.format("", "5e-4"),
        reaches("mnist-mlp", 98.7), "sanity-accuracy", "98.7 %", f"{WHY} The cause of a difference is not known.",
    ),
)  # fmt: skip

PICTURES: tuple[Picture, ...] = ()
