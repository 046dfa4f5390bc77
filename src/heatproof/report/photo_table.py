"""The numbers of each photo behind one verdict, ready to print."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from ..experiment.results import Results
from ..plots._select import checks_of
from ..plots._style import metric_name
from .words import measured, number

ROWS = 200
"""So many photos of each method stand in the page; all of them stand in per_image.csv."""


class Value(NamedTuple):
    """A cell: what is printed, and what it is sorted by and saved as."""

    text: str
    value: str


@dataclass(frozen=True)
class PhotoTable:
    """Photos of one method: heads of the numbers, and rows of (photo, explained class, numbers, status).

    Attributes:
        metric: what the similarities are measured by.
        total: how many photos there are; rows may be fewer.
        statuses: those that occur.
    """

    metric: str
    heads: list[str]
    rows: list[tuple[str, str, list[Value], str]]
    total: int
    statuses: list[str]


def photo_table(results: Results, method: str, check: str) -> PhotoTable | None:
    """The photos of a method under a check; None where the run has no such numbers."""
    table = results.per_image
    if table.empty:
        return None
    table = table[(table["check"] == check) & (table["method"] == method)]
    if table.empty:
        return None
    staged = check in checks_of(results, staged=True)
    columns = {"similarity_half": "similarity, half"} if staged else {}
    columns |= {"similarity_end": "similarity, end" if staged else "similarity", "floor": "null floor"}
    rows = [
        (str(r["name"]), _text(r["target"]), [_value(r[c]) for c in columns], str(r["status"]))
        for r in table.head(ROWS).to_dict("records")
    ]
    statuses = list(dict.fromkeys(row[-1] for row in rows))
    return PhotoTable(metric_name(str(table["metric"].iloc[0])), list(columns.values()), rows, len(table), statuses)


def _text(cell: Any) -> str:
    """A class by name or number; a column with gaps holds numbers as floats."""
    if pd.isna(cell):
        return "–"
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _value(value: Any) -> Value:
    return Value(number(value), f"{value:.6g}" if measured(value) else "")
