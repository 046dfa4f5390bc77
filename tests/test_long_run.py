"""Long runs: memory, open files and threads stay what they are over a thousand jobs."""

from __future__ import annotations

import gc
import os
import sys
import threading
from pathlib import Path

import pytest
from torch import Tensor

from test_audit import audited, images
from test_memory import live_tensors

JOBS, SETTLED = 1000, 300
GROWTH = 6.0
"""MB that 700 jobs may take more; a map kept of each job would be 1.4 MB alone, a network kept of each 12 MB."""


def resident() -> float:
    """MB of this process in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_thousand_jobs_take_no_more_memory_than_three_hundred(tmp_path: Path) -> None:
    seen: dict[int, tuple[float, int, int, int]] = {}

    def look(done: int, total: int, left: float | None) -> None:
        if done in (SETTLED, JOBS):
            seen[done] = (resident(), live_tensors(), len(os.listdir("/proc/self/fd")), threading.active_count())

    audit = audited(tmp_path, images=many(), chunk=1, seeds=9, nulls=2, methods=("gradient",), progress=look)
    assert len(list((audit.folder / "jobs").iterdir())) == JOBS
    before, after = seen[SETTLED], seen[JOBS]
    assert after[0] - before[0] < GROWTH
    assert after[1:] == before[1:]


def many() -> Tensor:
    return images(JOBS // 10)  # a null job and nine chains each
