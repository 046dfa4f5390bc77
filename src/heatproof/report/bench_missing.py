"""What is not in the numbers of a bench: refused methods, failed images, maps without a value."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ..experiment.bench_results import BenchResults
from .words import count, percent


def troubles(results: BenchResults) -> dict[str, list[dict[str, Any]]]:
    """``stopped``: method, status, how many images, error. ``undefined``: method, share with a value, of which measures."""
    refused = [
        {"method": str(r["method"]), "status": str(r["status"]), "images": "all", "error": str(r["error"])}
        for r in results.refused.to_dict("records")
    ]
    every = int(results.table["image"].nunique())
    rows = results.table[results.table["status"] == "failed"]
    rows = rows[~rows["method"].isin(set(results.refused["method"]))]
    failed = [
        {
            "method": str(method),
            "status": "failed",
            "images": _images(part, every),
            "error": str(error),
        }
        for (method, error), part in rows.groupby(["method", "error"], sort=False, dropna=False)
    ]
    return {"stopped": refused + failed, "undefined": _undefined(results)}


def _undefined(results: BenchResults) -> list[dict[str, Any]]:
    least = results.curves.groupby(["method", "metric"], sort=False, as_index=False)["defined"].min()
    table = pd.concat([results.summary[["method", "metric", "defined"]], least])
    table = table[table["defined"] < 1]
    found = []
    for (method, share), part in table.groupby(["method", "defined"], sort=False):
        titles = [results.measures[m].title for m in dict.fromkeys(part["metric"])]
        found.append({"method": str(method), "share": _share(float(str(share))), "of": "; ".join(titles)})
    return found


def _images(part: pd.DataFrame, every: int) -> str:
    lost = int(part["image"].nunique())
    return "all" if lost == every else count(lost, "image")


def _share(value: float) -> str:
    """Never a whole where something is missing."""
    return "over 99 %" if 0.995 <= value < 1 else percent(value)
