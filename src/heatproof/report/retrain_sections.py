"""The sections of remove and retrain: areas beside published ones, curves, and the order of methods beside theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from ..plots.retrain import AREAS, TITLES, area_bars, is_quiet, retrain_curves
from .bench_parts import Head, Score, Scores, drawing, gain, score
from .bench_words import significant, span
from .parts import Cell, Drawing, More, Section, Table
from .retrain_order import ranking
from .words import percent

if TYPE_CHECKING:
    from ..experiment.retrain_results import RetrainResults

NAMES = {"roar": "Remove and retrain", "kar": "Keep and retrain"}


def area_scores(results: RetrainResults, direction: str) -> Scores:
    """Entries by their area, best first, masks alone last: area, gain over random in words, mean accuracy, the
    published area."""
    rows = ranking(results, direction)
    published = any(pd.notna(row["published"]) for row in rows)
    heads = [Head("area", "lower is better"), Head("gain over random", "positive is better"), Head("mean accuracy")]
    heads += [Head("published area")] if published else []
    body = []
    for row in rows:
        area, name = score(row, "area"), str(row["method"])
        cells = [Score(area.text, area.small), gain(row)._replace(word=area.word, mark=area.mark)]
        cells += [Score(significant(row["mean_accuracy"]))]
        cells += [Score(significant(row["published"]))] if published else []
        body.append((name, is_quiet(results, name), cells))
    return Scores(AREAS[direction], "method", heads, body)


def retrain_section(results: RetrainResults, direction: str) -> Section:
    rows = ranking(results, direction)
    texts = [f"Accuracy on unchanged images: {significant(results.original)}."] if pd.notna(results.original) else []
    order = published_order(results, direction)
    tables = [order[0]] if order else []
    texts += [order[1]] if order else []
    more = [More("Accuracy at every fraction", tables=[_accuracies(results, direction)])]
    more += [More("Ties", tables=[_ties(results)])] if len(results.ties) else []
    drawn = _drawings(results, direction, rows)
    return Section(direction, NAMES[direction], NAMES[direction], texts, drawings=drawn, tables=tables, more=more)


def _drawings(results: RetrainResults, direction: str, rows: list[dict[Any, Any]]) -> list[Drawing]:
    areas = ", ".join(f"{row['method']} {significant(row['area'])}" for row in rows)
    curves = f"{TITLES[direction]}; mean accuracies: " + ", ".join(
        f"{row['method']} {significant(row['mean_accuracy'])}" for row in rows
    )
    return [
        drawing("", retrain_curves(results, direction), f"{direction}-c-", curves),
        drawing("", area_bars(results, direction), f"{direction}-a-", f"{AREAS[direction]}: {areas}"),
    ]


def _accuracies(results: RetrainResults, direction: str) -> Table:
    table = results.accuracies[results.accuracies["direction"] == direction]
    fractions = sorted({float(p) for p in table["fraction"]})
    found = {(str(r["method"]), float(r["fraction"])): r for r in table.to_dict("records")}

    def cell(method: str, fraction: float) -> Cell:
        row = found.get((method, fraction), {})
        return Cell(significant(row.get("mean")), span(row.get("lower"), row.get("upper")))

    methods = [str(row["method"]) for row in ranking(results, direction)]
    body = [(method, [cell(method, p) for p in fractions]) for method in methods]
    return Table(TITLES[direction], "method", [f"{p:g}" for p in fractions], body)


def _ties(results: RetrainResults) -> Table:
    shares = results.ties.pivot(index="method", columns="part", values="tied_share")
    names = [str(part) for part in shares.columns]
    body = [(str(m), [Cell(percent(v)) for v in row]) for m, row in zip(shares.index, shares.to_numpy(), strict=True)]
    text = "Pixels that share their value with another one of the image: their order, and so what is removed, is random"
    return Table(text, "map", names, body)


def published_order(results: RetrainResults, direction: str) -> tuple[Table, str] | None:
    """The order of methods here and in the paper, and Spearman's rank correlation of the two in words.

    None where fewer than two methods have a published value. Ties share their mean rank.
    """
    rows = results.areas[(results.areas["direction"] == direction) & results.areas["published"].notna()]
    rows = rows[rows["area"].notna()].sort_values("area", kind="stable")
    if len(rows) < 2:
        return None
    here, there = rows["area"].rank(), rows["published"].rank()
    # Spearman = Pearson of ranks
    rho = float(here.corr(there)) if here.nunique() > 1 and there.nunique() > 1 else float("nan")
    body = [
        (str(method), [Cell(f"{a:g}"), Cell(f"{b:g}")])
        for method, a, b in zip(rows["method"], here, there, strict=True)
    ]
    text = f"Order of {len(rows)} methods here and published: Spearman {significant(rho)} (1 = the same order)."
    return Table("Place in the order, 1 = best", "method", ["here", "published"], body), text
