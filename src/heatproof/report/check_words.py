"""What each check does, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CHECKS = {
    "cascading": "Blocks get random weights one after the other, from the output down, and keep them.",
    "reverse": "Blocks get random weights one after the other, from the input up, and keep them.",
    "independent": "Random weights one block at a time; every other block keeps what it learned. A low point names a block "
    "that the map depends on, a high one a block that it does not see. It carries no verdict.",
    "full": "All weights are random at once.",
    "graded": "Every weight is mixed with a random one; the share of the random one grows from left to right. Less "
    "disruptive than replacing whole blocks: the network degrades gradually.",
    "biases": "Only biases are random, from the output down; all other weights stay. It carries no verdict.",
    "smooth": "Blocks get random weights from the input up, and each map is averaged over noisy copies of the photo "
    "before it is compared. It has a null floor of its own, of maps averaged the same way.",
    "labels": "The map of the network is compared with that of a network trained the same way on permuted labels. A map "
    "that shows what was learned from the labels should differ.",
    "random_logit": "The map of the explained class is compared with the map of another class of the same network. A map "
    "that stays the same does not say which class it explains. It carries no verdict.",
}
SHORT = {"cascading": "Cascading", "reverse": "Reverse", "independent": "Independent", "full": "Full", "graded": "Graded",
         "biases": "Biases", "smooth": "Smoothed", "labels": "Labels", "random_logit": "Other class"}  # fmt: skip
PAIRS = {
    "uniform_uniform": "two uniform random masks",
    "gaussian_gaussian": "two Gaussian random masks",
    "product_uniform": "photo × uniform noise, twice",
    "product_gaussian": "photo × Gaussian noise, twice",
    "product_trunc_normal": "photo × truncated normal noise, twice",
    "map_uniform": "map and a uniform random mask",
    "map_gaussian": "map and a Gaussian random mask",
    "edges": "map and the edges of the photo",
    "edge_input": "map of the photo and map of photo × edges",
}
"""The pairs of the calibration, in the order in which they are read."""


def short(check: str) -> str:
    """A check in one or two words, for the list of contents and the heads of columns."""
    return SHORT.get(check, check.replace("_", " "))


def pair_name(pair: str) -> str:
    """What is compared in a pair of the calibration."""
    return PAIRS.get(pair, pair.replace("_", " "))


def caveat(config: Mapping[str, Any], check: str) -> str:
    """The run's own sentence about what a check does not say; "" where it has none."""
    return str(dict(config.get("caveats") or {}).get(check, ""))
