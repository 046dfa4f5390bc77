"""The calibration: how similar maps look that have nothing, or only the photo, in common."""

from __future__ import annotations

import pandas as pd

from ..experiment.results import Results
from ..plots import noise_curves
from ..plots._select import ranked
from ..plots._style import in_reading_order, metric_name
from ..plots.noise import PAIR, noise_rows
from .check_words import PAIRS, caveat, pair_name
from .parts import Cell, Drawing, More, Section, Table
from .svg import inline_svg
from .words import interval, number

TEXT = (
    "What each similarity says of maps that have nothing in common, or only the photo. A number far from 0 "
    "here does not come from the network: it comes from the measure, or from the photo."
)
NOISE = "Photo × noisy gradient, twice: how alike two maps are as the share of noise in their gradients grows."
FREE = ("uniform_uniform", "gaussian_gaussian", "product_uniform", "product_gaussian", "product_trunc_normal")
"""Pairs without a method in them: one row each."""


def calibration_section(results: Results) -> Section | None:
    """One small table of the pairs without a model, the noise curves, and a table per pair of maps; or nothing."""
    table = results.calibration
    if not len(table):
        return None
    metrics = in_reading_order(table["metric"])
    pairs = [str(p) for p in table["pair"].unique() if p != PAIR]
    free = [p for p in PAIRS if p in pairs and p in FREE]
    others = [p for p in (*PAIRS, *pairs) if p in pairs and p not in FREE]
    rows = [(pair_name(p), _cells(table[table["pair"] == p], metrics)) for p in free]
    names = [metric_name(m) for m in metrics]
    tables = [Table("Pairs without any network", "pair", names, rows)] if rows else []
    more = [_pair(results, p, metrics) for p in dict.fromkeys(others)]
    noise = [Drawing(NOISE, inline_svg(noise_curves(results), "n-", NOISE))] if len(noise_rows(results)) else []
    return Section("calibration", "Calibration of the similarities", "Calibration", [TEXT],
                   caveat(results.config, "calibration"), tables=tables, drawings=noise, more=more)  # fmt: skip


def _pair(results: Results, pair: str, metrics: list[str]) -> More:
    rows = results.calibration[results.calibration["pair"] == pair]
    body = [(m, _cells(rows[rows["method"] == m], metrics)) for m in ranked(results, rows["method"])]
    name = pair_name(pair)
    return More(name[:1].upper() + name[1:], tables=[Table("", "method", [metric_name(m) for m in metrics], body)])


def _cells(rows: pd.DataFrame, metrics: list[str]) -> list[Cell]:
    found = {str(r["metric"]): r for r in rows.to_dict("records")}
    return [
        Cell(number(found[m]["mean"], 3), interval(found[m]["lower"], found[m]["upper"], 3))
        if m in found
        else Cell("–")
        for m in metrics
    ]
