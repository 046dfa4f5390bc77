"""CLRP, competitive layer-wise relevance propagation (Gupta, Arora 2019, arXiv:1905.12152, algorithm 2)."""

from ..combine import compete, entry
from .lrp import lrp

clrp = entry("clrp", compete(lrp))
