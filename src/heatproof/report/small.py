"""The small curve of one method, with its text alternative."""

from __future__ import annotations

from typing import Any

import pandas as pd
from markupsafe import Markup

from ..experiment.results import Results
from ..plots._curve import HALF, curve_of
from ..plots._select import bottom, methods_of
from ..plots._style import metric_name
from .spark import spark
from .words import number


def half_and_last(rows: pd.DataFrame) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """Of one curve the first stage with half of the blocks randomised, and the last one; empty where there is none."""
    rows = rows[rows["stage"] > 0].sort_values("stage")
    records = rows.to_dict("records")
    half = next((row for row in records if row["share"] >= HALF), {})
    return half, (records[-1] if records else {})


def small_multiples(results: Results, metric: str, check: str) -> list[tuple[str, Markup]]:
    """One small curve per method, worst verdict first, all on the same scale."""
    lowest = bottom(results, metric)
    return [(m, drawn(results, m, metric, check, lowest)) for m in methods_of(results, metric, check)]


def drawn(results: Results, method: str, metric: str, check: str, lowest: float) -> Markup:
    """The small curve of one method."""
    return spark(curve_of(results, method, metric, check), lowest, _panel_text(results, method, metric, check))


def _panel_text(results: Results, method: str, metric: str, check: str) -> str:
    rows = results.curves
    half, last = half_and_last(rows[(rows["method"] == method) & (rows["metric"] == metric) & (rows["check"] == check)])
    return (
        f"{metric_name(metric)} similarity of {method} maps to the original: 1 at the start, "
        f"{number(half.get('mean'))} halfway, {number(last.get('mean'))} at the end; "
        f"null floor {number(results.floor(method, metric, check).get('floor'))}"
    )
