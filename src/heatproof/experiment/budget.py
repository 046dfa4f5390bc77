"""Fitting an audit into a budget: which stages, seeds, images, and steps of IG and SmoothGrad; by counted work alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil

from ..errors import InputError


@dataclass(frozen=True)
class Choice:
    """What is run: a cap on the effort option of methods (None: their own), and numbers of stages, seeds and images."""

    effort: int | None
    stages: int
    seeds: int
    images: int


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
    checks: int
    faithfulness_rows: float

    def variant(self, cap: int | None) -> float:
        """Seconds for one image under one variant, all methods."""
        rows = self.fixed_rows
        for own, per_unit in self.effort_rows.values():
            rows += per_unit * (own if cap is None else min(own, cap))
        return rows * self.row

    def seconds(self, choice: Choice) -> float:
        """Seconds for a whole audit."""
        shards = ceil(choice.images / self.chunk)
        stages = choice.seeds * choice.stages * self.checks
        variants = stages + choice.seeds * self.checks + self.nulls + 2
        compared = stages + 2 * self.nulls
        calibrated = stages + self.nulls
        shard = self.chunk * (variants * self.variant(choice.effort) + compared * self.metrics)
        return shards * (
            shard
            + calibrated * self.calibration_rows * self.row / 3
            + self.chunk * self.faithfulness_rows * self.row / 3
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
