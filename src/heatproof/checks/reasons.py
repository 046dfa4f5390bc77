"""The thresholds of a verdict and the sentence that explains it (docs/theory/checks.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from .interval import FLOOR_LIMIT, Estimate, enough

NAMES = {"spearman": "signed Spearman", "spearman_abs": "absolute Spearman"}
THRESHOLDS: dict[str, float] = {
    "undefined": 0.2,  # share of cells without a value above which nothing is judged
    "floor": 0.5,  # floor from which on a map counts as showing the input alone
    "excess": 0.5,  # excess over the floor from which on a map counts as insensitive
    "floor_limit": FLOOR_LIMIT,  # mean floor above which no excess is computed
    "last": 0.1,  # |excess| at the last stage from which on the floor counts as badly estimated
    "blocks": 4,  # number of blocks below which only the fully randomised network is judged
}
"""What the rules compare with, for the report to print."""


@dataclass(frozen=True)
class Case:
    """One metric's numbers, as the rules read them.

    Attributes:
        metric: its name.
        floor: the null floor.
        excesses: the excess at each judged stage, the half stage first.
        missing: share of cells that are NaN at the half or the last stage, whichever is larger.
        at: each judged stage in words, as "3 of 8 blocks randomised".
        whole: nothing of the original is left at the last of them.
    """

    metric: str
    floor: Estimate
    excesses: list[Estimate]
    missing: float
    at: Sequence[str]
    whole: bool

    @property
    def words(self) -> str:
        """The metric for people."""
        return NAMES.get(self.metric, self.metric)


def why_undefined(case: Case) -> str:
    """Rule 1."""
    return (
        f"{case.missing:.0%} of the maps have no {case.words} (they are constant or not finite), over the limit of "
        f"{THRESHOLDS['undefined']:.0%}"
    )


def why_dominated(case: Case) -> str:
    """Rule 2."""
    return (
        f"Maps of the model and of random networks already agree at {said(case.floor)} ({case.words}, limit "
        f"{THRESHOLDS['floor']:z.2f}): the map shows the input, whatever the network"
    )


def why_insensitive(case: Case) -> str:
    """Rule 3."""
    return (
        f"With {case.at[0]} the map keeps {said(case.excesses[0])} of what {case.words} can have above its floor of "
        f"{case.floor.mean:z.2f} (limit {THRESHOLDS['excess']:z.2f}): it hardly depends on what was learned"
    )


def why_sensitive(case: Case) -> str:
    """Rule 4."""
    most = max(case.excesses, key=lambda e: e.upper)
    start = f"From {case.at[0]} on, the map keeps at most" if len(case.at) > 1 else f"With {case.at[0]} the map keeps"
    return (
        f"{start} {said(most)} of what {case.words} can have above its floor of "
        f"{said(case.floor)} (limits {THRESHOLDS['excess']:z.2f} and {THRESHOLDS['floor']:z.2f})"
    )


def why_undecided(case: Case) -> tuple[str, int | None, int | None]:
    """Rule 5: the interval in the way of the verdict that the means point to, and how many images or seeds narrow it.

    Several intervals may be in the way; each would have to become narrow enough, so that the largest numbers count.
    """
    pointed = _in_the_way(case)
    absent = next((name for name, e, _ in pointed if not isfinite(e.upper - e.lower)), None)
    if absent:
        return f"There are too few values of {case.words} to give the {absent} an interval", None, None
    low = case.floor.mean < THRESHOLDS["floor"] and case.excesses[0].mean < THRESHOLDS["excess"]
    back = next(((name, e) for name, e, limit in pointed if low and e.mean >= limit), None)
    if back:
        return f"The map changes and comes back: the {back[0]} is {said(back[1])} ({case.words})", None, None
    name, widest, limit = max(pointed, key=lambda p: p[1].upper)
    text = f"The {name} is {said(widest)} ({case.words}), an interval that crosses {limit:z.2f}"
    counts = [enough(e, threshold) for _, e, threshold in pointed]
    images, seeds = (None if None in some else max(n for n in some if n) for some in zip(*counts, strict=True))
    return text + _would_decide(widest, images, seeds), images, seeds


def _in_the_way(case: Case) -> list[tuple[str, Estimate, float]]:
    """Name, estimate and threshold of what must still move to one side."""
    floor = ("floor", case.floor, THRESHOLDS["floor"])
    stages = [(f"excess with {case.at[k]}", e, THRESHOLDS["excess"]) for k, e in enumerate(case.excesses)]
    if not case.floor.mean < THRESHOLDS["floor"]:
        return [floor]
    if not case.excesses[0].mean < THRESHOLDS["excess"]:
        return stages[:1]
    return [p for p in (floor, *stages) if not p[1].upper < p[2]]


def _would_decide(crossing: Estimate, images: int | None, seeds: int | None) -> str:
    options = []
    if images is not None:
        options.append(f"{images} images (now {crossing.images})")
    if seeds is not None:
        options.append(f"{seeds} seeds and nulls (now {crossing.networks})")
    if not options:
        return "; no number of images or of seeds within reach would decide it"
    return f"; about {' or '.join(options)} would probably decide it"


def remarks(case: Case, badly_estimated: bool) -> str:
    """What qualifies any verdict, and the full stop."""
    text = ""
    if badly_estimated:
        text += (
            f"; the floor is badly estimated: with everything randomised the excess is {case.excesses[-1].mean:z.2f}, and "
            f"should be within {THRESHOLDS['last']:z.2f} of 0"
        )
    if case.floor.conditional or case.excesses[0].conditional:
        text += "; conditional on this seed"
    return text + "."


def said(estimate: Estimate) -> str:
    """Mean and interval."""
    return f"{estimate.mean:z.2f} [{estimate.lower:z.2f}, {estimate.upper:z.2f}]"
