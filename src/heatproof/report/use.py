"""What a verdict means to somebody who wants to use a map, and what was found, each in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..checks.reasons import THRESHOLDS
from ..experiment.results import Results
from .words import measured, number, percent

USE = {
    "undefined": "Do not rely on it here: it cannot be judged.",
    "input-dominated": "Do not use it to explain this model: it shows the photo.",
    "insensitive": "Do not use it as evidence of what the network learned.",
    "undecided": "Do not rely on it yet: this run cannot tell.",
    "sensitive": "Can be used: it follows the network. Check its faithfulness too.",
}
LABELS = {
    "insensitive": "Do not use it as evidence of what was learned from the labels.",
    "sensitive": "Can be used: it follows what was learned. Check its faithfulness too.",
}
CONTROL = "A control: says nothing about this model."
TESTED = {
    "labels": "Beside a network trained on permuted labels",
}
"""What a verdict is of, where it is not half of the network."""


def use(verdict: str, check: str, control: bool) -> str:
    """What to do with a map; "" where there is no verdict."""
    if control:
        return CONTROL
    said = USE | LABELS if check == "labels" else USE
    return said.get(verdict, "")


def judged_whole(results: Results, check: str) -> bool:
    """Whether only the network with nothing left of the original is judged."""
    return check == "full" or 0 < len(results.config.get("blocks") or ()) < THRESHOLDS["blocks"]


def held(results: Results, row: Mapping[Any, Any], check: str) -> str:
    """What was tested and how much of the map stayed, from a row of the verdicts."""
    floor, excess = row.get("floor"), row.get("excess")
    missing = max((row[name] for name in ("undefined", "vanished") if measured(row.get(name))), default=0)
    if missing > THRESHOLDS["undefined"]:
        return f"{percent(missing)} of its maps cannot be compared."
    if row["verdict"] == "undefined" or not measured(floor):
        return "Too few of its maps can be compared."
    if row["verdict"] == "input-dominated" or not measured(excess):
        return f"Maps of random networks are already {number(floor)} similar to it."
    whole = "With all of the network random" if judged_whole(results, check) else "With half of the network random"
    tested = TESTED.get(check, whole)
    if check == "smooth":
        tested = f"Averaged over noisy copies, w{whole[1:]}"
    kept = f"{tested}, it keeps"
    lower, upper = row.get("excess_lower"), row.get("excess_upper")
    if row["verdict"] == "undecided" and measured(lower) and measured(upper):
        return f"{kept} between {_share(lower)} and {_share(upper)} of what is above chance."
    return f"{kept} {_share(excess)} of what is above chance."


def _share(excess: Any) -> str:
    """An excess as a share; what lies outside of 0 to 1 is chance."""
    return "none" if excess <= 0 else "all" if excess >= 1 else percent(excess)
