"""Completion in bash, which breaks words at colons: the pieces are put together, and the answer is the last one alone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, MutableMapping
from contextlib import redirect_stdout

INSTRUCTION = "_HEATPROOF_COMPLETE"


def asked() -> bool:
    """Whether this process answers bash."""
    return os.environ.get(INSTRUCTION) == "complete_bash" and "COMP_WORDS" in os.environ


def answer(app: Callable[[], object], environment: MutableMapping[str, str] = os.environ) -> None:
    """Print what the word before the cursor may become."""
    words, at = environment["COMP_WORDS"].split("\n"), int(environment["COMP_CWORD"])
    joined, place = whole_words(words, at)
    environment["COMP_WORDS"], environment["COMP_CWORD"] = "\n".join(joined), str(place)
    typed = words[at].lstrip(":") if at < len(words) else ""
    held = len(joined[place]) - len(typed)
    printed, code = io.StringIO(), 0
    with redirect_stdout(printed):
        try:
            app()
        except SystemExit as done:
            code = done.code if isinstance(done.code, int) else 1
    for line in filter(None, printed.getvalue().splitlines()):
        sys.stdout.write(f"{line[held:]}\n")
    sys.exit(code)


def whole_words(words: list[str], at: int) -> tuple[list[str], int]:
    """The words with those put together that a colon joins, and the place among them of the one at `at`.

    Example:
        >>> whole_words(["heatproof", "audit", "--model", "torchvision", ":", "res"], 5)
        (['heatproof', 'audit', '--model', 'torchvision:res'], 3)
        >>> whole_words(["heatproof", "audit", "--model", "torchvision", ":"], 4)
        (['heatproof', 'audit', '--model', 'torchvision:'], 3)
    """
    words = [*words, *[""] * (at + 1 - len(words))]  # bash says nothing of an empty last word
    joined: list[str] = []
    place = 0
    for i, word in enumerate(words):
        goes_on = i > 1 and (word.startswith(":") or (words[i - 1].endswith(":") and word))
        if goes_on:
            joined[-1] += word
        else:
            joined.append(word)
        if i <= at:
            place = len(joined) - 1
    return joined, place
