"""Jobs on a Ray cluster: the same files as `run.run_jobs` leaves, in a folder that all nodes share."""

from __future__ import annotations

import logging
import os
import signal
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache, partial
from math import inf
from pathlib import Path
from typing import Any

from ..data.lookup import changed
from ..errors import InputError, RunError
from .identity import versions
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
PATIENCE = 5.0
"""Seconds that an address has to answer."""


def is_ray(engine: str) -> bool:
    return engine == PREFIX or (engine.startswith(f"{PREFIX}://") and engine != f"{PREFIX}://")


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
    slots = _slots(ray, threads, gpus)
    held = ray.put((UserCode(), setup, versions()))
    waiting: dict[Any, str] = {}
    try:
        send = partial(remote.remote, [held], str(folder), threads)
        _follow(ray, send, todo, waiting, max(1, AHEAD * slots), len(everything), folder, progress)
    finally:
        for left in waiting:
            with suppress(Exception):  # what was raised within says more
                ray.cancel(left, force=True)
    return Ran(len(todo), slots)


def _slots(ray: Any, threads: int, gpus: float) -> int:
    """Jobs that the cluster can do at once, as it is now; a job is done on one node."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    slots = sum(min(n.get("CPU", 0) // threads, n.get("GPU", 0) // gpus if gpus else inf) for n in nodes)
    if not slots:
        there = ", ".join(f"{n.get('CPU', 0):g} CPUs and {n.get('GPU', 0):g} GPUs" for n in nodes)
        raise InputError(
            f"a job asks for {threads} CPUs and {gpus:g} GPUs, and no node of the Ray cluster has as many ({there}); give "
            "fewer threads= (--threads), or start nodes with more"
        )
    return int(slots)


def _one(held: list[Any], folder: str, threads: int, key: str, job: Job) -> None:
    """What a node does: the work is made once a process, and finished jobs of a lost one are not done again."""
    import ray

    if not finished(Path(folder), key):
        run_job(key, job, _made(held[0], ray.get), Path(folder), threads)


@lru_cache(maxsize=1)
def _made(held: Any, get: Callable[[Any], tuple[UserCode, Setup, dict[str, str]]]) -> Callable[[Job], Produced]:
    _, setup, wanted = get(held)
    if wanted != (here := versions()):
        differ = ", ".join(
            f"{name} {here.get(name)} here, {v} there" for name, v in wanted.items() if here.get(name) != v
        )
        raise RunError(f"a node of the Ray cluster is not as the driver is: {differ}; install the same on all of them")
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
    folder: Path,
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
            key = waiting.pop(one)
            _heard(ray, one, key)
            _check_shared(folder, key)
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
            f"job {key} was lost, and Ray gave it up ({type(error).__name__}: {str(error).splitlines()[0]}); where memory "
            "runs out Ray ends processes: give each job more CPUs (threads=) or a smaller chunk=; finished jobs stay, and "
            "the same command goes on from there"
        ) from error


def _check_shared(folder: Path, key: str) -> None:
    if not finished(folder, key):
        raise RunError(
            f"job {key} is done, but its files are not in {folder}: the nodes of the cluster write to a folder of their "
            "own; choose one that all nodes share with out= (--out)"
        )


def _connected(engine: str) -> Any:
    try:
        import ray
    except ImportError:
        raise InputError(f"engine={engine!r} needs Ray: pip install 'heatproof[ray]'") from None
    if not ray.is_initialized():
        address = engine.partition("://")[2] or None
        where = address or os.environ.get("RAY_ADDRESS") or _left_here()
        if where and not _answers(where):
            if address or os.environ.get("RAY_ADDRESS"):
                raise InputError(
                    f"engine={engine!r}: nothing answers at {where}; start a cluster with ray start --head, and give the "
                    "address that it prints (port 6379, not the 10001 of Ray's client)"
                )
            address = "local"  # of a cluster that is gone
        before = signal.getsignal(signal.SIGTERM)
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise InputError(
                f"engine={engine!r}: there is no Ray cluster to connect to ({str(error).splitlines()[0]}); start one with "
                "ray start --head, or leave the address out for one on this machine"
            ) from error
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, before)  # Ray takes it, and would end us without a word
    return ray


def _left_here() -> str | None:
    """The address that ``ray start`` leaves on a machine."""
    path = Path(tempfile.gettempdir()) / "ray" / "ray_current_cluster"
    return path.read_text().strip() or None if path.is_file() else None


def _answers(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not port.isdigit():  # "auto", "local"
        return True
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=PATIENCE).close()
    except OSError:
        return False
    return True
