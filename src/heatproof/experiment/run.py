"""Running jobs in this process. Files are the result: a job whose files are whole is never run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from ..checks.subject import Row
from .files import file_hash, maps_whole, read_job, write_maps, write_rows
from .heap import kept_heap
from .jobs import Job


class Produced(Protocol):
    """What a job gives: tidy rows, and raw maps by name."""

    rows: list[Row]
    maps: dict[str, Tensor]


Progress = Callable[[int, int, float | None], object]
"""Called as (jobs done, jobs in all, seconds left, None while unknown)."""


def run_jobs(
    keyed: Iterable[tuple[str, Job]],
    work: Callable[[Job], Produced],
    folder: Path,
    threads: int,
    progress: Progress | None = None,
) -> int:
    """Run every job that is not finished; the number of jobs that ran."""
    everything = list(keyed)
    todo = [(key, job) for key, job in everything if not finished(folder, key)]
    before = len(everything) - len(todo)
    start = time.monotonic()
    for ran, (key, job) in enumerate(todo):
        if progress:
            each = (time.monotonic() - start) / ran if ran else None
            progress(before + ran, len(everything), each * (len(todo) - ran) if each else None)
        run_job(key, job, work, folder, threads)
    if progress:
        progress(len(everything), len(everything), 0.0)
    return len(todo)


def run_job(key: str, job: Job, work: Callable[[Job], Produced], folder: Path, threads: int) -> Path:
    """Run one job and leave its files; the file of rows is last, so that it says that all is there."""
    with thread_count(threads), kept_heap():
        produced = work(job)
    extra: dict[str, Any] = {"job": {"kind": job.kind, **dict(job.params)}, "maps": None}
    if produced.maps:
        maps = write_maps(folder / "maps" / f"{key}.safetensors", produced.maps)
        extra |= {"maps": maps.name, "maps_sha256": file_hash(maps)}
    if chunk := getattr(produced, "chunk", None):
        extra["chunk"] = chunk
    return write_rows(folder / "jobs" / f"{key}.json", key, [list(row) for row in produced.rows], extra)


def finished(folder: Path, key: str) -> bool:
    """Whether a job's rows and its maps, where it kept any, are what it wrote, by their checksums."""
    job = read_job(folder / "jobs" / f"{key}.json")
    if job is None or job["key"] != key:
        return False
    return not job["maps"] or maps_whole(folder / "maps" / job["maps"], job["maps_sha256"])


@contextmanager
def thread_count(threads: int) -> Iterator[None]:
    """BLAS rounds by the number of threads: a job fixes it, and gives it back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
