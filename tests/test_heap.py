"""Memory kept while a job runs: taken again by the next tensors, and given back at the end."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
glibc = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or (HUGE.exists() and "[always]" in HUGE.read_text()),
    reason="glibc's own settings, counted in pages of 4 KB",
)

SCRIPT = """
import resource
from contextlib import nullcontext
import torch
from heatproof.experiment.heap import kept_heap

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with {context}:
    for _ in range(20):  # until the heap has found the places that it goes on with
        torch.ones(2**24)
    print(faults())
    held = resident()
print(held - resident())
"""


def ran(context: str) -> list[int]:
    script = SCRIPT.format(context=context)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return [int(line) for line in done.stdout.split()]


@glibc
def test_tensors_take_the_memory_of_those_before_and_it_is_given_back() -> None:
    """Each of the 20 tensors is 64 MB, 16,384 pages; without the context each takes them anew. Aligned, they may take the
    room of two."""
    kept, given = ran("kept_heap()")
    plain, _ = ran("nullcontext()")
    assert kept < 20_000 < 300_000 < plain
    assert given > 60e6


@glibc
def test_an_error_inside_gives_it_back_too() -> None:
    script = """
from heatproof.experiment import heap
calls = []
class Libc:
    def mallopt(self, option, value): calls.append((option, value))
    def malloc_trim(self, pad): calls.append("trim")
heap._glibc = lambda: Libc()
try:
    with heap.kept_heap():
        assert calls == list(heap._KEEP)
        raise KeyError
except KeyError:
    pass
assert calls == [*heap._KEEP, *heap._GIVE_BACK, "trim"]
"""
    subprocess.run([sys.executable, "-c", script], check=True)
