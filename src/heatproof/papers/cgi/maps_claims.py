"""Claims of the maps of trained networks: figures 1 to 3, and what section 3 says of them."""

from ..types import joined
from . import maps_panel_claims, maps_photos_claims, maps_quality_claims, maps_trained_claims

CLAIMS, EXPERIMENTS, PICTURES = joined(maps_panel_claims, maps_photos_claims, maps_trained_claims, maps_quality_claims)
