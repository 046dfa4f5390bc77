"""The simulated schedule: known answers, and the bounds that every schedule keeps."""

from __future__ import annotations

import random

import pytest
from benchmarks.schedule import Cluster, schedule


@pytest.mark.parametrize(("jobs", "workers", "seconds"), [(10, 1, 10), (10, 3, 4), (10, 10, 1), (10, 64, 1), (0, 3, 0)])
def test_equal_jobs(jobs: int, workers: int, seconds: float) -> None:
    assert schedule([1.0] * jobs, Cluster(workers)).seconds == seconds


def test_by_hand() -> None:
    """Workers a and b: a does 3, b does 1 and 1 and 4, a does 2."""
    found = schedule([3, 1, 1, 4, 2], Cluster(2, start=10, each=0.5))
    assert found.seconds == 10 + (1.5 + 1.5 + 4.5)
    assert found.busy == pytest.approx(11 / (2 * found.seconds))


def test_between_its_bounds() -> None:
    draw = random.Random(0)
    for _ in range(50):
        jobs, workers = [draw.uniform(0.1, 5) for _ in range(draw.randint(1, 60))], draw.randint(1, 9)
        found = schedule(jobs, Cluster(workers)).seconds
        best = max(max(jobs), sum(jobs) / workers)
        assert best - 1e-9 <= found <= sum(jobs) / workers + max(jobs) + 1e-9  # Graham 1966


def test_a_lost_worker_costs_its_job_and_its_absence() -> None:
    none = schedule([60.0] * 2000, Cluster(8))
    some = schedule([60.0] * 2000, Cluster(8, lasts=3600, back=300))
    assert none.lost == 0
    expected = none.seconds * 8 / 3600  # losses in all that time
    assert 0.7 * expected < some.lost < 1.5 * expected
    each = some.lost * (300 + 30) / 8  # absent, and half a job in vain
    assert some.seconds == pytest.approx(none.seconds + each, rel=0.03)
    assert schedule([60.0] * 100, Cluster(3, lasts=900), seed=1) == schedule(
        [60.0] * 100, Cluster(3, lasts=900), seed=1
    )
