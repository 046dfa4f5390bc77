"""Numbers of audits and benches, and of plain samples, under names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch import Tensor

from ..checks.interval import estimate
from ..experiment.bench_results import BenchResults
from ..experiment.results import Results
from .types import Number

Array = np.ndarray[Any, Any]


def over(values: Tensor | Array) -> Number:
    """The mean with its 95 % interval: over images ``(I,)``, or networks and images ``(S, I)``. NaN = no value."""
    cells = np.asarray(values.detach().cpu() if isinstance(values, Tensor) else values, dtype=float)
    found = estimate(cells[None] if cells.ndim == 1 else cells)
    return Number(found.mean, found.lower, found.upper)


def of_audit(results: Results) -> dict[str, Number]:
    """Similarities as "CHECK/METHOD/METRIC/STAGE" (and "excess/..." above the floor), floors as "floor/METHOD/METRIC"."""
    return dict(_audit(results))


def _audit(results: Results) -> Iterator[tuple[str, Number]]:
    for row in results.curves.to_dict("records"):
        name = f"{row['check']}/{row['method']}/{row['metric']}/{row['stage']}"
        yield name, Number(row["mean"], row["lower"], row["upper"])
        yield f"excess/{name}", Number(row["excess"], row["excess_lower"], row["excess_upper"])
    for row in results.floors.to_dict("records"):
        if row["null"] == "null":
            where = f"{row['method']}/{row['metric']}"
            yield f"floor/{where}", Number(row["floor"], row["floor_lower"], row["floor_upper"])
            yield f"prior/{where}", Number(row["prior"])
            yield f"zeros/{where}", Number(row["zeros"])


def of_bench(results: BenchResults) -> dict[str, Number]:
    """Curves as "METHOD/METRIC/LEVEL", other numbers as "METHOD/METRIC", beside chance as "gain/METHOD/METRIC", and the
    median over images as "median/METHOD/METRIC"."""
    return dict(_bench(results))


def _bench(results: BenchResults) -> Iterator[tuple[str, Number]]:
    for row in results.curves.to_dict("records"):
        yield f"{row['method']}/{row['metric']}/{row['level']:g}", Number(row["mean"], row["lower"], row["upper"])
    for row in results.summary.to_dict("records"):
        name = f"{row['method']}/{row['metric']}"
        yield name, Number(row["mean"], row["lower"], row["upper"])
        yield f"gain/{name}", Number(row["gain"], row["gain_lower"], row["gain_upper"])
        yield f"median/{name}", Number(row["median"])


def by_image(results: Results | BenchResults, method: str, metric: str, stage: int = 0, check: str = "") -> Array:
    """Values of one method by image ``(I,)``, means over seeds, to compare methods on the same images."""
    table = results.table
    rows = table[(table["method"] == method) & (table["metric"] == metric) & (table["stage"] == stage)]
    rows = rows[rows["check"] == check] if check else rows
    return rows.groupby("image")["value"].mean().sort_index().to_numpy()
