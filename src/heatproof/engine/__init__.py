"""How a model is run for attribution; nothing else in heatproof runs one to explain it."""
