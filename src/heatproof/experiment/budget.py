"""Fitting an audit into a budget: which stages, seeds, images, and steps of IG and SmoothGrad; by counted work alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from ..checks.kinds import CHECKS, COPIES
from ..checks.randomize import GRADES
from ..errors import InputError


@dataclass(frozen=True)
class Choice:
    """What is run: a cap on the effort option of methods (None: their own), and numbers of stages, seeds and images."""

    effort: int | None
    stages: int
    seeds: int
    images: int


@dataclass(frozen=True)
class Load:
    """What a check does to one image: variants of the model under which it is explained by all methods (the original
    counts each time that a job begins), pairs of maps that are compared, networks that are randomised."""

    variants: int
    compared: int
    randomised: int


def load_of(check: str, choice: Choice, nulls: int) -> Load:
    """The load of one check."""
    order = CHECKS[check].order if check in CHECKS else ""
    stages = choice.seeds * {"full": 1, "graded": len(GRADES)}.get(order, choice.stages)
    if check == "smooth":
        return Load(COPIES * (stages + choice.seeds + nulls + 1), stages + 2 * nulls, stages + nulls)
    if order:
        return Load(stages + choice.seeds, stages, stages)
    return {
        "null": Load(nulls + 1, 2 * nulls, nulls),
        "labels": Load(2, 1, 0),
        "random_logit": Load(2 * choice.seeds, choice.seeds, 0),
        "efficient": Load(nulls + 1, 0, nulls),
        "calibration": Load(2, 4, 0),
        "kept": Load(3 * choice.seeds, 0, 2 * choice.seeds),
    }.get(check, Load(1, 0, 0))


@dataclass(frozen=True)
class Costs:
    """Seconds by counted work: `row` one forward and backward of one image; `variant` rows of one image under one
    variant of the model, all methods at effort 1 unit; `metrics` the comparison of one image's maps; see `seconds`."""

    row: float
    fixed_rows: float
    effort_rows: dict[str, tuple[int, float]]
    metrics: float
    calibration_rows: int
    chunk: int
    nulls: int
    checks: tuple[str, ...]
    faithfulness_rows: float

    def variant(self, cap: int | None) -> float:
        """Seconds for one image under one variant, all methods."""
        rows = self.fixed_rows
        for own, per_unit in self.effort_rows.values():
            rows += per_unit * (own if cap is None else min(own, cap))
        return rows * self.row

    def seconds(self, choice: Choice) -> float:
        """Seconds for a whole audit."""
        loads = [load_of(check, choice, self.nulls) for check in ("null", *self.checks)]
        variants = sum(load.variants for load in loads) + 1  # the original once more for the faithfulness
        shard = self.chunk * (
            variants * self.variant(choice.effort) + sum(load.compared for load in loads) * self.metrics
        )
        calibrated = sum(load.randomised for load in loads) * self.calibration_rows
        return ceil(choice.images / self.chunk) * (
            shard + (calibrated + self.chunk * self.faithfulness_rows) * self.row / 3
        )


def choose(costs: Costs, most: Choice, budget: float | None) -> Choice:
    """The richest choice whose counted seconds fit into the budget; the poorest where none fits; all of it for None."""
    if budget is None:
        return most
    rungs = ladder(most)
    return next((c for c in rungs if costs.seconds(c) <= budget), rungs[-1])


RUNGS = (  # effort, stages, seeds, images; None for what was asked
    (None, 8, 5, None), (25, 8, 5, None), (16, 8, 5, None), (10, 8, 5, None), (10, 6, 5, None), (10, 4, 5, None),
    (10, 4, 5, 24), (10, 4, 5, 16), (10, 4, 5, 12), (10, 4, 5, 8), (10, 4, 4, 8), (10, 4, 3, 8), (6, 4, 3, 8),
    (6, 3, 3, 8), (6, 3, 3, 4), (4, 2, 3, 4),
)  # fmt: skip


def ladder(most: Choice) -> list[Choice]:
    """From all to little: first fewer steps of IG and SmoothGrad, then fewer stages and images.

    Seeds go last and never below 3: networks are the unit of the intervals, and with 2 of them t(.975, 1) = 12.7.
    """
    return [
        Choice(
            effort,
            min(most.stages, stages),
            min(most.seeds, seeds),
            most.images if images is None else min(most.images, images),
        )
        for effort, stages, seeds, images in RUNGS
    ]


def stage_positions(blocks: int, stages: int) -> tuple[int, ...]:
    """Evenly spaced positions 1 to `blocks`, with the last and the one that has half of the blocks.

    Example:
        >>> stage_positions(20, 8)
        (1, 4, 6, 10, 12, 15, 17, 20)
        >>> stage_positions(3, 8)
        (1, 2, 3)
    """
    if stages >= blocks:
        return tuple(range(1, blocks + 1))
    half = ceil(blocks / 2)
    if stages == 1:
        return (blocks,)
    chosen = {round(1 + i * (blocks - 1) / (stages - 1)) for i in range(stages)}
    if half not in chosen and stages > 2:
        nearest = min(chosen - {1, blocks}, key=lambda p: (abs(p - half), p))
        chosen = chosen - {nearest} | {half}
    elif half not in chosen:
        chosen = {half, blocks}
    return tuple(sorted(chosen))


def seconds_of(text: str | float | None) -> float | None:
    """A budget in seconds from "90s", "10m", "2h", a number of seconds, or "full" (None: no limit).

    Example:
        >>> seconds_of("10m"), seconds_of("full")
        (600.0, None)
    """
    if text is None or text == "full":
        return None
    if isinstance(text, (int, float)):
        return float(text)
    found = re.fullmatch(r"\s*([0-9]+\.?[0-9]*)\s*([smh]?)\s*", text)
    if not found:
        raise InputError(f"budget {text!r}; expected something like 90s, 10m, 2h, or full")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
