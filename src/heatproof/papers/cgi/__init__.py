"""A Simple Saliency Method That Passes the Sanity Checks (Gupta and Arora, 2019)."""

from ..types import Paper, joined
from . import maps_claims, randomisation_claims, theory_claims

PAPER = Paper(
    "cgi",
    "S0",
    "A Simple Saliency Method That Passes the Sanity Checks",
    "Gupta and Arora, 2019",
    "https://arxiv.org/abs/1905.12152",
    *joined(maps_claims, theory_claims, randomisation_claims),
)
