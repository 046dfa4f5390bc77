"""What came of a case of bad input: a correct result, an error of ours, or what is wrong in words."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import heatproof as hp

CORRECT, ERROR, EITHER = "correct", "error", "either"
GIVEN = re.compile(r"\d|['\"=/(_]|--\w|\.\w|\b[A-Z]{3}")
"""A number, a text in quotes, an option, a path, a shape or a name, of what was given."""
ADVICE = re.compile(
    r"\b(?:expected|needs|must|takes|give|use|call|choose|try|write|check|convert|crop|export|put|turn|make|save|leave|keep|fetch|"
    r"load|mend|move|install|pass|add|see|run|read|let|name another|did you mean|it has|same command|looked for)\b|--help",
    re.IGNORECASE,
)
"""What is expected, or what to do."""
SECONDS = 20
"""A case that takes longer hangs."""


class Hangs(BaseException):
    """No `Exception`, so that nothing that reads files takes it for a damaged one."""


def outcome_of(run: Callable[[], Any], wants: str, says: str = "") -> str:
    """`CORRECT`, `ERROR`, or what is wrong.

    Args:
        run: does it, and tells whether the result is right; False where only an error can be.
        wants: `CORRECT` where a result is due, `ERROR` where only an error will do; `EITHER` needs a reason in the case.
        says: what the text of the error must have in it, as a regular expression.
    """
    try:
        with in_time():
            right = run()
    except hp.HeatproofError as error:
        return _of_error(str(error), wants, says)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic in Rust is no Exception
        return f"{type(error).__name__} of an inner library: {error}"
    if not right:
        return "a silent wrong answer"
    return "no error where one is due" if wants == ERROR else CORRECT


def _of_error(message: str, wants: str, says: str) -> str:
    if wants == CORRECT:
        return f"an error where a result is due: {message}"
    if not helpful(message):
        return f"an error that helps nobody: {message}"
    return ERROR if re.search(says, message) else f"an error that does not say {says!r}: {message}"


def helpful(message: str, given: Collection[str] = ()) -> bool:
    """Holds something that was given, and what is expected or what to do: more than a few words in one or two lines."""
    plain = message.removeprefix("heatproof: ")
    whole = "".join(plain.split())  # a terminal breaks long names
    named = GIVEN.search(plain) or any("".join(text.split()) in whole for text in given)
    said = bool(named and ADVICE.search(plain))
    return said and len(plain.split()) >= 6 and plain.count("\n") < 4


@contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Within: what waits for ever is ended."""

    def ended(*_: Any) -> None:
        raise Hangs(f"more than {seconds} seconds")

    before = signal.signal(signal.SIGALRM, ended)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
