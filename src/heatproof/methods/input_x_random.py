"""A control: noise times the input (Sanity Checks, arXiv:1810.03292, section 5.2), redrawn for each variant of a model."""

from ..combine import entry, times_input
from .random_map import random_map

input_x_random = entry("input_x_random", times_input(random_map))
