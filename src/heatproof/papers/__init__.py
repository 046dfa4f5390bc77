"""Four papers: every claim as a measurement with a verdict. ``heatproof paper run all`` measures them again."""

from .cgi import PAPER as CGI
from .fullgrad import PAPER as FULLGRAD
from .rectgrad import PAPER as RECTGRAD
from .sanity_checks import PAPER as SANITY_CHECKS

PAPERS = {paper.name: paper for paper in (CGI, SANITY_CHECKS, FULLGRAD, RECTGRAD)}
"""By their names on the command line."""
