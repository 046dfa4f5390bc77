"""Figures: each function returns a matplotlib `Figure`, to be saved as PNG, PDF or SVG. No global state is touched."""

from .combined import combined as combined
from .curves import curves as curves
from .sheet import sheet as sheet
from .strip import film_strip as film_strip
from .visualise import absolute as absolute
from .visualise import colour as colour
from .visualise import diverging as diverging
