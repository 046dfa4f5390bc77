"""A look at every pass while it is made: to count what went through a model, or to end a job that nobody waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_WATCH: ContextVar[Callable[[int], object] | None] = ContextVar("heatproof_watch", default=None)


@contextmanager
def watched(watch: Callable[[int], object]) -> Iterator[None]:
    """Within: `watch` is called before each forward pass with its number of samples, and before each backward pass with
    0; what it raises ends the job."""
    token = _WATCH.set(watch)
    try:
        yield
    finally:
        _WATCH.reset(token)


def passing(samples: int) -> None:
    """Said before each pass: of so many samples forward, or 0 backward."""
    if (watch := _WATCH.get()) is not None:
        watch(samples)
