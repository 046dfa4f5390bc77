"""Verdicts: of every check that can carry one, and of a method as a whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.compared import DECIDING
from ..checks.interval import estimate
from ..checks.kinds import CHECKS
from ..checks.verdict import WORST_FIRST, Verdict, first_judged, judge
from .cells import NULL_OF, Cell, Cells

NO_NUMBERS: dict[str, Any] = {
    **dict.fromkeys(
        ("floor", "excess", "excess_lower", "excess_upper", "excess_last", "vanished", "undefined"), np.nan
    ),
    "floor_badly_estimated": False,
}


def verdicts(cells: Cells, judged: pd.DataFrame) -> pd.DataFrame:
    """One row a method, worst first: the verdict of the first check that judges, and the faithfulness beside it."""
    first = next((c for c in cells.checks if CHECKS[c].judged), None)
    rows = []
    for method in cells.methods:
        faith = _faithfulness(cells.of("faithfulness", method, "gain", 0))
        if first is None:
            rows.append({**_unjudged(cells, method), **faith})
            continue
        row = judged[(judged["method"] == method) & (judged["check"] == first)].to_dict("records")[0]
        rows.append({**{str(k): v for k, v in row.items() if k != "check"}, **faith})
    rank = {name: place for place, name in enumerate(WORST_FIRST)}
    found = pd.DataFrame(rows)
    return found.sort_values("verdict", key=lambda v: v.map(rank), kind="stable").reset_index(drop=True)


def _unjudged(cells: Cells, method: str) -> dict[str, Any]:
    asked = ", ".join(cells.checks)
    reason = f"Without a check that judges there is no verdict (asked for: {asked}); add the check cascading."
    return {"method": method, "verdict": "undecided", "reason": reason, "metric": "", **NO_NUMBERS}


def by_check(cells: Cells) -> pd.DataFrame:
    """One row for each method and check that judges, in the order of the checks."""
    rows = [_row(cells, method, check) for check in cells.checks if CHECKS[check].judged for method in cells.methods]
    columns = ["method", "check", "verdict", "reason", "metric", *NO_NUMBERS]
    return pd.DataFrame(rows, columns=columns)


def _row(cells: Cells, method: str, check: str) -> dict[str, Any]:
    found = _judged(cells, method, check)
    blocks, positions, _ = _scale(cells, check)
    half, measured = first_judged(positions, blocks), [stage for stage, _, _ in cells.plan(check)]
    failed = cells.failed(check, method, [measured[half], measured[-1]])
    row = {
        "method": method,
        "check": check,
        "verdict": "undefined" if failed else found.verdict,
        "reason": failed or found.reason,
        "metric": found.metric,
        "floor": found.floor.mean,
        "excess": found.excess_half.mean,
        "excess_lower": found.excess_half.lower,
        "excess_upper": found.excess_half.upper,
        "excess_last": found.excess_last.mean,
        "vanished": found.vanished,
        "undefined": found.undefined,
        "floor_badly_estimated": found.floor_badly_estimated,
    }
    gates = cells.config.get("labels") or {}
    if check == "labels" and not failed and not gates.get("concluded", False):
        row |= {"verdict": "undecided", "reason": str(gates.get("why", "The accuracy gates were not measured."))}
    return row


def _judged(cells: Cells, method: str, check: str) -> Verdict:
    metrics = [m for m in DECIDING if m in cells.config["metrics"]]
    plan = cells.plan(check)
    seen = {m: np.stack([cells.of(check, method, m, s) for s, _, _ in plan]) for m in metrics}
    gone = np.any([[cells.vanished(check, method, m, s) for s, _, _ in plan] for m in metrics], axis=0)
    floor = {m: cells.of(NULL_OF.get(check, "null"), method, m) for m in metrics}
    blocks, positions, words = _scale(cells, check)
    return judge(seen, floor, vanished=gone, positions=positions, blocks=blocks, at=words, whole=CHECKS[check].whole)


def _scale(cells: Cells, check: str) -> tuple[int, list[int], list[str]]:
    """How many blocks there are, how many are randomised at each stage, and each stage in words."""
    plan = cells.plan(check)
    if check in ("full", "labels"):
        return 1, [1], ["everything randomised" if check == "full" else CHECKS[check].title]
    blocks, stages = len(cells.config["blocks"]), [stage for stage, _, _ in plan]
    return blocks, stages, [f"{stage} of {blocks} blocks randomised" for stage in stages]


def _faithfulness(gains: Cell) -> dict[str, float]:
    names = ("faithfulness", "faithfulness_lower", "faithfulness_upper")
    if not gains.size:
        return dict.fromkeys(names, float("nan"))
    gain = estimate(gains)
    return dict(zip(names, (gain.mean, gain.lower, gain.upper), strict=True))
