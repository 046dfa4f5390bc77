"""Full-Gradient Representation for Neural Network Visualization (Srinivas and Fleuret, 2019)."""

from ..types import Paper, joined
from . import (
    decomposition_claims,
    faithfulness_claims,
    maps_claims,
    official_claims,
    psi_claims,
    retrain_claims,
    theory_claims,
)

PAPER = Paper(
    "fullgrad",
    "S2",
    "Full-Gradient Representation for Neural Network Visualization",
    "Srinivas and Fleuret, 2019",
    "https://arxiv.org/abs/1905.00780",
    *joined(
        theory_claims,
        decomposition_claims,
        official_claims,
        maps_claims,
        psi_claims,
        faithfulness_claims,
        retrain_claims,
    ),
)
