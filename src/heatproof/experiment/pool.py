"""Jobs side by side: the same files as `run.run_jobs` leaves, written by processes that are started once."""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing.connection import wait
from pathlib import Path

from ..errors import InputError, RunError
from .jobs import Job
from .pool_processes import AGAIN, Worker, start_all, stop
from .pool_worker import GRACE, Setup
from .run import Progress, finished, run_jobs

Keyed = tuple[str, Job]


@dataclass(frozen=True)
class Ran:
    """What was done: jobs that ran, processes that they ran in (0: in this one), and why there were none."""

    jobs: int
    workers: int
    reason: str = ""


def run_jobs_in_processes(
    keyed: Iterable[Keyed],
    setup: Setup,
    folder: Path,
    threads: int,
    workers: int,
    progress: Progress | None = None,
) -> Ran:
    """Run every job that is not finished, `workers` at a time; files as `run_jobs` leaves them, byte for byte.

    A worker imports torch and calls `setup` once. With one worker, one job, or a setup that cannot be pickled, the jobs
    run here one after the other (`Ran.reason`). Ctrl-C, and an error, end all workers before they come out of here;
    finished jobs stay. Should this process die, its workers end themselves.

    Args:
        keyed: jobs under their keys.
        setup: gives the work; picklable, so a function or a dataclass of a module. CPU tensors that it holds are moved to
            shared memory, one copy for all, and must not be written to. For a GPU let it make its tensors there itself.
        folder: of the run.
        threads: of torch in each job, part of the result; workers x threads should be at most the cores.
        workers: the most processes.
        progress: called with (jobs done, jobs in all, seconds left).

    Raises:
        InputError: no whole number of workers or threads from 1 on.
        RunError: a worker could not be started, or died: killed by the system where memory runs out, say.
        Exception: what a job raised, as it is, with the worker's traceback as its note.
    """
    for what, value in (("workers", workers), ("threads", threads)):
        if type(value) is not int or value < 1:
            raise InputError(f"run_jobs_in_processes({what}={value!r}); expected a whole number of at least 1")
    everything = list(keyed)
    todo = [(key, job) for key, job in everything if not finished(folder, key)]
    count, started = min(workers, len(todo)), list[Worker]()
    try:
        why = start_all(started, setup, folder, threads, count) if count > 1 else f"{workers=}, {len(todo)} jobs left"
        if not why:
            _collect(started, todo, len(everything), progress)
            return Ran(len(todo), count)
    finally:
        stop(started, folder)
    make = cache(setup)
    return Ran(run_jobs(everything, lambda job: make()(job), folder, threads, progress), 0, why)


def _collect(workers: Sequence[Worker], todo: Sequence[Keyed], total: int, progress: Progress | None) -> None:
    """Give each worker that is free a job, until all are done."""
    left, ran, start = deque(todo), 0, time.monotonic()
    while ran < len(todo):
        if progress:
            each = (time.monotonic() - start) / ran if ran else None
            progress(total - len(todo) + ran, total, each * (len(todo) - ran) if each else None)
        ready = wait([worker.pipe for worker in workers])
        ran += sum(_served(worker, left) for worker in workers if worker.pipe in ready)
    if progress:
        progress(total, total, 0.0)


def _served(worker: Worker, left: deque[Keyed]) -> bool:
    """Hear a worker and give it its next job; whether it had done one."""
    try:
        answer = worker.pipe.recv()
        done = worker.key is not None and answer is None
        worker.key = left[0][0] if left and answer is None else None
        if worker.key is not None:
            worker.pipe.send(left.popleft())
    except (EOFError, OSError) as error:
        raise _death(worker) from error
    if answer is not None:
        raise answer
    return done


def _death(worker: Worker) -> RunError:
    worker.process.join(GRACE)
    code = worker.process.exitcode or 0
    where = f"in job {worker.key}" if worker.key else "before it had a job"
    if code < 0:
        how = (
            f"was ended by {signal.Signals(-code).name}; where memory runs out the system does that: use fewer workers"
        )
    else:
        how = f"ended with exit code {code}, see above; a script must do its work under if __name__ == '__main__'"
    return RunError(f"a worker process {where} {how}; {AGAIN}")
