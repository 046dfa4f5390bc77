"""The tables that an audit prints: of what was asked for, and no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pandas import DataFrame
from rich.table import Table
from rich.text import Text

from ..checks.compared import DECIDING
from ..experiment.results import Results
from ..plots._select import checks_of, first_check, ranked, without_verdict
from ..plots._style import check_name, metric_name
from ..plots.checks import MOVED, VARIANTS
from ..report.check_words import short
from ..visible import visible
from .console import console, number


def tables(results: Results) -> list[Table]:
    """The verdicts, or the similarities of checks without one, and what the other checks measured."""
    return [*(_curves(results) if without_verdict(results) else _verdicts(results)), *_measured(results)]


def print_tables(found: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]) -> None:
    """Tables of text: (title, heads, rows); one that is too wide goes on below, since a number must never lose digits."""
    for title, heads, rows in found:
        for part in _parts(heads, rows, console.width - GAP):
            cells = [[row[place] for place in part] for row in rows]
            console.print(_table(title, [heads[place] for place in part], cells))
            console.print()


def records(table: DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, for a document."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


WORD, GAP, NAME = 14, 2, 30
"""The widest word of a head that a column makes room for, letters between columns, and of a name in the first one."""


def _parts(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Places of the columns of each table that fits into the width; every one begins with the first column."""
    wide = [_width([row[place] for row in rows], head, place) for place, head in enumerate(heads)]
    parts, used = [[0]], wide[0]
    for place in range(1, len(heads)):
        if used + GAP + wide[place] > width and len(parts[-1]) > 1:
            parts.append([0])
            used = wide[0]
        parts[-1].append(place)
        used += GAP + wide[place]
    return parts


def _width(cells: Sequence[str], head: str, place: int) -> int:
    """Letters that a column needs: its longest cell, where only names may be broken, and words of its head."""
    longest = max(map(len, cells), default=0)
    word = max(map(len, head.split()), default=0)
    return max(min(longest, NAME) if place == 0 else longest, min(word, WORD))


def _verdicts(results: Results) -> list[Table]:
    """Verdict and numbers of the first check that judges, and where several do, the verdicts of the others."""
    rows = [
        [row["method"], _coloured(row["verdict"]), *(number(row.get(k)) for k in ("excess", "floor", "faithfulness"))]
        for row in results.verdicts.to_dict("records")
    ]
    heads = ["method", "verdict", "excess", "floor", "faithfulness"]
    first = _table(f"verdicts, {check_name(first_check(results))}", heads, rows)
    found = {(str(r["method"]), str(r["check"])): str(r["verdict"]) for r in results.by_check.to_dict("records")}
    others = [check for check in dict.fromkeys(check for _, check in found) if check != first_check(results)]
    if not others:
        return [first]
    rest = [[m, *(_coloured(found.get((m, check), "")) for check in others)] for m in results.verdicts["method"]]
    return [first, _table("verdicts of the other checks", ["method", *map(short, others)], rest)]


def _coloured(verdict: str) -> Text:
    """A verdict, or whether a map moved."""
    return Text(verdict, {"sensitive": "green", "undecided": "yellow"}.get(MOVED.get(verdict, verdict), "red"))


def _curves(results: Results) -> list[Table]:
    """Of checks without a verdict: the similarities that decide elsewhere, at the last stage."""
    tables = []
    for check in (*checks_of(results, staged=True), *checks_of(results, staged=False)):
        rows = results.curves[results.curves["check"] == check]
        means = rows[rows["stage"] == rows["stage"].max()].pivot(index="method", columns="metric", values="mean")
        metrics = [m for m in DECIDING if m in means]
        lines = [[m, *(number(means.loc[m, metric]) for metric in metrics)] for m in ranked(results, rows["method"])]
        tables.append(_table(f"{check_name(check)}, last stage", ["method", *map(metric_name, metrics)], lines))
    return tables


def _measured(results: Results) -> list[Table]:
    """The checks with numbers of their own."""
    kept, efficient, planted = (t.to_dict("records") for t in (results.kept, results.efficient, results.planted))
    rises = [[r["method"], number(r["rise"])] for r in efficient]
    moves = [[r["method"], _coloured(r["moved"]), number(r["inside_own"]), number(r["inside_other"])] for r in planted]
    shares = [_kept(m, [r for r in kept if r["method"] == m]) for m in dict.fromkeys(r["method"] for r in kept)]
    return [
        *([_table("rise of entropy", ["method", "rise"], rises)] if rises else []),
        *([_table("pixels kept by competition", ["method", *VARIANTS, "expected"], shares)] if shares else []),
        *([_table("planted evidence", ["method", "moved", "inside own", "inside other"], moves)] if moves else []),
    ]


def _kept(method: str, rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    share = {r["variant"]: r["share"] for r in rows}
    return [method, *(number(share.get(v)) for v in VARIANTS), number(rows[0]["expected"])]


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str | Text]]) -> Table:
    """Columns of numbers at the right, of words at the left."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    cells = [[visible(str(row[place])) for row in rows] for place in range(len(heads))]
    least = [_width(column, head, place) for place, (head, column) in enumerate(zip(heads, cells, strict=True))]
    spare = max(0, console.width - sum(least) - GAP * (len(least) + 1)) // max(1, len(least) - 1)
    for place, head in enumerate(heads):
        words = place == 0 or any(isinstance(row[place], Text) for row in rows)
        most = max(map(len, [head, *cells[place]]))  # fixed, since rich shrinks columns below their least width
        width = min(least[place] + (spare if place else 0), most)
        table.add_column(head, justify="left" if words else "right", overflow="fold", width=width)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row))
    return table
