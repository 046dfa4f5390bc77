"""What a row of the table is: two sides that do the same work, or one work at growing sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Call = Callable[[], Any]


@dataclass(frozen=True)
class Pair:
    """Both sides on the same inputs.

    Attributes:
        ours, theirs: each does the whole work of the row once.
        check: raises where the two results disagree; what it returns is printed.
        counted: theirs is one of so many runs that their users need, the fastest, and its time counts so often.
    """

    ours: Call
    theirs: Call
    check: Callable[[Any, Any], str]
    counted: int = 1


@dataclass(frozen=True)
class Growth:
    """Our work at rising sizes, over at least a factor of 16; check: of the result at the largest, as in `Pair`."""

    calls: Mapping[int, Call]
    check: Callable[[Any], str]


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        id: on the command line: "map/resnet18/gradient".
        what, against: our work and what it is measured beside, in words.
        make: builds both sides; not timed.
        time: at most: our time over theirs, or the exponent of growth; None: the peer is known to raise or to err, so
            that ours stands alone; should it agree some day, the row fails and wants a target.
        memory: at most: our peak over theirs, or the largest size's over the smallest's; None: not compared.
        minutes: about how long the row takes on two cores, for the time left.
    """

    id: str
    what: str
    against: str
    make: Callable[[], Pair | Growth]
    time: float | None = None
    memory: float | None = None
    minutes: float = 0.1


def close(a: Any, b: Any, tolerance: float = 1e-3) -> str:
    """Two tensors up to a share of the larger one's maximum; raises where shapes or values disagree."""
    require(a.shape == b.shape, f"shapes {tuple(a.shape)} and {tuple(b.shape)}")
    apart = float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))
    require(apart < tolerance, f"{apart:.1e} of the maximum apart")  # also where it is NaN
    return f"{apart:.0e} apart"


def a_map(maps: Any) -> None:
    """Raise unless every value is finite and not all are zero."""
    require(bool(maps.isfinite().all()) and bool((maps != 0).any()), "no map")


def require(held: bool, otherwise: str) -> None:
    """Raise where two sides do not agree; unlike assert, also under ``python -O``."""
    if not held:
        raise ValueError(f"the sides disagree: {otherwise}")
