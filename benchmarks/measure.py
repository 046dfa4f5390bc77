"""From a row to what was found, and the word on it that the table prints."""

from __future__ import annotations

from typing import Any

from .memory import peak
from .row import Growth, Pair, Row
from .timing import RUNS, alternating, exponent, growing, timed

Found = dict[str, Any]
"""What JSON holds of a row: id, what, against, targets, all times, and one of ratio, failed, cannot."""


def measured(row: Row) -> Found:
    """Both sides compared, then timed; whatever goes wrong is the row's answer, in place of a number."""
    about: Found = {"id": row.id, "what": row.what, "against": row.against, "target": row.time}
    try:
        made = row.make()
        if isinstance(made, Growth):
            return about | _growth(row, made)
        return about | (_refused(made) if row.time is None else _compared(row, made))
    except Exception as error:
        return about | {"failed": f"{type(error).__name__}: {error}"}


def mark(found: Found) -> str:
    """The last word of a row: kept, missed, failed, or that the peer cannot do it."""
    if "failed" in found:
        return "failed"
    if "cannot" in found:
        return "peer cannot"
    held = [found["ratio"] <= found["target"]]
    if "memory ratio" in found:
        held.append(found["memory ratio"] <= found["memory target"])
    return "kept" if all(held) else "missed"


def _compared(row: Row, pair: Pair) -> Found:
    agree, times = alternating(pair)
    found: Found = {"agree": agree, "ours": times.ours, "theirs": times.theirs, "counted": pair.counted}
    found |= {"ratio": times.ratio, "ratios": times.ratios}
    return found | _memory(row, "ours", "theirs")


def _growth(row: Row, growth: Growth) -> Found:
    agree, seconds = growing(growth)
    found: Found = {"agree": agree, "seconds": seconds, "ratio": exponent(seconds)}
    return found | _memory(row, str(max(seconds)), str(min(seconds)))


def _refused(pair: Pair) -> Found:
    """Ours alone, beside why the peer has no answer or a wrong one; should it have a right one, the row is wrong."""
    mine = pair.ours()
    try:
        pair.check(mine, pair.theirs())
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        return {"cannot": reason, "ours": [timed(pair.ours)[1] for _ in range(RUNS)]}
    raise ValueError("the peer has the same answer now: give the row a target")


def _memory(row: Row, over: str, under: str) -> Found:
    """Peaks of two sides and their ratio, where the row has a target for it; under a MiB all is noise."""
    if row.memory is None:
        return {}
    first, second = (max(peak(row.id, side), 1.0) for side in (over, under))
    return {"memory": (first, second), "memory ratio": first / second, "memory target": row.memory}
