"""Why are Saliency Maps Noisy? Cause of and Solution to Noisy Saliency Maps (Kim, Seo, Jeon, Koo, Choe and Jeon, 2019)."""

from ..types import Paper, joined
from . import (
    maps_attack_claims,
    maps_claims,
    maps_layers_claims,
    maps_sweep_claims,
    maps_technique_claims,
    noise_claims,
    noise_features_claims,
    noise_patch_claims,
    retraining_claims,
    theory_claims,
    theory_rules_claims,
)

PAPER = Paper(
    "rectgrad",
    "S3",
    "Why are Saliency Maps Noisy? Cause of and Solution to Noisy Saliency Maps",
    "Kim, Seo, Jeon, Koo, Choe and Jeon, 2019",
    "https://arxiv.org/abs/1902.04893",
    *joined(
        theory_claims,
        theory_rules_claims,
        noise_patch_claims,
        noise_features_claims,
        maps_sweep_claims,
        maps_claims,
        maps_technique_claims,
        maps_attack_claims,
        maps_layers_claims,
        noise_claims,
        retraining_claims,
    ),
)
