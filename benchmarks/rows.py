"""All rows, in the order of the table."""

from __future__ import annotations

from . import imports, maps, similarities
from .row import Row

ROWS: tuple[Row, ...] = (*maps.ROWS, *similarities.ROWS, *imports.ROWS)
