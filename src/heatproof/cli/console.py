"""What every command prints with: the consoles and progress bars."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.text import Text

from .. import progress
from ..plain_console import PlainConsole
from ..progress import bar as bar
from ..progress import minutes as minutes

console = PlainConsole()
errors = progress.console
"""Its bars, too, stand on stderr."""


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


def number(value: Any) -> str:
    return "" if value is None or value != value else f"{value:z.2f}"
