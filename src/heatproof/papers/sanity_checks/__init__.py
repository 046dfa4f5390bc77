"""Sanity Checks for Saliency Maps (Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, 2018)."""

from ..types import Paper, joined
from . import (
    accuracy_claims,
    edges_claims,
    labels_claims,
    methods_claims,
    metrics_claims,
    prior_claims,
    products_claims,
    randomisation_claims,
    theory_claims,
)

PAPER = Paper(
    "sanity-checks",
    "S1",
    "Sanity Checks for Saliency Maps",
    "Adebayo, Gilmer, Muelly, Goodfellow, Hardt and Kim, 2018",
    "https://arxiv.org/abs/1810.03292",
    *joined(
        methods_claims,
        metrics_claims,
        edges_claims,
        randomisation_claims,
        labels_claims,
        prior_claims,
        products_claims,
        theory_claims,
        accuracy_claims,
    ),
)
