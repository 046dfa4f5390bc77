"""SmoothGrad (Smilkov et al. 2017, arXiv:1706.03825): `smooth` of the gradient, 50 draws, 15 % noise."""

from ..combine import entry, smooth
from .gradient import gradient

smoothgrad = entry("smoothgrad", smooth(gradient))
