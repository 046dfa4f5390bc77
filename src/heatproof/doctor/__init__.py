"""Is everything here that heatproof needs, and does it count right on this machine? Nothing here imports torch at once."""
