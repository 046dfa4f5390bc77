"""The numbers as tables, and the list of what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pandas as pd

from ..checks.compared import DECIDING
from ..experiment.results import Results
from ..plots._select import advances, checks_of, in_order, metrics_of, ranked, stage_names
from ..plots._style import check_name, is_control, metric_name
from .small import half_and_last
from .words import interval, number, percent

Row = dict[str, Any]


SUPPORT = (
    "Spearman where not zero looks at the pixels that are not zero in at least one of the two maps. Where maps are zero in "
    "different places, each is zero where the other is not, so that it can be strongly negative without any meaning."
)


@dataclass(frozen=True)
class Numbers:
    """The table of one check: columns with what they mean, and rows whose cells stand under them."""

    check: str
    columns: dict[str, str]
    rows: list[Row]


def numbers(results: Results) -> list[Numbers]:
    """Per check, the first check first, one row per method and metric in the order of the verdicts; cells are text.

    Checks whose stages do not build on each other have no half and no end: their numbers stand under their stages.
    """
    checks = in_order(results, map(str, results.curves["check"].unique()))
    built = [check for check in checks if advances(results, check)] or checks
    return [_table(results, check) for check in built]


def _table(results: Results, check: str) -> Numbers:
    columns = _columns(results, check)
    rows = _rows(results, check, partial(_numbers, results, check, list(columns)))
    return Numbers(check_name(check), columns, rows)


def _rows(results: Results, check: str, row: Callable[[str, str, pd.DataFrame], Row]) -> list[Row]:
    groups = results.curves[results.curves["check"] == check].groupby(["method", "metric"], sort=False)
    parts = {(str(method), str(metric)): part for (method, metric), part in groups}
    methods = ranked(results, pd.Series([method for method, _ in parts], dtype=str))
    places = [(method, metric) for method in methods for metric in metrics_of(results, check)]
    return [row(method, metric, parts[method, metric]) for method, metric in places if (method, metric) in parts]


def _numbers(results: Results, check: str, columns: list[str], method: str, metric: str, part: pd.DataFrame) -> Row:
    floor = results.floor(method, metric, check)
    half, last = half_and_last(part)
    similarity, excess = _cell(last, "mean", "lower", "upper"), _cell(last, "excess")
    cells = {
        "null floor": _cell(floor, "floor"),
        "similarity": similarity,
        "similarity, half": _cell(half, "mean", "lower", "upper"),
        "similarity, end": similarity,
        "excess": excess,
        "excess, half": _cell(half, "excess"),
        "excess, end": excess,
        "prior": (number(floor.get("prior")), ""),
        "closed form": (number(floor.get("closed_form")), ""),
        "shared zeros": (percent(floor.get("zeros")), ""),
        "defined": (percent(last.get("defined")), ""),
    }
    return {
        "method": method,
        "control": is_control(method, results.config),
        "metric": metric_name(metric),
        "decides": metric in DECIDING,
        "cells": [cells[name] for name in columns],
    }


CLOSED = "absolute Spearman that the zeros of the two maps give by themselves, all other magnitudes being independent"


def _columns(results: Results, check: str) -> dict[str, str]:
    """The heads of the columns with what they mean: no half and no end where there is one stage."""
    two_stages = {
        "similarity, half": "at the first stage with half of the blocks randomised, or of every weight",
        "similarity, end": "with all blocks randomised, or at the last stage of the check",
        "excess, half": "what is left above the floor, 1 = everything",
        "excess, end": "should be near 0 where everything is randomised, else the floor is badly estimated",
    }
    one_stage = {"similarity": "to the original map", "excess": "what is left above the floor, 1 = everything"}
    closed = "closed_form" in results.floors and results.floors["closed_form"].notna().any()
    return {
        "null floor": "similarity to the maps of fully randomised networks",
        **(two_stages if check in checks_of(results, staged=True) else one_stage),
        "prior": "similarity between the maps of two random networks; decides nothing",
        **({"closed form": CLOSED} if closed else {}),
        "shared zeros": "pixels that are zero in both maps",
        "defined": "share of image and seed cells with a value, last stage",
    }


def number_notes(tables: list[Numbers]) -> dict[str, str]:
    """What the columns of all tables mean, and what support-only Spearman is where it was measured."""
    notes = {name: hint for table in tables for name, hint in table.columns.items()}
    support = metric_name("spearman_support")
    return notes | ({support: SUPPORT} if any(row["metric"] == support for t in tables for row in t.rows) else {})


def stages(results: Results) -> list[dict[str, Any]]:
    """Per check with several stages its curves as rows of cells; a curve without a stage has an empty cell there."""
    return [_staged(results, check) for check in checks_of(results, staged=True)]


def _staged(results: Results, check: str) -> dict[str, Any]:
    table = results.curves[results.curves["check"] == check]
    places = sorted({int(s) for s in table["stage"]})
    names = stage_names(results, check)

    def row(method: str, metric: str, part: pd.DataFrame) -> Row:
        cells = {int(r["stage"]): _cell(r, "mean", "lower", "upper") for r in part.to_dict("records")}
        return {"method": method, "metric": metric_name(metric), "cells": [cells.get(s, ("", "")) for s in places]}

    heads = ["original" if s == 0 else f"{s}: {names[s]}" if s in names else f"stage {s}" for s in places]
    return {"check": check_name(check), "stages": heads, "rows": _rows(results, check, row)}


def troubles(results: Results) -> dict[str, list[Row]]:
    """What is not in the numbers: refused methods, failed cells with their errors, undefined and vanished maps."""
    failed = results.table[results.table["status"].isin(["failed", "refused"])]
    failed = failed[~failed["method"].isin(set(results.refused["method"]))]
    grouped = failed.groupby(["method", "status", "error"], sort=False, dropna=False).size().reset_index(name="cells")
    missing = results.verdicts[(results.verdicts["undefined"] > 0) | (results.verdicts["vanished"] > 0)]
    return {
        "refused": [{str(k): v for k, v in row.items()} for row in results.refused.to_dict("records")],
        "failed": [{str(k): v for k, v in row.items()} for row in grouped.to_dict("records")],
        "missing": [
            {"method": r["method"], "undefined": percent(r["undefined"]), "vanished": percent(r["vanished"])}
            for r in missing.to_dict("records")
        ],
    }


def _cell(row: Mapping[Any, Any], name: str, lower: str = "", upper: str = "") -> tuple[str, str]:
    return number(row.get(name)), interval(row.get(lower or f"{name}_lower"), row.get(upper or f"{name}_upper"))
