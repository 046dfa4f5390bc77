"""The sections of a bench: what is best, beside chance; curves; box plots; raw sums apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..experiment.bench_results import BenchResults
from ..plots import boxes, levels
from ..plots._bench import best_first, controls_of
from ..plots.levels import best_curves
from .bench_parts import Head, Score, Scores, drawing, gain, score
from .bench_words import significant, span
from .parts import Cell, Drawing, More, Section, Table
from .words import count

RAW = (
    "Raw sums, as the papers print them, grow with the scale of a map: a method whose values are small wins them whatever "
    "it shows. The scale-free numbers above ask the same without that."
)
RAW_MARK = "raw: favours methods of small scale"


COLUMNS, DRAWN = 6, 3
"""So many metrics stand in the first table, so many drawings are open; the others are behind a line."""


def measured_metrics(results: BenchResults, raw: bool = False) -> list[str]:
    """Metrics without levels that have numbers, the most important first: the scale-free ones, or the raw sums."""
    have = set(results.summary["metric"])
    return [name for name, measure in results.measures.items() if name in have and measure.raw == raw]


def curve_metrics(results: BenchResults) -> list[str]:
    """Metrics with levels that have numbers, the most important first."""
    have = set(results.curves["metric"])
    return [name for name in results.measures if name in have]


def leading(results: BenchResults) -> str:
    """The metric that orders the methods: the first with a direction that is no raw sum; "" where there is none."""
    return next((m for m in measured_metrics(results) if results.measures[m].better), "")


def ordered(results: BenchResults) -> list[str]:
    """Methods, best first by the leading metric, or by the first curve; those without a value last."""
    first = leading(results)
    curves = curve_metrics(results)
    known = best_first(results, first) if first else best_curves(results, curves[0]) if curves else []
    every = [*known, *map(str, results.summary["method"]), *map(str, results.curves["method"])]
    return list(dict.fromkeys(every))


def scores(results: BenchResults) -> list[Scores]:
    """Methods x metrics, the scale-free ones first; those that do not fit beside each other in a second table."""
    metrics = [*measured_metrics(results), *measured_metrics(results, raw=True)]
    first = leading(results)
    caption = f"Means over images. Ordered by: {results.measures[first].title}." if first else "Means over images."
    parts = [part for part in (metrics[:COLUMNS], metrics[COLUMNS:]) if part]
    return [_scores(results, part, caption, score) for part in parts]


def gains(results: BenchResults) -> Scores | None:
    """Methods x metrics: the mean difference to chance on the same images."""
    table = results.summary[results.summary["gain"].notna()]
    have = set(table["metric"])
    metrics = [m for m in (*measured_metrics(results), *measured_metrics(results, raw=True)) if m in have]
    return (
        _scores(results, metrics, "Mean difference on the same images, positive = better.", gain) if metrics else None
    )


def _scores(results: BenchResults, metrics: Sequence[str], caption: str, cell: Any) -> Scores:
    found = {(str(r["method"]), str(r["metric"])): r for r in results.summary.to_dict("records")}
    quiet = controls_of(results)
    rows = [
        (method, method in quiet, [cell(found[method, m]) if (method, m) in found else Score("–") for m in metrics])
        for method in ordered(results)
    ]
    return Scores(caption, "" if results.kind.rows else "method", [_head(results, m) for m in metrics], rows)


def _head(results: BenchResults, metric: str) -> Head:
    measure = results.measures[metric]
    better = f"{measure.better} is better" if measure.better else ""
    return Head(measure.title, " · ".join(text for text in (better, RAW_MARK if measure.raw else "") if text))


def bench_sections(results: BenchResults) -> list[Section]:
    """Curves, box plots and raw sums, each only where the run measured it."""
    found = []
    if curve_metrics(results):
        found.append(_curves(results))
    if metrics := measured_metrics(results):
        text = ["Each row shows how the values of the images spread; a mean alone hides that."]
        found.append(Section("spread", "Over the images", "Box plots", text, **_open(_boxes(results, metrics))))
    if metrics := measured_metrics(results, raw=True):
        found.append(Section("raw", "Raw sums", "Raw sums", [RAW], **_open(_boxes(results, metrics)), under=True))
    return found


def _curves(results: BenchResults) -> Section:
    drawn = []
    for i, metric in enumerate(curve_metrics(results)):
        title = results.measures[metric].title
        means = results.curves[results.curves["metric"] == metric].groupby("method")["mean"].mean()
        ends = ", ".join(f"{name} {significant(float(means[name]))}" for name in best_curves(results, metric))
        drawn.append(drawing("", levels(results, metric), f"c{i}-", f"{title}, mean over the levels: {ends}"))
    text = ["Bands are 95 % intervals over images. Grey and dashed: controls, with no model in them."]
    tables = [_levels_table(results, metric) for metric in curve_metrics(results)]
    held = _open(drawn)
    more = [*held["more"], More("Numbers at every level", tables=tables)]
    return Section("curves", "Curves", "Curves", text, drawings=held["drawings"], more=more)


def _open(drawn: list[Drawing]) -> dict[str, Any]:
    """The first drawings open, the others behind a line."""
    rest = [More(f"{count(len(drawn) - DRAWN, 'more figure')}", drawn[DRAWN:])] if len(drawn) > DRAWN else []
    return {"drawings": drawn[:DRAWN], "more": rest}


def _levels_table(results: BenchResults, metric: str) -> Table:
    rows = results.curves[results.curves["metric"] == metric]
    places = sorted({float(level) for level in rows["level"]})
    found = {(str(r["method"]), float(r["level"])): r for r in rows.to_dict("records")}

    def cell(method: str, level: float) -> Cell:
        row = found.get((method, level), {})
        return Cell(significant(row.get("mean")), span(row.get("lower"), row.get("upper")))

    body = [(method, [cell(method, level) for level in places]) for method in best_curves(results, metric)]
    title = results.measures[metric].title
    axis = f", over {results.kind.axis}" if results.kind.axis else ""
    return Table(f"{title}{axis}", "method", [f"{level:g}" for level in places], body)


def _boxes(results: BenchResults, metrics: Sequence[str]) -> list[Drawing]:
    drawn = []
    for metric in metrics:
        measure, rows = results.measures[metric], results.summary[results.summary["metric"] == metric]
        medians = dict(zip(rows["method"], rows["median"], strict=True))
        words = ", ".join(f"{name} {significant(float(medians[name]))}" for name in best_first(results, metric))
        label = f"{measure.title}{f', {RAW_MARK}' if measure.raw else ''}, medians over images: {words}"
        place = list(results.measures).index(metric)
        drawn.append(drawing("", boxes(results, metric), f"b{place}-", label))
    return drawn
