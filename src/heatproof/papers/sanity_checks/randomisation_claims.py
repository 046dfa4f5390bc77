"""Claims about networks whose weights are drawn again (section 3, and the older appendix)."""

from __future__ import annotations

from ..types import joined
from . import (
    randomisation_appendix_claims,
    randomisation_further_claims,
    randomisation_networks_claims,
    randomisation_photos_claims,
)

CLAIMS, EXPERIMENTS, PICTURES = joined(
    randomisation_networks_claims,
    randomisation_appendix_claims,
    randomisation_photos_claims,
    randomisation_further_claims,
)
