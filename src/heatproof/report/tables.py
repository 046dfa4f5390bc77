"""The numbers as tables, and the list of what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pandas as pd

from ..checks.chain import DECIDING
from ..experiment.results import Results
from ..plots._select import advances, checks_of, first_check, metrics_of, ranked, stage_names
from ..plots._style import check_name, is_control, metric_name
from .small import half_and_last
from .words import interval, number, percent

Row = dict[str, Any]


def numbers(results: Results) -> list[tuple[str, list[Row]]]:
    """Per check, the first check first, one row per method and metric in the order of the verdicts; cells are text.

    Checks whose stages do not build on each other have no half and no end: their numbers stand under their stages.
    """
    checks = sorted(map(str, results.curves["check"].unique()), key=lambda check: check != first_check(results))
    built = [check for check in checks if advances(results, check)] or checks
    return [(check_name(check), _rows(results, check, partial(_numbers, results, check))) for check in built]


def _rows(results: Results, check: str, row: Callable[[str, str, pd.DataFrame], Row]) -> list[Row]:
    groups = results.curves[results.curves["check"] == check].groupby(["method", "metric"], sort=False)
    parts = {(str(method), str(metric)): part for (method, metric), part in groups}
    methods = ranked(results, pd.Series([method for method, _ in parts], dtype=str))
    places = [(method, metric) for method in methods for metric in metrics_of(results, check)]
    return [row(method, metric, parts[method, metric]) for method, metric in places if (method, metric) in parts]


def _numbers(results: Results, check: str, method: str, metric: str, part: pd.DataFrame) -> Row:
    floor = results.floor(method, metric, check)
    half, last = half_and_last(part)
    return {
        "method": method,
        "control": is_control(method, results.config),
        "metric": metric_name(metric),
        "decides": metric in DECIDING,
        "cells": [
            _cell(floor, "floor"),
            _cell(half, "mean", "lower", "upper"),
            _cell(last, "mean", "lower", "upper"),
            _cell(half, "excess"),
            _cell(last, "excess"),
            (number(floor.get("prior")), ""),
            *([(number(floor.get("closed_form")), "")] if "closed_form" in results.floors else []),
            (percent(floor.get("zeros")), ""),
            (percent(last.get("defined")), ""),
        ],
    }


def number_columns(results: Results) -> dict[str, str]:
    """The heads of the columns with what they mean."""
    closed = "what independent magnitudes with these shared zeros would have; belongs to absolute Spearman"
    return {
        "null floor": "similarity to the maps of fully randomised networks",
        "similarity, half": "with half of the blocks randomised",
        "similarity, end": "with all blocks randomised, or at the last stage of the check",
        "excess, half": "what is left above the floor, 1 = everything",
        "excess, end": "should be near 0 where everything is randomised, else the floor is badly estimated",
        "prior": "similarity between the maps of two random networks; decides nothing",
        **({"closed form": closed} if "closed_form" in results.floors else {}),
        "shared zeros": "pixels that are zero in both maps",
        "defined": "share of image and seed cells with a value, last stage",
    }


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
