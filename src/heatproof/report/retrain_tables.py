"""Areas of a remove-and-retrain run as rows of text, for a terminal."""

from __future__ import annotations

from ..experiment.retrain_results import RetrainResults
from .bench_tables import TextTable
from .retrain_order import ranking

TITLES = {
    "roar": "remove and retrain, area under the accuracy (AUC), lower is better",
    "kar": "keep and retrain, area over the accuracy (AOC), lower is better",
}


def retrain_tables(results: RetrainResults) -> list[TextTable]:
    """One table for each direction, best first, masks alone last: area, interval, gain over random, and the published area;
    and one of what could not run, with reasons."""
    found = []
    for direction in map(str, results.areas["direction"].unique()):
        rows = ranking(results, direction)
        heads = ["method", "area", "95 % interval", "gain over random", "95 % interval"]
        published = any(r["published"] == r["published"] for r in rows)
        body = [
            [
                str(r["method"]), _places(r["area"]), _interval(r, ""), _places(r["gain"]), _interval(r, "gain_"),
                *([_places(r["published"])] if published else []),
            ]
            for r in rows
        ]  # fmt: skip
        found.append((TITLES[direction], [*heads, *(["published"] if published else [])], body))
    refused = [[str(r["method"]), str(r["error"])] for r in results.refused.to_dict("records")]
    return found + ([("could not run", ["method", "reason"], refused)] if refused else [])


def interval_words(results: RetrainResults) -> str:
    """What the intervals are over, and what they say nothing about."""
    over = "networks and test images"
    if results.conditional:
        over = "test images only, conditional on one network (seed)"
    return f"Intervals are over {over}; they say nothing about training the explained network again."


def _places(value: float) -> str:
    return f"{value:z.4f}" if value == value else "–"


def _interval(row: dict[object, float], start: str) -> str:
    lower, upper = row[f"{start}lower"], row[f"{start}upper"]
    return f"{lower:z.3f} to {upper:z.3f}" if lower == lower else "–"
