"""Progress bars of everything that takes long: in a terminal, in a notebook, and nowhere else.

All of them stand on stderr, or in the output of a notebook's cell, and vanish when their work ends, however it ends.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any, Literal, Protocol, TypeVar

from markupsafe import Markup
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

from .errors import InputError
from .plain_console import PlainConsole
from .visible import visible

Auto = Literal["auto"] | bool | None
"""True and "auto" show a bar where somebody may look at it: in a terminal or a notebook, never in a pipe or in CI."""
Told = TypeVar("Told", bound=Callable[..., object])


class Step(Protocol):
    """Moves a progress bar."""

    def __call__(self, done: int, total: int, left: float | None = None, word: str = "") -> None: ...


class Draw(Protocol):
    """Shows how far something is; `total` is None where nobody knows the end."""

    def __call__(self, word: str, done: int, total: int | None, left: str) -> None: ...


console = PlainConsole(stderr=True)
EVERY = 0.25
"""Seconds between two pictures of a bar in a notebook."""


def checked(progress: Told | Auto) -> Told | Auto:
    """What was asked for, or `InputError`: called before the work, so that a mistake does not end it."""
    if callable(progress) or progress in ("auto", True, False, None):
        return progress
    raise InputError(f'progress={progress!r}; expected "auto", False, or a function to be called with the progress')


@contextmanager
def shown(
    progress: Told | Auto, what: str, bar: Callable[[str], AbstractContextManager[Told]]
) -> Iterator[Told | None]:
    """What to call with the progress: the caller's own function, a bar's step, or None for nothing."""
    if callable(progress):
        yield progress
    elif checked(progress):
        with bar(what) as step:
            yield step
    else:
        yield None


@contextmanager
def bar(what: str) -> Iterator[Step]:
    """A progress bar with time left; what it yields is called with (done, in all, seconds left or None, a word on it)."""
    first: tuple[float, int] | None = None  # so that what an earlier run did is not counted as fast
    with _drawn(_said("description"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), _said("left")) as draw:

        def step(done: int, total: int, left: float | None = None, word: str = "") -> None:
            nonlocal first
            now = time.monotonic()
            first = first or (now, done)
            if left is None and done > first[1]:
                left = (now - first[0]) / (done - first[1]) * (total - done)
            draw(word or what, done, total, f"about {minutes(left / 60)} left" if left else "")

        yield step


@contextmanager
def training_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """A `bar` for a training; what it yields is called with (steps done, steps in all, a word on it)."""
    with bar(what) as step:
        yield lambda done, total, word: step(done, total, None, f"{what}: {word}")


@contextmanager
def epochs_bar(what: str) -> Iterator[Callable[[int, int, str], None]]:
    """How trainings go that end at an accuracy; what it yields is called after every step with (done, at most, a word).

    No bar, since nobody knows the end; the time is at most what all steps left take at the speed of this run's own steps.
    """
    start, steps = time.monotonic(), 0
    with _drawn(_said("description", whole=True), TimeElapsedColumn(), _said("left", whole=True)) as draw:

        def told(done: int, most: int, word: str) -> None:
            nonlocal steps
            steps += 1
            left = (time.monotonic() - start) / steps * (most - done)
            draw(word or what, done, None, f"at most {minutes(left / 60)} left")

        yield told


def minutes(value: float) -> str:
    return f"{value:.0f} min" if value >= 2 else f"{60 * value:.0f} s"


def _said(field: str, whole: bool = False) -> TextColumn:
    """A column of text; a whole one goes on in the next line rather than being cut."""
    text = "{task.description}" if field == "description" else f"{{task.fields[{field}]}}"
    return TextColumn(text, table_column=Column(overflow="fold") if whole else None, markup=False)


def _drawn(*columns: ProgressColumn) -> AbstractContextManager[Draw]:
    """Where there is a bar to see; nothing is shown before the first call."""
    return _in_notebook() if notebook() else _in_terminal(columns)


def notebook() -> bool:
    """Whether this runs in the kernel of a notebook, of whatever kind."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and hasattr(ipython.get_ipython(), "kernel")


def terminal() -> bool:
    """Whether somebody may look at stderr: not a file, a pipe, or the log of a CI job."""
    return console.live and not os.environ.get("CI")


@contextmanager
def _in_terminal(columns: tuple[ProgressColumn, ...]) -> Iterator[Draw]:
    progress = Progress(
        *columns,
        console=console,
        transient=True,
        disable=not terminal(),
        redirect_stdout=PlainConsole().file.isatty(),  # what a method prints into a file stays there
    )
    task = progress.add_task("", total=None, left="")

    def draw(word: str, done: int, total: int | None, left: str) -> None:
        progress.start()  # again and again without harm
        progress.update(task, description=word, completed=done, total=total, left=left)

    try:
        yield draw
    finally:
        progress.stop()


@contextmanager
def _in_notebook() -> Iterator[Draw]:
    """An output of the cell that is drawn anew, and is empty in the end: no widgets, so that every program shows it."""
    display: Any = import_module("IPython.display").display
    start, last = time.monotonic(), 0.0
    handle: Any = None

    def draw(word: str, done: int, total: int | None, left: str) -> None:
        nonlocal handle, last
        now = time.monotonic()
        if handle is not None and now - last < EVERY:
            return
        last, count = now, "" if total is None else f"{done}/{total}"
        text = ", ".join(part for part in (f"{word} {count}".strip(), minutes((now - start) / 60), left) if part)
        if handle is None:
            handle = display(_picture(text, done, total), raw=True, display_id=True)
        else:
            handle.update(_picture(text, done, total), raw=True)

    try:
        yield draw
    finally:
        if handle is not None:
            handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _picture(text: str, done: int, total: int | None) -> dict[str, str]:
    """A line of progress as text and as HTML."""
    text = visible(text)
    line = Markup('<progress max="{}" value="{}" aria-hidden="true"></progress> ').format(total, done) if total else ""
    return {"text/plain": text, "text/html": str(Markup("<div>{}{}</div>").format(line, text))}
