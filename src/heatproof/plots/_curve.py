"""What one small curve consists of, whoever draws it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from ..checks.reasons import THRESHOLDS
from ..experiment.results import Results
from ._select import advances, first_check, judges, rows_of

HALF = 0.5
"""The verdict looks at excess over the floor from this share of the blocks on, and compares it with this value unless
the run's own thresholds say otherwise (docs/theory/checks.md)."""


@dataclass(frozen=True)
class Curve:
    """Similarity over the stages of one check, with its null floor.

    Attributes:
        x: place of each stage: its share of the network, or its number where stages do not build on each other.
        last: the largest place.
        shares: whether places are shares.
        floor: the null floor with its interval.
        zone: where the zone of `insensitive` starts, from left and from below; None where the check gives no verdict.
    """

    x: list[float]
    mean: list[float]
    lower: list[float]
    upper: list[float]
    last: float
    shares: bool
    floor: tuple[float, float, float] | None
    zone: tuple[float, float] | None
    undefined: bool


def curve_of(results: Results, method: str, metric: str, check: str | None = None) -> Curve:
    """The curve of one method, or `InputError` as `rows_of`."""
    name = check or first_check(results)
    rows = rows_of(results, metric, name)
    rows = rows[rows["method"] == method].sort_values("stage")
    shares = advances(results, name)
    x = [float(v) for v in rows["share" if shares else "stage"]]
    row = results.floor(method, metric, name)
    floor = (float(row["floor"]), float(row["floor_lower"]), float(row["floor_upper"])) if row else None
    floor = floor if floor and math.isfinite(floor[0]) else None
    later = rows[rows["stage"] > 0]
    judged = floor is not None and shares and bool(later["excess"].notna().any()) and judges(results, name)
    zone = _zone(results, rows, floor[0]) if floor and judged else None
    mean, lower, upper = ([float(v) for v in rows[column]] for column in ("mean", "lower", "upper"))
    undefined = not bool(later["mean"].notna().any())
    return Curve(x, mean, lower, upper, max(x, default=1.0), shares, floor, zone, undefined)


def excess_threshold(results: Results) -> float:
    """The excess from which on a method counts as insensitive: the run's own threshold, .5 where it names none."""
    value = dict(results.config.get("thresholds") or {}).get("excess", HALF)
    return float(value) if isinstance(value, int | float) else HALF


def _zone(results: Results, rows: pd.DataFrame, floor: float) -> tuple[float, float]:
    # excess = (s - floor) / (1 - floor), so this is the similarity at which the excess meets its threshold
    limit = floor + excess_threshold(results) * (1 - floor)
    shares = sorted(float(s) for s in rows["share"])
    if len(results.config.get("blocks") or ()) in range(1, int(THRESHOLDS["blocks"])):
        return sum(shares[-2:]) / len(shares[-2:]), limit  # the last stage alone is judged
    return min((s for s in shares if s >= HALF), default=HALF), limit
