"""The peak memory of one side of a row, in a fresh process: ``python -m benchmarks.memory ROW ours``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from .row import Call, Growth, Pair

ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": str(2**16), "MALLOC_TRIM_THRESHOLD_": str(2**16)}
"""Freed memory goes back at once, so that neither what was built before nor holes in the heap decide."""


def peak(id: str, side: str) -> float:
    """MiB that a side ("ours", "theirs", or a size) takes beyond model, inputs and libraries, which are there before."""
    command = [sys.executable, "-m", "benchmarks.memory", id, side]
    root = Path(__file__).parents[1]
    found = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=root, env={**os.environ, **ALLOCATOR}
    )
    if found.returncode:
        raise RuntimeError(f"{' '.join(command[1:])} failed ({found.returncode}): {found.stderr[-2000:]}")
    return float(found.stdout.split()[-1])


def _peak(call: Call) -> float:
    _warm()
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
        call()
        return (torch.cuda.max_memory_allocated() - held) / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _status("VmRSS")
    call()
    return (_status("VmHWM") - before) / 2**10


def _warm() -> None:
    """What a first forward and backward loads once, such as the kernels of oneDNN and the threads, is no side's memory."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(3600, 2)).eval()
    x = torch.randn(2, 3, 32, 32, requires_grad=True)
    torch.autograd.grad(net(x).sum(), x)


def _status(what: str) -> float:
    """KiB, as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(what)).split()[1])


def _call(made: Pair | Growth, side: str) -> Call:
    if isinstance(made, Growth):
        return made.calls[int(side)]
    call: Call = getattr(made, side)
    return call


if __name__ == "__main__":
    from .rows import ROWS

    row = next(r for r in ROWS if r.id == sys.argv[1])
    print(_peak(_call(row.make(), sys.argv[2])))
