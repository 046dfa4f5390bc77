"""Figures: each function returns a matplotlib `Figure`, to be saved as PNG, PDF or SVG. No global state is touched."""

from .boxes import boxes as boxes
from .checks import efficient_bars as efficient_bars
from .checks import kept_bars as kept_bars
from .checks import planted_bars as planted_bars
from .checks import similarity_bars as similarity_bars
from .classes import class_sheet as class_sheet
from .combined import combined as combined
from .curves import curves as curves
from .levels import levels as levels
from .noise import noise_curves as noise_curves
from .retrain import area_bars as area_bars
from .retrain import retrain_curves as retrain_curves
from .sheet import sheet as sheet
from .strip import film_strip as film_strip
from .visualise import absolute as absolute
from .visualise import colour as colour
from .visualise import diverging as diverging
