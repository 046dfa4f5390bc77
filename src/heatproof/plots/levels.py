"""A measure of a bench over its levels: every method with its band, chance dashed."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from ..errors import InputError
from ..experiment.bench_results import BenchResults
from ._bench import controls_of, direction_words
from ._ends import Line
from ._lines import line_figure


def levels(results: BenchResults, metric: str) -> Figure:
    """One line per method with its 95 % band over images; the eight best in colour, controls grey and dashed.

    Best is the mean over the levels. Shares that grow by orders of magnitude stand on a logarithmic axis.

    Args:
        results: what a bench left.
        metric: one of its metrics with levels.

    Raises:
        InputError: the bench has no such curve; the message names those it has.
    """
    rows = results.curves[results.curves["metric"] == metric]
    if rows.empty:
        have = list(dict.fromkeys(map(str, results.curves["metric"])))
        raise InputError(f"levels(metric={metric!r}): {results.folder} has no such curve; it has {have}")
    quiet = controls_of(results)
    lines = []
    for name, part in rows.groupby("method", sort=False):
        part = part.sort_values("level")
        x, mean, lower, upper = ([float(v) for v in part[c]] for c in ("level", "mean", "lower", "upper"))
        lines.append(Line(str(name), x, mean, lower, upper, str(name) in quiet))
    measure = results.measures[metric]
    title = measure.title + direction_words(measure)
    return line_figure(lines, best_curves(results, metric), title, results.kind.axis, ("", math.nan))


def best_curves(results: BenchResults, metric: str) -> list[str]:
    """Methods by their mean over the levels, best first; in the order of the run where neither direction is better."""
    rows = results.curves[results.curves["metric"] == metric]
    means = rows.groupby("method", sort=False)["mean"].mean()
    better = results.measures[metric].better
    if better:
        means = means.sort_values(ascending=better == "lower", kind="stable")
    return [str(name) for name in means.index]
