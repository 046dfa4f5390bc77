"""Judging one method: does its map depend on what is randomised? (docs/theory/checks.md)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite
from typing import Any

import numpy as np

from ..errors import InputError
from .interval import Estimate, estimate, excess
from .reasons import (
    THRESHOLDS,
    Case,
    remarks,
    why_dominated,
    why_insensitive,
    why_sensitive,
    why_undecided,
    why_undefined,
)

Array = np.ndarray[Any, Any]

WORST_FIRST = ("undefined", "input-dominated", "insensitive", "undecided", "sensitive")
"""The verdicts; of several metrics the one that comes first here decides."""


@dataclass(frozen=True)
class Verdict:
    """What is concluded about one method, and from which numbers.

    Attributes:
        verdict: one of `WORST_FIRST`.
        metric: the metric that decided, the worst of those given.
        reason: one sentence with the numbers.
        floor: its null floor.
        excess_half: its excess over the floor at the first stage with half of the blocks randomised, or more.
        excess_last: its excess at the last stage, where it should be about 0.
        vanished: share of image x seed cells whose map is constant only after randomisation, at the half or the last
            stage, whichever is larger.
        undefined: the same for cells without a value for any other reason (the original map is constant, or not finite).
        floor_badly_estimated: the excess at the last stage is not about 0.
        images_needed: for undecided: the number of images that would probably decide it, None where none would.
        seeds_needed: for undecided: the number of seeds and of null networks that would.
    """

    verdict: str
    metric: str
    reason: str
    floor: Estimate
    excess_half: Estimate
    excess_last: Estimate
    vanished: float = 0.0
    undefined: float = 0.0
    floor_badly_estimated: bool = False
    images_needed: int | None = None
    seeds_needed: int | None = None


def judge(
    similarity: Mapping[str, Array],
    floor: Mapping[str, Array],
    *,
    positions: Sequence[int],
    blocks: int,
    vanished: Array | None = None,
    at: Sequence[str] | None = None,
    whole: bool = True,
) -> Verdict:
    """The verdict on one method. Source: docs/theory/checks.md; the first rule that matches wins, for each metric:

    1. undefined: over 20 % of the image x seed cells are NaN at the half or the last stage (a map that is constant under
       the original network is NaN at both);
    2. input-dominated: lower(floor) >= .5;
    3. insensitive: lower(excess at the half stage) >= .5;
    4. sensitive: upper(floor) < .5 and upper(excess) < .5 at every stage from the half stage on;
    5. undecided, with the number of images or seeds that would probably decide it (`interval.enough`): the interval that
       is in the way keeps its mean, and its variance falls with the number of images or of networks.

    The worst metric decides. With vanished maps the verdict is repeated with their cells set to the image's floor; if it
    changes it is undecided. Under 4 blocks the last stage is the only one judged.

    Args:
        similarity: for each deciding metric ``(stages, S seeds, I images)``; NaN = undefined or vanished.
        floor: for each the same metric ``(R null networks, I images)``.
        positions: number of blocks that are randomised at each stage, ascending; the last is ``blocks``.
        blocks: number of blocks of the model.
        vanished: bool, in the shape of one similarity: the map is constant at this stage but not under the original.
        at: each stage in words; None = "3 of 8 blocks randomised".
        whole: nothing of the original is left at the last stage, so that its excess should be about 0.

    Raises:
        InputError: arrays, metrics or positions that do not fit each other.
    """
    _check(similarity, floor, positions, blocks, vanished)
    words = list(at) if at is not None else [f"{p} of {blocks} blocks randomised" for p in positions]
    scale = _Scale(list(positions), blocks, words, whole)
    verdict = _worst(similarity, floor, scale)
    if vanished is None or not vanished.any():
        return verdict
    first, missing = first_judged(positions, blocks), np.isnan(similarity[verdict.metric])
    shares = _share(missing & vanished, first), _share(missing & ~vanished, first)
    verdict = replace(verdict, vanished=shares[0], undefined=shares[1])
    filled = {metric: _with_floor(similarity[metric], floor[metric], vanished) for metric in similarity}
    again = _worst(filled, floor, scale).verdict
    return verdict if again == verdict.verdict else _unsettled(verdict, again)


@dataclass(frozen=True)
class _Scale:
    """The stages: how much is randomised at each, out of how much, in words, and whether the last leaves nothing."""

    positions: list[int]
    blocks: int
    at: list[str]
    whole: bool


def _worst(similarity: Mapping[str, Array], floor: Mapping[str, Array], scale: _Scale) -> Verdict:
    """The worst verdict of all metrics; of equal ones that with the larger number behind it."""
    first = first_judged(scale.positions, scale.blocks)
    verdicts = []
    for metric, cells in similarity.items():
        excesses = [excess(stage, floor[metric]) for stage in cells[first:]]
        missing = _missing(cells, first)
        verdicts.append(_judge(Case(metric, estimate(floor[metric]), excesses, missing, scale.at[first:], scale.whole)))
    return min(verdicts, key=lambda v: (WORST_FIRST.index(v.verdict), -_weight(v)))


def _weight(verdict: Verdict) -> float:
    values = {"undefined": verdict.undefined, "input-dominated": verdict.floor.mean}
    value = values.get(verdict.verdict, verdict.excess_half.mean)
    return value if isfinite(value) else -1.0


def _judge(case: Case) -> Verdict:
    """Rules 1 to 5 on one metric."""
    half, last = case.excesses[0], case.excesses[-1]
    images = seeds = None
    if case.missing > THRESHOLDS["undefined"]:
        verdict, reason = "undefined", why_undefined(case)
    elif case.floor.lower >= THRESHOLDS["floor"]:
        verdict, reason = "input-dominated", why_dominated(case)
    elif half.lower >= THRESHOLDS["excess"]:
        verdict, reason = "insensitive", why_insensitive(case)
    elif case.floor.upper < THRESHOLDS["floor"] and all(e.upper < THRESHOLDS["excess"] for e in case.excesses):
        verdict, reason = "sensitive", why_sensitive(case)
    else:
        verdict, (reason, images, seeds) = "undecided", why_undecided(case)
    bad = case.whole and abs(last.mean) >= THRESHOLDS["last"]
    return Verdict(
        verdict, case.metric, reason + remarks(case, bad), case.floor, half, last, 0.0, case.missing, bad, images, seeds
    )


def _unsettled(verdict: Verdict, again: str) -> Verdict:
    reason = (
        f"{verdict.vanished:.0%} of the maps vanish (turn constant) under randomisation: without them the verdict is "
        f"{verdict.verdict}, with them at the floor it is {again}."
    )
    return replace(verdict, verdict="undecided", reason=reason, images_needed=None, seeds_needed=None)


def first_judged(positions: Sequence[int], blocks: int) -> int:
    """Index of the first stage with half of the blocks randomised; of the last with few blocks."""
    least = ceil(blocks / 2) if blocks >= THRESHOLDS["blocks"] else blocks
    return next(k for k, randomised in enumerate(positions) if randomised >= least)


def _with_floor(similarity: Array, floor: Array, vanished: Array) -> Array:
    """Cells of vanished maps set to the mean floor of their image, or of all images where it has none."""
    finite = np.isfinite(floor)
    if not finite.any():
        return similarity
    counts = finite.sum(0)
    sums = np.where(finite, floor, 0.0).sum(0)
    by_image = np.where(counts > 0, sums / np.maximum(counts, 1), floor[finite].mean())
    return np.where(vanished & np.isnan(similarity), by_image, similarity)


def _share(cells: Array, first: int) -> float:
    """Share of true cells at the half stage or the last, whichever is larger."""
    return float(max(cells[first].mean(), cells[-1].mean()))


def _missing(similarity: Array, first: int) -> float:
    return _share(np.isnan(similarity), first)


def _check(
    similarity: Mapping[str, Array],
    floor: Mapping[str, Array],
    positions: Sequence[int],
    blocks: int,
    vanished: Array | None,
) -> None:
    if not similarity or set(similarity) != set(floor):
        raise InputError(
            f"judge got similarities {list(similarity)} and floors {list(floor)}; expected the same metrics"
        )
    steps = list(positions)
    if not steps or steps[-1] != blocks or steps[0] < 1 or steps != sorted(set(steps)):
        raise InputError(
            f"judge got positions={steps} for {blocks} blocks; expected the ascending numbers of randomised blocks, from 1 "
            f"on, with all {blocks} at the last stage"
        )
    shape = next(iter(similarity.values())).shape
    for metric, cells in similarity.items():
        null = floor[metric]
        if cells.shape != shape or len(shape) != 3 or shape[0] != len(steps) or not cells.size:
            raise InputError(
                f"judge got {metric} of shape {cells.shape}; expected ({len(steps)} stages, seeds, images)"
            )
        if null.ndim != 2 or not len(null) or null.shape[1] != shape[2]:
            raise InputError(
                f"judge got a floor of {metric} of shape {null.shape}; expected (networks, {shape[2]} images)"
            )
    if vanished is not None and (vanished.shape != shape or vanished.dtype != np.bool_):
        raise InputError(f"judge got vanished of {vanished.dtype} {vanished.shape}; expected bool of shape {shape}")
