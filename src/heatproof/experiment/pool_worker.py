"""One process of a pool: makes the work once, does jobs until there are none, and never outlives who started it."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch

from ..data.lookup import changed, file_module, find_object
from ..errors import RunError
from .jobs import Job
from .run import Produced, run_job

Setup = Callable[[], Callable[[Job], Produced]]
"""Gives the work of a job; called once in each process."""
GRACE = 5.0
"""Seconds that a process has for leaving no half-written file, before it is ended by force."""


class UserCode:
    """Files that were imported under names of our own; where this comes out of a pickle, what comes after it may be of
    their classes, or of modules of the current directory."""

    def __reduce__(self) -> tuple[Any, ...]:
        modules = {name: m.__file__ for name, m in sys.modules.items() if name.startswith("_heatproof_")}
        return _found, (modules,)  # by `find_object`


class Edited(ModuleType):
    """Stands for the module of a file that was edited since, so that a process starts and can say so."""

    used: ClassVar[list[str]] = []

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        Edited.used.append(str(self.__doc__))
        return type(name, (), {})


def _found(files: dict[str, str]) -> None:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)
    for name, file in files.items():
        if file_module(Path(file)) == name:
            find_object(f"{file}:__name__", "a module")
        else:
            sys.modules[name] = Edited(name, file)


def serve(pipe: Connection[Any, Any], _: UserCode, setup: Setup, folder: Path, threads: int) -> None:
    """What a worker process runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes of a terminal; the first one handles it
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_follow_parent, daemon=True).start()
    torch.set_num_threads(threads)
    code: object = 0
    try:
        do_jobs(pipe, setup, folder, threads)
    except SystemExit as end:
        code = end.code
    except (EOFError, OSError):  # of the pipe: nobody is there to hear
        pass
    sys.stdout.flush()
    os._exit(code if isinstance(code, int) else 1)  # at once: Python with torch takes a second to close down


def do_jobs(pipe: Connection[Any, Any], setup: Setup, folder: Path, threads: int) -> None:
    """Take jobs from the pipe; after the setup and after each job, None goes back, or what was raised."""
    with _told(pipe):
        if Edited.used:
            raise changed(Edited.used[0])
        work = setup()
    while True:
        key, job = pipe.recv()
        with _told(pipe):
            run_job(key, job, work, folder, threads)


@contextmanager
def _told(pipe: Connection[Any, Any]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        pipe.send(_portable(error))
        raise SystemExit(0) from error
    pipe.send(None)


def _portable(error: Exception) -> Exception:
    """The exception itself where it comes out of a pickle as the same, else a `RunError` that says what it said."""
    error.add_note("In a worker process:\n" + "".join(traceback.format_exception(error)))
    try:
        copy = pickle.loads(pickle.dumps(error))
        same = type(copy) is type(error) and str(copy) == str(error)
    except Exception:  # an exception's own pickling can fail in any way
        same = False
    return error if same else RunError(f"{type(error).__name__}: {error}")


def _leave(*_: object) -> None:
    raise SystemExit(0)  # unwinds, so that temporary files go


def _follow_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE)
        os._exit(1)
