"""Sanity Checks for Saliency Maps (Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, 2018)."""

from ..types import Paper, joined
from . import labels_claims, randomisation_claims, theory_claims

PAPER = Paper(
    "sanity-checks",
    "S1",
    "Sanity Checks for Saliency Maps",
    "Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, 2018",
    "https://arxiv.org/abs/1810.03292",
    *joined(randomisation_claims, labels_claims, theory_claims),
)
