"""Claims as a page of Markdown: docs/papers.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from ..report.papers import command, facts
from ..report.papers_parts import Row, commands, count, rows_of
from . import PAPERS
from .types import Paper
from .verdicts import CANNOT, HELD, NOT_HELD, OUT, TODO, VERDICTS, Claims

SIGNS = {HELD: "●", NOT_HELD: "▲", CANNOT: "◇", OUT: "□", TODO: "○"}
INTRO = """Each row is one thing that a paper says, measured again: what the paper published, what was measured here with
its 95 % interval, and whether the claim held. ● held, ▲ did not hold, ◇ not measurable here, □ not in this budget,
○ not run yet. A claim that did not hold on another network or on fewer images than the paper's is not refuted: the last
column says what differs. The figures, and how each number was measured, are in `gallery.html`, which the same command
writes."""


def markdown(claims: Claims, papers: Iterable[Paper] | None = None) -> str:
    """All claims of a folder as text for GitHub: counts, a table for each paper, its errors, and what cannot run here.

    Args:
        papers: whose claims; None = all.
    """
    held = [(paper, rows_of(paper, claims)) for paper in (PAPERS.values() if papers is None else papers)]
    held = [(paper, rows) for paper, rows in held if rows]
    every = [row for _, rows in held for row in rows]
    lines = [
        "# Four papers, measured again",
        "",
        INTRO,
        "",
        f"Made by `{command(claims)}`: {'; '.join(facts(claims))}.",
    ]
    lines += ["", *_counts(held)]
    for paper, rows in held:
        lines += ["", f"## {plain(paper.title)}", "", f"{plain(paper.authors)}, <{paper.link}>", "", *_table(rows)]
    lines += _listed("Errors of the papers", (row for row in every if row.shows_error), _error)
    lines += _listed("Not measurable here", (row for row in every if row.verdict == CANNOT), _missing)
    reduced = {row.experiment: row for row in every if row.reduced}
    lines += _listed("What this budget leaves out", (row for row in every if row.verdict == OUT), _left_out)
    lines += _listed("What this budget reduces", reduced.values(), _reduced)
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """A text that Markdown takes as it is, in one line and without folders of the machine that measured it.

    Example:
        >>> plain("a <i> in /home/me/data/MNIST, S1-4/Fig6")
        'a &lt;i&gt; in MNIST, S1-4/Fig6'
    """
    text = re.sub(r"(?<![\w./:~-])(?:/[\w.@+-]+)+/([\w.@+-]+)/?", r"\1", " ".join(text.split()))
    text = re.sub(r"([\\`*_\[\]~$|#])", r"\\\1", text.replace("&", "&amp;"))
    return text.replace("<", "&lt;").replace(">", "&gt;")


def coded(text: str) -> str:
    """As `plain`, with commands as code."""
    pieces = [f"`{piece.replace('|', ' ')}`" if code else _spaced(piece) for piece, code in commands(text)]
    return "".join(pieces).strip()


def _spaced(piece: str) -> str:
    """`plain`, with the spaces at the ends that separate it from code."""
    ends = " " * piece[:1].isspace(), " " * piece[-1:].isspace()
    return f"{ends[0]}{plain(piece)}{ends[1]}"


def _counts(held: list[tuple[Paper, list[Row]]]) -> list[str]:
    """How many claims of each paper have each verdict; verdicts that no claim has are left out."""
    counts = [(plain(paper.title), count(rows)) for paper, rows in held]
    there = [verdict for verdict in VERDICTS if any(found[verdict] for _, found in counts)]
    if len(counts) > 1:
        counts.append(("**all**", {verdict: sum(found[verdict] for _, found in counts) for verdict in there}))
    head = ["paper", *(f"{SIGNS[verdict]} {verdict}" for verdict in there)]
    return _rows(head, ([name, *(str(found[verdict] or "–") for verdict in there)] for name, found in counts), "r")


def _table(rows: Iterable[Row]) -> list[str]:
    head = ["id", "claim", "published", "measured", "verdict", "why"]
    return _rows(head, ([_id(row), *_cells(row)] for row in rows))


def _cells(row: Row) -> list[str]:
    said = "see [below](#not-measurable-here)" if row.verdict == CANNOT else coded(row.said)
    verdict = f"{SIGNS[row.verdict]} {row.verdict}"
    return [f"{plain(row.claim)} ({plain(row.source)})", plain(row.published), plain(row.measured), verdict, said]


def _rows(head: list[str], rows: Iterable[list[str]], align: str = "l") -> list[str]:
    """A table, its first column left and the others as said."""
    other = "---:" if align == "r" else "---"
    return [_line(head), _line(["---", *[other] * (len(head) - 1)]), *map(_line, rows)]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell or '–' for cell in cells)} |"


def _listed(title: str, rows: Iterable[Row], told: Callable[[Row], str]) -> list[str]:
    """A section of one line a row; nothing where there is none."""
    lines = [f"- {told(row)}" for row in rows]
    return ["", f"## {title}", "", *lines] if lines else []


def _id(row: Row) -> str:
    return f"**{plain(row.id)}**"


def _error(row: Row) -> str:
    measured = f" Measured: {plain(row.measured)}." if row.measured else ""
    return f"{_id(row)} ({plain(row.source)}): {plain(row.claim)}{measured} {coded(row.said)}".rstrip()


def _missing(row: Row) -> str:
    return f"{_id(row)} {plain(row.claim)} {coded(row.said)}".rstrip()


def _left_out(row: Row) -> str:
    return f"{_id(row)} {plain(row.claim)}"


def _reduced(row: Row) -> str:
    return f"{plain(row.experiment)}: {plain(row.reduced)}"
