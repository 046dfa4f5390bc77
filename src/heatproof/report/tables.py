"""The numbers as tables, and the list of what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..checks.chain import DECIDING
from ..experiment.results import Results
from ..plots._style import is_control, metric_name
from .cards import half_and_last
from .words import interval, number, percent

Row = dict[str, Any]


def numbers(results: Results) -> list[Row]:
    """One row per method, check and metric, methods in the order of the verdicts; every cell is text."""
    order = {str(m): place for place, m in enumerate(results.verdicts["method"])}
    groups = results.curves.groupby(["method", "check", "metric"], sort=False)
    rows = [_numbers(results, str(m), str(c), str(k), part) for (m, c, k), part in groups]
    return sorted(rows, key=lambda row: order.get(row["method"], len(order)))


def _numbers(results: Results, method: str, check: str, metric: str, part: pd.DataFrame) -> Row:
    floors = results.floors
    found = floors[(floors["method"] == method) & (floors["metric"] == metric)].to_dict("records")
    floor = found[0] if found else {}
    half, last = half_and_last(part)
    return {
        "method": method,
        "control": is_control(method, results.config),
        "check": check,
        "metric": metric_name(metric),
        "decides": metric in DECIDING,
        "cells": [
            _cell(floor, "floor"),
            _cell(half, "mean", "lower", "upper"),
            _cell(last, "mean", "lower", "upper"),
            _cell(half, "excess"),
            _cell(last, "excess"),
            (number(floor.get("prior")), ""),
            (percent(floor.get("zeros")), ""),
            (percent(last.get("defined")), ""),
        ],
    }


NUMBER_COLUMNS = {
    "null floor": "similarity to the maps of fully randomised networks",
    "similarity, half": "with half of the blocks randomised",
    "similarity, end": "with all blocks randomised",
    "excess, half": "what is left above the floor, 1 = everything",
    "excess, end": "should be near 0, else the floor is badly estimated",
    "prior": "similarity between the maps of two random networks; decides nothing",
    "shared zeros": "pixels that are zero in both maps",
    "defined": "share of image and seed cells with a value, last stage",
}


def stages(results: Results) -> dict[str, Any]:
    """Every curve as a row of cells, one per measured stage; a curve without a stage has an empty cell there."""
    names = sorted({int(s) for s in results.curves["stage"]})
    rows = []
    for (method, check, metric), part in results.curves.groupby(["method", "check", "metric"], sort=False):
        cells = {int(r["stage"]): _cell(r, "mean", "lower", "upper") for r in part.to_dict("records")}
        label = {"method": method, "check": check, "metric": metric_name(str(metric))}
        rows.append(label | {"cells": [cells.get(stage, ("", "")) for stage in names]})
    return {"stages": names, "rows": rows}


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
