"""All rows, in the order of the table."""

from __future__ import annotations

from . import audits, captum_maps, cgi, fullgrad, gradients, growth, imports, similarities, training
from .row import Row

ROWS: tuple[Row, ...] = (
    *audits.ROWS,
    *captum_maps.ROWS,
    *fullgrad.ROWS,
    *cgi.ROWS,
    *gradients.ROWS,
    *similarities.ROWS,
    *training.ROWS,
    *growth.ROWS,
    *imports.ROWS,
)
