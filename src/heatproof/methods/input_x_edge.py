"""A control: the edge map times the input, as a method that multiplies by the input looks without a model."""

from ..combine import entry, times_input
from .edge_map import edge_map

input_x_edge = entry("input_x_edge", times_input(edge_map))
