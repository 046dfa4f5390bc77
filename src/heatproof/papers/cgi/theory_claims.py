"""Claims that need no data: definitions, lemma 1, and both models of section 3.1."""

from ..types import joined
from . import theory_exact_claims, theory_model_claims, theory_random_claims

CLAIMS, EXPERIMENTS, PICTURES = joined(theory_exact_claims, theory_random_claims, theory_model_claims)
