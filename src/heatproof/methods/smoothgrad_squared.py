"""SmoothGrad squared (Hooker et al. 2019, arXiv:1806.10758): `smooth_squared` of the gradient, 50 draws, 15 % noise."""

from ..combine import entry, smooth_squared
from .gradient import gradient

smoothgrad_squared = entry("smoothgrad_squared", smooth_squared(gradient))
