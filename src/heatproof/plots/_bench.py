"""What the figures of a bench have in common: which rows are controls, what is best, and words for both."""

from __future__ import annotations

from ..experiment.bench_results import BenchResults
from ..faithfulness.kind import Measure
from ._style import is_control

RAW = "raw: favours methods of small scale"


def controls_of(results: BenchResults) -> set[str]:
    """Rows with no model in them, and the one that says what chance gives."""
    names = {str(m) for table in (results.curves, results.summary) for m in table["method"]}
    return {name for name in names if name == results.control or is_control(name, results.config)}


def best_first(results: BenchResults, metric: str) -> list[str]:
    """Methods by their mean, best first, those without one last; the order of the run where neither is better."""
    rows = results.summary[results.summary["metric"] == metric]
    better = results.measures[metric].better
    if better:
        rows = rows.sort_values("mean", ascending=better == "lower", kind="stable", na_position="last")
    return [str(name) for name in rows["method"]]


def direction_words(measure: Measure) -> str:
    """What follows the title of a measure: its direction, and whether it is a raw sum."""
    better = f" ({measure.better} is better)" if measure.better else ""
    return f"{better} · {RAW}" if measure.raw else better
