"""The numbers of a bench as rows of text, for a terminal."""

from __future__ import annotations

from typing import Any

from ..experiment.bench_results import BenchResults
from ..plots.levels import best_curves
from .bench_parts import gain, score
from .bench_sections import RAW_MARK, curve_metrics, leading, measured_metrics, ordered
from .bench_words import significant

COLUMNS, CURVES, LEVELS = 4, 2, 8
"""What a terminal has space for: metrics in a table, curves, and levels of a curve; curves.csv has all of them."""

TextTable = tuple[str, list[str], list[list[str]]]


def bench_tables(results: BenchResults) -> list[TextTable]:
    """Tables as (title, heads, rows of text), best first: the leading number, the others, curves, what could not run."""
    first = leading(results)
    others = [m for m in (*measured_metrics(results), *measured_metrics(results, raw=True)) if m != first]
    tables = [_leading(results, first)] if first else []
    tables += [_others(results, others[i : i + COLUMNS]) for i in range(0, len(others), COLUMNS)]
    tables += [_levels(results, metric) for metric in curve_metrics(results)[:CURVES]]
    refused = [[str(r["method"]), str(r["error"])] for r in results.refused.to_dict("records")]
    return tables + ([("could not run", ["method", "reason"], refused)] if refused else [])


def _leading(results: BenchResults, metric: str) -> TextTable:
    rows = results.summary[results.summary["metric"] == metric]
    found = {str(r["method"]): r for r in rows.to_dict("records")}
    body = []
    for method in (m for m in ordered(results) if m in found):
        value = score(found[method])
        body.append([method, value.text, value.small, gain(found[method]).text, value.word])
    measure = results.measures[metric]
    over = f"gain over {results.control}" if results.control else "gain"
    return f"{measure.title}, {measure.better} is better", ["method", "mean", "95 % interval", over, ""], body


def _others(results: BenchResults, metrics: list[str]) -> TextTable:
    means = {(str(r["method"]), str(r["metric"])): r["mean"] for r in results.summary.to_dict("records")}
    heads = [_head(results, metric) for metric in metrics]
    body = [[method, *(significant(means.get((method, m))) for m in metrics)] for method in _with(results)]
    return "means over images", ["method", *heads], body


def _with(results: BenchResults) -> list[str]:
    have = set(map(str, results.summary["method"]))
    return [method for method in ordered(results) if method in have]


def _head(results: BenchResults, metric: str) -> str:
    measure = results.measures[metric]
    better = f", {measure.better} is better" if measure.better else ""
    return f"{measure.title}{better}" + (f" ({RAW_MARK})" if measure.raw else "")


def _levels(results: BenchResults, metric: str) -> TextTable:
    rows = results.curves[results.curves["metric"] == metric]
    means: dict[Any, dict[Any, float]] = rows.pivot(index="method", columns="level", values="mean").to_dict()
    places = sorted(means)
    shown = (
        places
        if len(places) <= LEVELS
        else [places[round(i * (len(places) - 1) / (LEVELS - 1))] for i in range(LEVELS)]
    )
    body = [[m, *(significant(means[level][m]) for level in shown)] for m in best_curves(results, metric)]
    axis = f", over {results.kind.axis}" if results.kind.axis else ""
    return f"{_head(results, metric)}{axis}", ["method", *(f"{level:g}" for level in shown)], body
