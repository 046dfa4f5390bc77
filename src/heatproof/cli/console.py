"""What every command prints with: the console, errors as one readable text."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import typer

from ..errors import HeatproofError, out_of_memory
from ..plain_console import PlainConsole
from ..progress import bar as bar
from ..progress import minutes as minutes

P = ParamSpec("P")
R = TypeVar("R")


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


def print_files(folder: Path, report: Path, drawn: Sequence[Path] | None = None) -> None:
    """Where a run's figures, report and tables are."""
    if drawn is not None:
        console.print(f"{len(drawn)} figures in {folder / 'figures'}", markup=False)
    console.print(f"report: {report}", markup=False)
    console.print(f"beside it: {', '.join(sorted(p.name for p in folder.glob('*.csv')))}", markup=False)


def number(value: Any) -> str:
    return "" if value is None or value != value else f"{value:z.2f}"
