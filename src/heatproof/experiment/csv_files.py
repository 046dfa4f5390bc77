"""Tables as CSV files that a spreadsheet may open."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

from .cells import ordered
from .files import write_text

_FORMULA = re.compile(r"[=+\-@\t\r]")


def write_csv(path: Path, table: pd.DataFrame) -> Path:
    """Write a table without its index; a text that a spreadsheet would run as a formula gets an apostrophe before it.

    Numbers stay numbers, also those that stand in a column of texts.

    Raises:
        RunError: the disk is full, or the folder cannot be written to.
    """
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    found = {name: {cell: f"'{cell}" for cell in table[name].unique() if is_formula(cell)} for name in texts}
    found = {name: cells for name, cells in found.items() if cells}
    return write_text(path, (table.replace(found) if found else table).to_csv(index=False))


def write_tables(folder: Path, results: Any) -> list[Path]:
    """Every table that holds a row of what a run left (`Results`, `BenchResults`, `RetrainResults`), each as NAME.csv."""
    found = {field.name: getattr(results, field.name) for field in fields(results)}
    found["table"] = ordered(found["table"], results.config)
    tables = {name: table for name, table in found.items() if isinstance(table, pd.DataFrame) and len(table)}
    return [write_csv(folder / f"{name}.csv", table) for name, table in tables.items()]


def is_formula(cell: Any) -> bool:
    """Whether a spreadsheet would run a cell: names of files may be made so.

    Example:
        >>> [is_formula(cell) for cell in ("=1+1", "@SUM(A1)", "-2+3", "-2.5", "+1e-3", "a=b", -2.5)]
        [True, True, True, False, False, False, False]
    """
    return isinstance(cell, str) and _FORMULA.match(cell) is not None and not _is_number(cell)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
