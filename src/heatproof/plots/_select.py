"""Which rows of a run a figure draws, and on which axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

import pandas as pd

from ..checks.kinds import CHECKS
from ..errors import InputError
from ..experiment.results import Results
from ._style import check_name, in_reading_order, metric_name, plain

AXES = {
    "reverse": "share of blocks randomised, from the input up",
    "smooth": "share of blocks randomised, from the input up",
    "graded": "share of new weights mixed into every weight",
    "biases": "share of blocks with new biases",
}


def rows_of(results: Results, metric: str, check: str | None = None) -> pd.DataFrame:
    """The curves of one metric and check (None = the first), or `InputError` naming those there are."""
    table = results.curves
    checks = [str(c) for c in table["check"].unique()]
    found = table[(table["check"] == (check or first_check(results))) & (table["metric"] == metric)]
    if found.empty:
        raise InputError(
            f"no curve of metric={metric!r}, check={check!r} in {results.folder}; it has the metrics "
            f"{sorted(map(str, table['metric'].unique()))} and the checks {checks}"
        )
    return found


def methods_of(results: Results, metric: str, check: str | None = None) -> list[str]:
    """Methods that have a curve, in the order of the verdicts (worst first)."""
    return ranked(results, rows_of(results, metric, check)["method"])


def ranked(results: Results, methods: pd.Series[Any]) -> list[str]:
    """Methods without repetition, in the order of the verdicts (worst first), unknown ones last."""
    have = list(dict.fromkeys(map(str, methods)))
    known = [str(m) for m in results.verdicts["method"] if m in have]
    return known + [m for m in have if m not in known]


def first_check(results: Results) -> str:
    """The check that the verdict of a card is of: the first that judges; "" in a run without any."""
    judging = list(results.by_check["check"]) if len(results.by_check) else []
    measured = [str(c) for c in results.curves["check"].unique()]
    return next(iter([*map(str, judging), *(c for c in measured if c != "independent"), *measured]), "")


def checks_of(results: Results, staged: bool) -> list[str]:
    """Checks with more than one stage (curves), or with one (bars); the first check first, the others as in `CHECKS`."""
    table = results.curves[results.curves["stage"] > 0]
    found = [str(c) for c, part in table.groupby("check", sort=False) if (part["stage"].nunique() > 1) == staged]
    return in_order(results, found)


def in_order(results: Results, checks: Iterable[str]) -> list[str]:
    """The first check first, the others in the order of `CHECKS`, unknown ones last."""
    order = [first_check(results), *CHECKS]
    return sorted(checks, key=lambda check: order.index(check) if check in order else len(order))


def metrics_of(results: Results, check: str) -> list[str]:
    """The metrics measured for a check, in the order in which people read them: support-only after absolute."""
    return in_reading_order(results.curves[results.curves["check"] == check]["metric"])


def advances(results: Results, check: str | None) -> bool:
    """Whether a check's stages randomise more and more of the network, so that the share can be the x axis."""
    table = results.curves
    rows = table[table["check"] == (check or first_check(results))].drop_duplicates("stage").sort_values("stage")
    return bool(rows["share"].is_monotonic_increasing and rows["share"].is_unique)


def judges(results: Results, check: str | None) -> bool:
    """Whether a check carries a verdict, so that the zone of `insensitive` means something in its curves."""
    kind = CHECKS.get(check or first_check(results))
    return kind is not None and kind.judged


def without_verdict(results: Results) -> bool:
    """Whether none of the checks that were asked for carries a verdict."""
    asked = results.config.get("checks") or ()
    return bool(asked) and not any(judges(results, check) for check in asked)


def axis_label(results: Results, check: str | None) -> str:
    """What the x axis of a check's curves is."""
    name = check or first_check(results)
    if advances(results, name):
        return AXES.get(name, "share of blocks randomised")
    return "the block randomised, one at a time" if stage_names(results, name) else "stage"


def heading(results: Results, metric: str, check: str | None) -> str:
    """The title of a figure; it names the check where the run has several."""
    several = results.curves["check"].nunique() > 1
    named = f", {check_name(check or first_check(results))}" if several else ""
    return plain(f"{metric_name(metric)}: similarity to the original map{named}")


def stage_names(results: Results, check: str | None) -> dict[int, str]:
    """Stage -> name, where the run recorded them."""
    plan = dict(dict(results.config.get("check_plan") or {}).get(check or first_check(results)) or {})
    return {int(s): str(n) for s, n in zip(plan.get("stages", ()), plan.get("names", ()), strict=False)}


def bottom(results: Results, metric: str) -> float:
    """One lower end of the y axis for all panels of a metric, so that they can be compared."""
    rows = results.curves[results.curves["metric"] == metric]
    floors = results.floors[results.floors["metric"] == metric]
    values = [v for v in _numbers(rows, "mean", "lower") if v < 0] + [v for v in _numbers(floors, "floor") if v < 0]
    return max(-1.04, min([-0.04, *(math.floor(v * 10) / 10 for v in values)]))


def _numbers(table: pd.DataFrame, *columns: str) -> Iterator[float]:
    for column in columns:
        yield from (float(v) for v in table[column].dropna())
