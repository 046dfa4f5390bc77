"""From the results of a run to what people read: one self-contained HTML file, and the figures as files."""

from .export import figures as figures
from .render import render as render
