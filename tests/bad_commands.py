"""Bad command lines: each ends with an exit code and a text of ours, and leaves nothing behind.

    python tests/bad_input.py        # runs these cases too and prints their count

Run in this process through the entry point's own application, in the folder of `bad_place`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from typer.testing import CliRunner

from bad_outcome import CORRECT, ERROR, helpful, in_time
from bad_place import current, make_place
from heatproof.cli import app
from heatproof.faithfulness.kinds import KINDS

FAILED, USAGE = 1, 2
FOREIGN = re.compile(
    r"\b(?:Type|Value|Key|Attribute|Runtime|Index|OS|Recursion|Unicode\w*|Overflow|Memory)Error\b|Traceback"
)
DEFAULTS = {
    "explain": {"--model": "mine.py:net", "--images": "photos", "--size": "16", "--methods": "gradient", "--out": "new",
                "--limit": "2", "--threads": "1"},
    "audit": {"--model": "mine.py:net", "--images": "photos", "--size": "16", "--methods": "gradient", "--out": "new",
              "--limit": "2", "--threads": "1", "--seeds": "1", "--nulls": "2", "--budget": "full"},
    "bench": {"--model": "mine.py:net", "--images": "photos", "--size": "16", "--methods": "gradient", "--out": "new",
              "--limit": "2", "--threads": "1"},
}  # fmt: skip
"""Good options, for what a case does not say."""


@dataclass(frozen=True)
class Case:
    """A command line. says: a regular expression for its text. code: of the exit; 1 and 2 are both errors."""

    arguments: tuple[str, ...]
    says: str = ""
    codes: tuple[int, ...] = (FAILED,)
    own: bool = False  # the error is one of the user's own code, which is named as it is

    @property
    def name(self) -> str:
        shown = (a if len(a) < 60 else f"{a[:30]}...{a[-8:]} ({len(a)} letters)" for a in self.arguments)
        return ascii(" ".join(shown))[1:-1]


@contextmanager
def place() -> Iterator[Path]:
    """The folder of the cases, made the current one."""
    with TemporaryDirectory() as held:
        make_place(Path(held))
        with current(Path(held)):
            yield Path(held)


def outcome(case: Case, here: Path) -> str:
    """`CORRECT` for exit 0 where that is right, `ERROR`, or what is wrong."""
    before = _files(here)
    with in_time():
        result = CliRunner().invoke(app, _all(case.arguments), env={"COLUMNS": "300"})
    text = " ".join(result.output.split())
    left = sorted(_files(here) - before)
    for name in left:
        _remove(here / name)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return f"{type(result.exception).__name__} of an inner library: {result.exception}"
    if result.exit_code not in case.codes:
        return f"exit code {result.exit_code} in place of {case.codes}: {text[-300:]}"
    if "executed" in left:
        return "code of a file was run"
    if result.exit_code == 0:
        return CORRECT
    if left:
        return f"left {left} behind"
    if FOREIGN.search(text) and not case.own:
        return f"the text of an inner library: {text}"
    values = [part.rpartition("=")[2] for part in case.arguments[1:]]
    if not helpful(text, [value for value in values if value]) or not re.search(case.says, text, re.IGNORECASE):
        return f"a text that helps nobody, or does not say {case.says!r}: {text}"
    return ERROR


def _all(given: tuple[str, ...]) -> list[str]:
    """The arguments, with good ones for what they leave out."""
    said = {argument.partition("=")[0] for argument in given}
    more = DEFAULTS.get("".join(given[:1]), {}) if given[1:2] not in (("roar",), ("kar",)) else {}
    if given[:1] == ("bench",) and given[1:] and given[1] in KINDS and KINDS[given[1]].rows:
        said.add("--methods")  # its rows are no methods
    return [*given, *(part for option, value in more.items() if option not in said for part in (option, value))]


def _files(here: Path) -> set[str]:
    return {str(path.relative_to(here)) for path in here.rglob("*") if "__pycache__" not in path.parts}


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove(inner)
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def cases() -> Iterator[Case]:
    from bad_command_lines import PARTS

    for part in PARTS:
        yield from part()
