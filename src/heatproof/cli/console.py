"""What every command prints with: the consoles and progress bars."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column
from rich.text import Text

from .plain_console import PlainConsole


class Step(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, left: float | None = None, word: str = "") -> None: ...


console = PlainConsole()
errors = PlainConsole(stderr=True)


@contextmanager
def spoken(to_stderr: bool, quiet: bool) -> Iterator[None]:
    """Within: what is printed goes to stderr, or, but for errors, nowhere."""
    console.stderr, console.quiet, errors.bars = to_stderr, quiet, not quiet
    try:
        yield
    finally:
        console.stderr, console.quiet, errors.bars = False, False, True


@contextmanager
def working(on: str) -> Iterator[None]:
    """A spinner beside what is being done, on a terminal."""
    if not errors.live:
        yield
        return
    with errors.status(Text(on)):
        yield


def _progress(*columns: ProgressColumn) -> Progress:
    """Bars on stderr, so that they are seen where stdout goes to a file; none where stderr is no terminal."""
    return Progress(*columns, console=errors, transient=True, redirect_stdout=False, disable=not errors.live)


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
    with _progress(*columns) as shown:
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
    with _progress(*columns) as shown:
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


def print_files(folder: Path, report: Path, drawn: Sequence[Path] | None = None) -> dict[str, Any]:
    """Where a run's figures, report and tables are: printed, and as the keys folder, report and files of a document."""
    tables = sorted(folder.glob("*.csv"))
    if drawn is not None:
        console.print(f"{len(drawn)} figures in {folder / 'figures'}", soft_wrap=True)
    console.print(
        f"report: {report}", soft_wrap=True
    )  # a path that is broken into lines can be neither copied nor opened
    console.print(f"beside it: {', '.join(p.name for p in tables)}")
    return {"folder": folder, "report": report, "files": [*tables, *(drawn or ())]}


def minutes(value: float) -> str:
    return f"{value:.0f} min" if value >= 2 else f"{60 * value:.0f} s"


def number(value: Any) -> str:
    return "" if value is None or value != value else f"{value:z.2f}"
