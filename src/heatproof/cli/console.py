"""What every command prints with: the console, progress bars, errors as one readable text."""

from __future__ import annotations

import io
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, Protocol, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from ..errors import HeatproofError, out_of_memory
from .plain_console import PlainConsole

P = ParamSpec("P")
R = TypeVar("R")


class Step(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, left: float | None = None, word: str = "") -> None: ...


console = PlainConsole()
errors = PlainConsole(stderr=True)


def friendly(command: Callable[P, R]) -> Callable[P, R]:
    """Errors as one readable text with exit code 1; Ctrl-C as 130, SIGTERM as 143."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        _print_every_name()
        try:
            with ended_as_interrupted():
                return command(*args, **kwargs)
        except KeyboardInterrupt as error:
            number = error.args[0] if error.args else signal.SIGINT
            how = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
            errors.print(f"heatproof: {how}; finished jobs stay, the same command goes on from here", style="yellow")
            raise typer.Exit(128 + number) from error
        except Exception as error:
            if out_of_memory(error):
                errors.print(
                    "heatproof: out of memory; try a smaller --chunk (of bench roar and kar also --stack, networks trained "
                    "at once), or --device cpu. Finished jobs stay.",
                    style="red",
                )
            elif isinstance(error, HeatproofError):
                errors.print(f"heatproof: {error}", style="red", markup=False)
            else:
                raise
            raise typer.Exit(1) from error

    return run


def _print_every_name() -> None:
    """Names of files may hold bytes that are no text: they are printed as such, where Python would raise."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextmanager
def ended_as_interrupted() -> Iterator[None]:
    """Within: SIGTERM, with which schedulers end jobs, leaves as Ctrl-C does, with nothing half-written behind."""

    def interrupted(number: int, _: object) -> None:
        raise KeyboardInterrupt(number)

    if threading.current_thread() is not threading.main_thread():  # where Python takes no signals
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def bar(what: str) -> Iterator[Step]:
    """A progress bar with time left; what it yields is called with (done, in all, seconds left or None, a word on it)."""
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    first: tuple[float, int] | None = None  # so that what an earlier run did is not counted as fast
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what, total=None, left="")

        def step(done: int, total: int, left: float | None = None, word: str = "") -> None:
            nonlocal first
            now = time.monotonic()
            first = first or (now, done)
            if left is None and done > first[1]:
                left = (now - first[0]) / (done - first[1]) * (total - done)
            text = f"about {minutes(left / 60)} left" if left else ""
            shown.update(task, completed=done, total=total, left=text, description=word or what)

        yield step


@contextmanager
def epochs_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """How trainings go that end at an accuracy; what it yields is called after every step with (done, at most, a word).

    No bar, since nobody knows the end; the time is at most what all steps left take at the speed of this run's own steps.
    """
    start, steps = time.monotonic(), 0
    columns = (_words("description"), TimeElapsedColumn(), _words("fields[left]"))
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(what, total=None, left="")

        def told(done: int, most: int, word: str) -> None:
            nonlocal steps
            steps += 1
            left = (time.monotonic() - start) / steps * (most - done)
            shown.update(task, description=word, left=f"at most {minutes(left / 60)} left")

        yield told


def _words(name: str) -> TextColumn:
    """A text that goes on in the next line rather than being cut."""
    return TextColumn(f"{{task.{name}}}", table_column=Column(overflow="fold"), markup=False)


def print_files(folder: Path, report: Path, drawn: Sequence[Path] | None = None) -> None:
    """Where a run's figures, report and tables are."""
    if drawn is not None:
        console.print(f"{len(drawn)} figures in {folder / 'figures'}", markup=False)
    console.print(f"report: {report}", markup=False)
    console.print(f"beside it: {', '.join(sorted(p.name for p in folder.glob('*.csv')))}", markup=False)


def minutes(value: float) -> str:
    return f"{value:.0f} min" if value >= 2 else f"{60 * value:.0f} s"


def number(value: Any) -> str:
    return "" if value is None or value != value else f"{value:z.2f}"
