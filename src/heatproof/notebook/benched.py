"""A `Benched` in a notebook: the ranking beside chance, and the first curve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..plots import levels
from ..plots.levels import best_curves
from ..report.bench_sections import curve_metrics, gains, scores
from ..report.parts import Drawing
from ..report.words import count
from .fragment import Fragment, facts_of, figure_of, troubles_of, written

if TYPE_CHECKING:
    from ..bench import Benched
    from ..experiment.bench_results import BenchResults


def html(bench: Benched) -> str:
    results, config = bench.results, bench.results.config
    facts = facts_of(config, count(len(config.get("images") or ()), "image"))
    tables, chance = scores(results), gains(results)
    folded = [replace(table, caption="More numbers") for table in tables[1:]]
    folded += [replace(chance, caption=f"Gain over {results.control}")] if chance else []
    drawn, notes = _curve(results), troubles_of(results)
    return written(Fragment(results.kind.title, facts, bench.report, tables[:1], drawn, notes, folded))


def _curve(results: BenchResults) -> list[Drawing]:
    """The most important curve: to draw all of them takes longer than to show a cell may."""
    return [
        figure_of(levels(results, metric), f"{results.measures[metric].title}, best first: {', '.join(names)}")
        for metric in curve_metrics(results)[:1]
        if (names := best_curves(results, metric))
    ]
