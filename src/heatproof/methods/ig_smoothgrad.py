"""IG-SG (Sanity Checks, arXiv:1810.03292): `smooth` of integrated gradients, noise on the input, the baseline stays 0.

The map is multiplied by the noisy input, as the authors' code does, so that a black background does not stay 0. Ten
steps a draw where they take 50: the mean over 50 draws averages the error of the rule too, far below that of the draws.
"""

from ..combine import configure, entry, smooth
from .integrated_gradients import integrated_gradients

ig_smoothgrad = entry("ig_smoothgrad", smooth(configure(integrated_gradients, steps=10)))
