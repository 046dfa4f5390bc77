"""CGI, competitive gradient x input (Gupta, Arora 2019, arXiv:1905.12152, algorithm 1)."""

from ..combine import compete, entry
from .gradient_x_input import gradient_x_input

cgi = entry("cgi", compete(gradient_x_input))
