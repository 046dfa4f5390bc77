"""Processes of a pool, started so that Ctrl-C stays with us, and stopped so that nothing half-written is left."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch.multiprocessing

from ..errors import RunError
from .pool_worker import GRACE, Setup, UserCode, serve

AGAIN = "finished jobs stay, and the same command goes on from there"


@dataclass
class Worker:
    """A process, our end of its pipe, and the job that it has in hand."""

    process: BaseProcess
    pipe: Connection[Any, Any]
    key: str | None = None


def start_all(started: list[Worker], setup: Setup, folder: Path, threads: int, count: int) -> str:
    """Start so many processes; why not, where `setup` cannot be sent to them."""
    with _no_interrupt(), _environment(OMP_NUM_THREADS=str(threads)):  # numpy's threads too, which nobody else limits
        for _ in range(count):
            try:
                started.append(_start(setup, folder, threads))
            except (pickle.PicklingError, AttributeError, TypeError) as error:
                return f"the setup cannot be pickled: {error}"
            except (RuntimeError, OSError) as error:  # no shared memory left, or no guard in the caller's script
                raise RunError(f"no worker process could be started: {error}; try workers=1; {AGAIN}") from error
    return ""


def _start(setup: Setup, folder: Path, threads: int) -> Worker:
    context = torch.multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, UserCode(), setup, folder, threads))
    process.start()
    theirs.close()  # so that the end of the process is the end of the pipe
    return Worker(process, ours)


def stop(workers: Sequence[Worker], folder: Path) -> None:
    """End all processes, by force where they do not leave, and remove what those had half written."""
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(GRACE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join()
        worker.pipe.close()
        for path in folder.glob(f"*/.*.{worker.process.pid}.*tmp"):
            path.unlink(missing_ok=True)


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C waits until the end, and processes that are started within never see it."""
    resource_tracker.ensure_running()  # else started within, which would end this
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    """Environment of processes that are started within."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
