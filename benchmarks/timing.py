"""Alternating runs of two sides, and the memory of each in a process of its own."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median

import torch

from .row import Call, Pair, Row

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


def timed(pair: Pair, long: bool) -> Timed:
    """Both sides in turn, so that what slows the machine slows both."""
    ours, theirs = [], []
    for _ in range(LONG_RUNS if long else RUNS):
        ours.append(seconds(pair.ours))
        theirs.append(seconds(pair.theirs))
    return Timed(ours, theirs)


def seconds(call: Call) -> float:
    _synchronise()
    start = time.perf_counter()
    call()
    _synchronise()
    return time.perf_counter() - start


def _synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def memory(row: Row) -> tuple[float, float]:
    """MiB that each side takes at its peak beyond what was there before, each in a fresh process."""
    ours, theirs = (_in_process(row.id, side) for side in ("ours", "theirs"))
    return ours, theirs


def _in_process(id: str, side: str) -> float:
    command = [sys.executable, "-m", "benchmarks.timing", id, side]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {found.stderr[-2000:]}")
    return float(found.stdout.split()[-1])


def _peak(call: Call) -> float:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10


if __name__ == "__main__":
    from .rows import ROWS

    row = next(r for r in ROWS if r.id == sys.argv[1])
    print(_peak(getattr(row.make(), sys.argv[2])))
