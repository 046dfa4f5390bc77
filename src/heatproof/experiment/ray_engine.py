"""Jobs on a Ray cluster: the same files as `run.run_jobs` leaves, in a folder that all nodes share."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from ..data.lookup import changed
from ..errors import InputError, RunError
from .jobs import Job
from .pool import Keyed, Ran
from .pool_worker import Edited, Setup, UserCode
from .run import Produced, Progress, finished, run_job

PREFIX = "ray"
RETRIES = 4
"""Times that a job of a lost worker or node is started again; an error of its own is not tried again."""
AHEAD = 4
"""Jobs that Ray is given for each that it can do at once: millions of them would fill the driver's memory."""
EVERY = 1.0
"""Seconds between two looks at what is done."""


def is_ray(engine: str) -> bool:
    return engine == PREFIX or engine.startswith(f"{PREFIX}://")


def run_jobs_on_ray(
    keyed: Iterable[Keyed],
    setup: Setup,
    folder: Path,
    threads: int,
    engine: str,
    gpus: float = 0,
    progress: Progress | None = None,
) -> Ran:
    """Run every job that is not finished on a cluster; files as `run_jobs` leaves them, byte for byte.

    Args:
        setup: gives the work; sent once to each node, so it may hold what can be pickled by value (cloudpickle).
        folder: of the run; the same path on every node.
        threads: of torch in each job, and the CPUs that it asks Ray for.
        engine: "ray" for the cluster that ``RAY_ADDRESS`` names or ``ray start`` left here, else one on this machine;
            "ray://host:port" or "ray://auto" for a cluster that must be there.
        gpus: that each job asks Ray for.
        progress: called with (jobs done, jobs in all, seconds left).

    Raises:
        InputError: no Ray installed, or no cluster at the address.
        RunError: jobs were lost more than `RETRIES` times, or a node writes elsewhere.
        Exception: what a job raised, as it is.
    """
    ray = _connected(engine)
    everything, folder = list(keyed), folder.resolve()
    todo = [(key, job) for key, job in everything if not finished(folder, key)]
    if not todo:
        return Ran(0, 0, "no jobs left")
    remote = ray.remote(num_cpus=threads, num_gpus=gpus, max_retries=RETRIES, retry_exceptions=False)(_one)
    held, slots = ray.put((UserCode(), setup)), _slots(ray, threads, gpus)
    waiting: dict[Any, str] = {}
    try:
        send = partial(remote.remote, [held], str(folder), threads)
        _follow(ray, send, todo, waiting, max(1, AHEAD * slots), len(everything), progress)
    finally:
        for left in waiting:
            ray.cancel(left, force=True)
    _check_shared(folder, todo)
    return Ran(len(todo), slots)


def _slots(ray: Any, threads: int, gpus: float) -> int:
    """Jobs that the cluster can do at once, as it is now."""
    there = ray.cluster_resources()
    slots = there.get("CPU", 0) // threads
    return int(min(slots, there.get("GPU", 0) // gpus) if gpus else slots)


def _one(held: list[Any], folder: str, threads: int, key: str, job: Job) -> None:
    """What a node does: the work is made once a process, and finished jobs of a lost one are not done again."""
    import ray

    if not finished(Path(folder), key):
        run_job(key, job, _made(held[0], ray.get), Path(folder), threads)


@lru_cache(maxsize=1)
def _made(held: Any, get: Callable[[Any], tuple[UserCode, Setup]]) -> Callable[[Job], Produced]:
    _, setup = get(held)
    if Edited.used:
        raise changed(Edited.used[0])
    return setup()


def _follow(
    ray: Any,
    send: Callable[[str, Job], Any],
    todo: Sequence[Keyed],
    waiting: dict[Any, str],
    most: int,
    total: int,
    progress: Progress | None,
) -> None:
    """Hand out all jobs, at most so many at a time, and hear of each; `waiting` is what is out."""
    start, left = time.monotonic(), deque(todo)
    while left or waiting:
        while left and len(waiting) < most:
            key, job = left.popleft()
            waiting[send(key, job)] = key
        done, _ = ray.wait(list(waiting), num_returns=1, timeout=EVERY)
        for one in done:
            _heard(ray, one, waiting.pop(one))
        open_ = len(left) + len(waiting)
        ran = len(todo) - open_
        if progress:
            progress(total - open_, total, (time.monotonic() - start) / ran * open_ if ran else None)


def _heard(ray: Any, one: Any, key: str) -> None:
    try:
        ray.get(one)
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, Exception) else RunError(str(error)) from error
    except ray.exceptions.RayError as error:
        raise RunError(
            f"job {key} was lost {RETRIES + 1} times ({type(error).__name__}); where memory runs out Ray ends the "
            "process: give each job more CPUs (threads=) or a smaller chunk=; finished jobs stay, and the same "
            "command goes on from there"
        ) from error


def _check_shared(folder: Path, todo: list[Keyed]) -> None:
    missing = [key for key, _ in todo if not finished(folder, key)]
    if missing:
        raise RunError(
            f"{len(missing)} of {len(todo)} jobs are done, but their files are not in {folder}: the nodes of the cluster "
            "wrote to a folder of their own; choose one that all nodes share with out= (--out)"
        )


def _connected(engine: str) -> Any:
    try:
        import ray
    except ImportError:
        raise InputError(f"engine={engine!r} needs Ray: pip install 'heatproof[ray]'") from None
    address = engine.partition("://")[2] or None
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"engine={engine!r}: there is no Ray cluster to connect to ({str(error).splitlines()[0]}); start one with "
                "ray start --head, or leave the address out for one on this machine"
            ) from error
    return ray
