"""Tables for spreadsheets: texts run nothing there, numbers stay numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from attacks import ATTACKS, EVIL
from heatproof.experiment.csv_files import is_formula, write_csv

FORMULAS = ('=HYPERLINK("http://attack.invalid")', "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx", "\r=1", "-")
PLAIN = ("gradient", "a=b", "", "-2.5", "+1e-3", "1-2", "−0.5", "'=1")


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_would_run_has_an_apostrophe(tmp_path: Path, text: str) -> None:
    table = pd.DataFrame({"method": [text, "gradient", text], "value": [-0.5, np.nan, 2.0]})
    before = table.copy()
    read = pd.read_csv(write_csv(tmp_path / "t.csv", table), lineterminator="\n")
    assert is_formula(text)
    assert list(read["method"]) == [f"'{text}", "gradient", f"'{text}"]
    np.testing.assert_array_equal(read["value"], [-0.5, np.nan, 2.0])
    pd.testing.assert_frame_equal(table, before)


def test_everything_else_is_written_as_pandas_does(tmp_path: Path) -> None:
    table = pd.DataFrame({"text": PLAIN, "number": np.linspace(-1, 1, len(PLAIN)), "whole": range(-3, len(PLAIN) - 3),
                          "mixed": [None, -0.5, "x", True, -3, "", np.nan, "-7"]})  # fmt: skip
    assert write_csv(tmp_path / "t.csv", table).read_bytes() == table.to_csv(index=False).encode()
    assert write_csv(tmp_path / "none.csv", table[:0]).read_text() == "text,number,whole,mixed\n"


def test_the_tables_of_a_malicious_run(tmp_path: Path) -> None:
    names = [*ATTACKS.values(), EVIL, "a\udcff"]
    text = write_csv(tmp_path / "t.csv", pd.DataFrame({"method": names})).read_bytes().decode("utf-8")
    assert "a\\udcff" in text
    assert not [line for line in text.splitlines() if line[:1] in ("=", "+", "@", "-") or line[:2] in ('"=', '"+')]
