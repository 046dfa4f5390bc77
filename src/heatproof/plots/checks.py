"""Bars of the checks that have one number per method: one-stage similarity, entropy, planted evidence, kept share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from ..experiment.results import Results
from ._select import methods_of, ranked, rows_of
from ._style import VERDICT_COLOURS, is_control, metric_name
from .bars import Bar, bar_figure

VARIANTS = ("original", "top block random", "all random")
"""The networks whose kept share is measured, in the order of the bars."""
MOVED = {"yes": "sensitive", "no": "insensitive", "unclear": "undecided"}
"""Whether a map moved with the planted evidence, and the verdict in whose colour that is drawn."""
NAN = float("nan")


def similarity_bars(results: Results, check: str, metrics: Sequence[str]) -> Figure:
    """One bar per method: how similar its map under a one-stage check is to the original's, with the null floor.

    Args:
        results: what a run left.
        check: a check with one stage: "labels", "random_logit" or "full".
        metrics: one panel each.

    Raises:
        InputError: the run has no such numbers.
    """
    names = list(dict.fromkeys(name for metric in metrics for name in methods_of(results, metric, check)))
    panels = {metric_name(m): [_similarity(results, n, m, check) for n in names] for m in metrics}
    return bar_figure(names, panels, "bar: similarity to the original map, with 95 % interval · tick: null floor")


def efficient_bars(results: Results) -> Figure:
    """How much each method's map gains in complexity when the whole network is randomised (`Results.efficient`)."""
    names, rows = _by_method(results, results.efficient)
    bars = [_bar(rows[n], "rise", "lower", "upper", quiet=is_control(n, results.config)) for n in names]
    return bar_figure(names, {"rise of entropy": bars}, "bar: mean rise, with 95 % interval; 0: no change")


def planted_bars(results: Results) -> Figure:
    """Share of each map at the place its network reads, at the other one, and the difference, by which it moved or not."""
    names, rows = _by_method(results, results.planted)
    quiet = {n: is_control(n, results.config) for n in names}

    def inside(name: str) -> list[Bar]:
        return [Bar(_get(rows[n], name), mark=_get(rows[n], "chance"), quiet=quiet[n]) for n in names]

    panels = {
        "inside the patch it reads": inside("inside_own"),
        "inside the other patch": inside("inside_other"),
        "difference: did the map move?": [_gain(rows[n]) for n in names],
    }
    return bar_figure(names, panels, "share of the map · tick: chance, the share of pixels · lines: 95 % interval")


def kept_bars(results: Results) -> Figure:
    """Three bars per competition: what is kept of the original's map, with the top block and with everything random."""
    names, _ = _by_method(results, results.kept)
    rows = {(str(r["method"]), str(r["variant"])): r for r in results.kept.to_dict("records")}
    places = [(name, variant) for name in names for variant in VARIANTS]
    found = [rows.get(place, {}) for place in places]
    quiet = [variant != VARIANTS[0] for _, variant in places]
    panels = {
        "share of the pixels kept": [
            _bar(row, "share", "share_lower", "share_upper", _get(row, "expected"), q)
            for row, q in zip(found, quiet, strict=True)
        ],
        "share of the magnitude kept": [
            _bar(row, "mass", "mass_lower", "mass_upper", quiet=q) for row, q in zip(found, quiet, strict=True)
        ],
    }
    labels = [f"{name}: {variant}" for name, variant in places]
    note = "bar: mean, with 95 % interval · tick: share expected under random gradients"
    return bar_figure(labels, panels, note, group=len(VARIANTS))


def _similarity(results: Results, method: str, metric: str, check: str) -> Bar:
    rows = rows_of(results, metric, check)
    found = rows[(rows["method"] == method) & (rows["stage"] > 0)].to_dict("records")
    floor = results.floor(method, metric, check)
    row: Mapping[Any, Any] = found[-1] if found else {}
    mark = (_get(floor, "floor"), _get(floor, "floor_lower"), _get(floor, "floor_upper"))
    quiet = is_control(method, results.config)
    return Bar(_get(row, "mean"), _get(row, "lower"), _get(row, "upper"), *mark, quiet)


def _gain(row: Mapping[Any, Any]) -> Bar:
    word = str(row["moved"])
    value, lower, upper = (_get(row, name) for name in ("gain", "gain_lower", "gain_upper"))
    return Bar(value, lower, upper, colour=VERDICT_COLOURS[MOVED[word]], word=word)


def _by_method(results: Results, table: pd.DataFrame) -> tuple[list[str], dict[str, Mapping[Any, Any]]]:
    return ranked(results, table["method"]), {str(row["method"]): row for row in table.to_dict("records")}


def _bar(row: Mapping[Any, Any], name: str, lower: str, upper: str, mark: float = NAN, quiet: bool = False) -> Bar:
    return Bar(_get(row, name), _get(row, lower), _get(row, upper), mark, quiet=quiet)


def _get(row: Mapping[Any, Any], name: str) -> float:
    return float(row.get(name, NAN))
