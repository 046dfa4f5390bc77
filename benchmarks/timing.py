"""Seconds of two sides in turn, so that what slows the machine slows both; and of one side at growing sizes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from .row import Call, Growth, Pair

LONG = 20.0
"""Seconds of a run from which on there are two runs a side in place of five."""
ENOUGH = 300.0
"""Seconds of a run from which on there is one a side: all rows are to fit into an hour."""
RUNS, LONG_RUNS = 5, 2


@dataclass(frozen=True)
class Timed:
    """Seconds of every run of both sides."""

    ours: list[float]
    theirs: list[float]

    @property
    def ratio(self) -> float:
        """Ours over theirs, by medians."""
        return median(self.ours) / median(self.theirs)

    @property
    def ratios(self) -> list[float]:
        """Of each pair of runs."""
        return [a / b for a, b in zip(self.ours, self.theirs, strict=True)]


def alternating(pair: Pair) -> tuple[str, Timed]:
    """How both sides agree, and their times. The first runs are compared before any other; they warm up both sides, or
    count as the first of two where they are long."""
    (mine, ours), (other, theirs) = timed(pair.ours), timed(pair.theirs)
    agree = pair.check(mine, other)
    del mine, other  # they may be large
    longest = max(ours, theirs)
    turns = [(ours, theirs)] if longest > LONG else []
    more = 0 if longest > ENOUGH else LONG_RUNS - 1 if turns else RUNS
    turns += [(timed(pair.ours)[1], timed(pair.theirs)[1]) for _ in range(more)]
    return agree, Timed([ours for ours, _ in turns], [theirs * pair.counted for _, theirs in turns])


def growing(growth: Growth) -> tuple[str, dict[int, float]]:
    """What the check says, and the median seconds at each size; sizes in turn. One run each where they are long."""
    results = {size: timed(call) for size, call in growth.calls.items()}
    agree = growth.check(results[max(results)][0])
    if max(seconds for _, seconds in results.values()) > LONG:
        return agree, {size: seconds for size, (_, seconds) in results.items()}
    del results
    turns = [{size: timed(call)[1] for size, call in growth.calls.items()} for _ in range(RUNS - 2)]
    return agree, {size: median(turn[size] for turn in turns) for size in growth.calls}


def exponent(seconds: Mapping[int, float]) -> float:
    """p in t = a + b n^p through three sizes of equal ratio: a, what any size takes (a report, a trial), does not count."""
    small, middle, large = sorted(seconds)
    first, second = seconds[middle] - seconds[small], seconds[large] - seconds[middle]
    if first <= 0 or second <= 0 or middle * middle != small * large:
        raise ValueError(f"no power of the size in {dict(seconds)}")
    return math.log(second / first) / math.log(large / middle)


def timed(call: Call) -> tuple[Any, float]:
    """What a call gives, and its seconds."""
    _synchronise()
    start = time.perf_counter()
    result = call()
    _synchronise()
    return result, time.perf_counter() - start


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
