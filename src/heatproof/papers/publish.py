"""What a folder of measured claims says, as files: two tables, a page of pictures, a page of text."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..experiment.csv_files import write_csv
from ..experiment.files import write_text
from ..report.papers import render_claims
from .markdown import markdown
from .verdicts import Claims, read_claims

CLAIMS, NUMBERS, TEXT = "claims.csv", "numbers.csv", "papers.md"


def publish(folder: str | Path) -> tuple[Claims, Path]:
    """Judge what a folder holds and write everything that can be read: the claims, and the page of pictures.

    Raises:
        RunError: it holds no claims.
    """
    claims = read_claims(folder)
    write_csv(claims.folder / CLAIMS, claims.table)
    write_csv(claims.folder / NUMBERS, numbers(claims))
    write_text(claims.folder / TEXT, markdown(claims))
    return claims, render_claims(claims)


def numbers(claims: Claims) -> pd.DataFrame:
    """Every measured number: experiment, name, value, lower, upper."""
    rows = [(name, key, *number) for name, found in claims.found.items() for key, number in found.numbers.items()]
    return pd.DataFrame(rows, columns=["experiment", "name", "value", "lower", "upper"])
