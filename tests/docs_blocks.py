"""Code blocks of the pages, and commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES = sorted(str(p.relative_to(ROOT)) for p in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r'^```(\w*)(?: title="([^"]*)")?\n(.*?)^```$(?=\n*(```text)?)', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        place: page and line, as errors name it.
        language: the word behind the fence. title: file that it is the content of, or "".
        code: its text. output: what it prints, of the ``text`` block right behind it, or None.
    """

    place: str
    language: str
    title: str
    code: str
    output: str | None


def blocks_of(page: str) -> list[Block]:
    """All blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = list(FENCE.finditer(text))
    outputs = [after[3] if before[4] else None for before, after in pairwise([*found, *found[-1:]])]
    return [
        Block(f"{page}:{text[: m.start()].count(chr(10)) + 1}", m[1], m[2] or "", m[3], output)
        for m, output in zip(found, outputs, strict=True)
    ]


def commands_of(code: str) -> list[list[str]]:
    """The words of each command of a shell block, without comments; lines that end in a backslash go on."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for line in lines for part in line.split(" && ") if (words := shlex.split(part, comments=True))]
