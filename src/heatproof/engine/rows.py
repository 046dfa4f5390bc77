"""How many rows go through the model at once where a method makes many out of one image."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod

from torch import Tensor

ROWS = 8
"""More are hardly faster on a CPU, and take their memory."""
NUMBERS = ROWS * 3 * 224 * 224
"""Of all rows together, where several images or draws are joined that could go one by one."""
_MOST: ContextVar[int | None] = ContextVar("heatproof_rows", default=None)


@contextmanager
def at_most(rows: int) -> Iterator[None]:
    """Within: no method takes more rows at once, whatever its own option says; where memory ran out."""
    token = _MOST.set(rows)
    try:
        yield
    finally:
        _MOST.reset(token)


def rows_at_once(wanted: int = ROWS) -> int:
    """What was asked for, or the limit of `at_most`."""
    limit = _MOST.get()
    return wanted if limit is None else min(wanted, limit)


def joined(x: Tensor) -> int:
    """How many batches such as this one may go together: as many as fill a pass of ordinary images."""
    return max(1, min(rows_at_once() // len(x), NUMBERS // max(1, prod(x.shape))))
