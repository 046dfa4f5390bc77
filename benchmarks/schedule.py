"""Jobs on many workers, simulated: each free worker takes the next job, as the engines do."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Cluster:
    """Workers that do one job at a time.

    Attributes:
        workers: how many. start: seconds until each is ready. each: seconds that handing out a job and keeping its result
            take, besides the work.
        lasts: mean seconds until a worker is lost with the job in its hand, which starts again elsewhere; None for never.
        back: seconds until a lost worker is there again.
    """

    workers: int
    start: float = 0.0
    each: float = 0.0
    lasts: float | None = None
    back: float = 300.0


@dataclass(frozen=True)
class Schedule:
    """seconds: until the last job is done. busy: share of all workers' time spent on jobs that count. lost: jobs that were
    begun in vain."""

    seconds: float
    busy: float
    lost: int


def schedule(jobs: Iterable[float], cluster: Cluster, seed: int = 0) -> Schedule:
    """Jobs, in seconds of work, in their order; losses are drawn with `seed`."""
    draw = random.Random(seed)
    free = [(cluster.start, worker) for worker in range(cluster.workers)]
    ends = [_life(cluster, draw) for _ in range(cluster.workers)]
    worked, lost, last = 0.0, 0, cluster.start
    for seconds in jobs:
        while True:
            now, worker = heapq.heappop(free)
            done = now + cluster.each + seconds
            if done <= ends[worker]:
                break
            again = max(now, ends[worker]) + cluster.back + cluster.start
            ends[worker] = again + _life(cluster, draw)
            lost += 1
            heapq.heappush(free, (again, worker))
        heapq.heappush(free, (done, worker))
        worked, last = worked + seconds, max(last, done)
    return Schedule(last, worked / (last * cluster.workers) if worked else 1.0, lost)


def _life(cluster: Cluster, draw: random.Random) -> float:
    return float("inf") if cluster.lasts is None else cluster.start + draw.expovariate(1 / cluster.lasts)
