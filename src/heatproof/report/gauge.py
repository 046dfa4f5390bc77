"""The gauge of a card: what random networks reach, what the map keeps above it, and the limit, on one scale from 0 to 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from ..experiment.results import Results
from ..plots._curve import excess_threshold
from .small import half_and_last
from .use import judged_whole
from .words import measured

WIDTH, HEIGHT = 120, 16
TOP, BASE = 4, 12


def gauge(results: Results, row: Mapping[Any, Any], check: str) -> Markup:
    """The gauge of one row of the verdicts; the sentences beside it say the same, so that it has no text of its own."""
    rows = results.curves
    rows = rows[(rows["check"] == check) & (rows["method"] == row["method"]) & (rows["metric"] == row["metric"])]
    similarity: Any = half_and_last(rows)[judged_whole(results, check)].get("mean")
    floor: Any = row.get("floor")
    parts = [_box("g-scale", 0.0, 1.0)]
    if measured(floor) and row["verdict"] != "undefined":
        if measured(similarity):
            parts.append(_box("g-kept", float(floor), float(similarity)))
        parts.append(_box("g-floor", 0.0, float(floor)))
        limit = _at(float(floor) + excess_threshold(results) * (1 - float(floor)))
        parts.append(Markup('<path class="g-limit" d="M{:.1f} 1V{}"/>').format(limit, HEIGHT - 1))
    head = Markup('<svg class="gauge" viewBox="0 0 {} {}" aria-hidden="true">').format(WIDTH, HEIGHT)
    return head + Markup("").join(parts) + Markup("</svg>")


def _box(kind: str, start: float, end: float) -> Markup:
    left, right = _at(start), _at(max(start, end))
    return Markup('<path class="{}" d="M{:.1f} {}H{:.1f}V{}H{:.1f}z"/>').format(kind, left, TOP, right, BASE, left)


def _at(value: float) -> float:
    """The place of a similarity; negative ones, which are no more than chance, stand at 0."""
    return WIDTH * max(0.0, min(1.0, value))
