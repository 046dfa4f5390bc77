"""Why are Saliency Maps Noisy? Cause of and Solution to Noisy Saliency Maps (Kim, Seo, Jeon, Koo, Choe and Jeon, 2019)."""

from ..types import Paper, joined
from . import maps_claims, noise_claims, theory_claims

PAPER = Paper(
    "rectgrad",
    "S3",
    "Why are Saliency Maps Noisy? Cause of and Solution to Noisy Saliency Maps",
    "Kim, Seo, Jeon, Koo, Choe and Jeon, 2019",
    "https://arxiv.org/abs/1902.04893",
    *joined(theory_claims, maps_claims, noise_claims),
)
