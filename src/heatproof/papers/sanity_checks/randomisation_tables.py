"""Our numbers beside published ones, or beside those of another setting, each within `SAME`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ..judge import every, finding, said, within
from ..types import Finding, Measured, Number
from .randomisation_judges import NAMES, SAME, Judge


def same(pairs: Iterable[tuple[Number, float]]) -> tuple[bool | None, str]:
    """Whether every number is its expected one within `SAME`, and how many are, in words."""
    met = [within(number, expected, SAME) for number, expected in pairs]
    counts = (met.count(True), met.count(None), met.count(False))
    return every(met), "{} within .1, {} not told, {} not".format(*counts)


def published(table: Mapping[str, Sequence[float]], metric: str) -> Judge:
    """Every published number is met within `SAME`."""

    def judge(found: Measured) -> Finding:
        pairs = {
            (m, i): (found[f"cascading/{m}/{metric}/{i + 1}"], value)
            for m, values in table.items() for i, value in enumerate(values)
        }  # fmt: skip
        held, counts = same(pairs.values())
        worst = max(pairs, key=lambda k: abs(pairs[k][0].value - pairs[k][1]))
        ours, theirs = pairs[worst]
        stage = found.listed("stages/cascading")[worst[1]]
        return finding(
            held, f"{counts}; farthest: {NAMES[worst[0]]} down to {stage}, {said(ours)} against {theirs:.2f}", ours
        )

    return judge
