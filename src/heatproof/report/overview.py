"""All methods in one figure."""

from __future__ import annotations

from ..checks.compared import DECIDING
from ..experiment.results import Results
from ..plots._select import checks_of, first_check
from ..plots._style import metric_name
from ..plots.combined import combined
from .parts import Drawing
from .small import half_and_last
from .svg import inline_svg
from .words import number


def overviews(results: Results) -> list[Drawing]:
    """One figure for each deciding metric that was measured, under the first check if it has stages."""
    first = first_check(results)
    have = results.curves[results.curves["check"] == first]["metric"]
    metrics = [m for m in DECIDING if m in set(have)] if first in checks_of(results, staged=True) else []
    return [
        Drawing(metric_name(m), inline_svg(combined(results, m), f"o{i}-", _text(results, m)))
        for i, m in enumerate(metrics)
    ]


def _text(results: Results, metric: str) -> str:
    rows = results.curves
    rows = rows[(rows["metric"] == metric) & (rows["check"] == first_check(results))]
    ends = [
        f"{method} {number(half_and_last(part)[0].get('mean'))}" for method, part in rows.groupby("method", sort=False)
    ]
    return f"{metric_name(metric)} similarity halfway: " + ", ".join(ends)
