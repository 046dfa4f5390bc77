"""What `heatproof.train` is made of."""
