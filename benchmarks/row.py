"""One comparison: two sides that do the same work, checked before they are timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Any]


@dataclass(frozen=True)
class Pair:
    """Both sides on the same inputs.

    Attributes:
        ours, theirs: each does the whole work of the row once.
        check: raises AssertionError where the two results disagree; what it returns is printed.
    """

    ours: Call
    theirs: Call
    check: Callable[[Any, Any], str]


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        id: on the command line: "map/resnet18/gradient".
        what, against: our work and the peer's, in words.
        target: our time over theirs, at most.
        make: builds both sides; not timed.
        memory: our peak memory over theirs, at most; None: not compared.
        long: two runs of each side in place of five, both shown.
    """

    id: str
    what: str
    against: str
    target: float
    make: Callable[[], Pair]
    memory: float | None = None
    long: bool = False


def close(a: Any, b: Any, tolerance: float = 1e-3) -> str:
    """Two tensors up to a share of the larger one's maximum.

    Raises:
        AssertionError: shapes or values disagree.
    """
    assert a.shape == b.shape, f"{tuple(a.shape)} and {tuple(b.shape)}"
    apart = float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))
    assert apart < tolerance, f"{apart:.1e} of the maximum apart"
    return f"{apart:.0e} apart"
