"""Budgets: stages that are measured, the ladder, counted cost."""

from __future__ import annotations

from math import ceil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from heatproof.errors import InputError
from heatproof.experiment.budget import Choice, Costs, choose, ladder, seconds_of, stage_positions
from heatproof.experiment.cost import count

COSTS = Costs(
    row=0.05, fixed_rows=2, effort_rows={"ig": (50, 1.0)}, metrics=0.05, calibration_rows=32, chunk=8, nulls=5,
    checks=("cascading",), faithfulness_rows=40,
)  # fmt: skip
MOST = Choice(None, 20, 5, 32)


@given(blocks=st.integers(1, 60), stages=st.integers(1, 60))
def test_stage_positions(blocks: int, stages: int) -> None:
    found = stage_positions(blocks, stages)
    assert found == tuple(sorted(set(found)))
    assert found[-1] == blocks, "the last stage leaves nothing original"
    assert all(1 <= p <= blocks for p in found)
    assert len(found) <= max(stages, 1)
    if stages >= 2:
        assert ceil(blocks / 2) in found, "the stage that decides"


def test_ladder_only_falls() -> None:
    rungs = ladder(MOST)
    seconds = [COSTS.seconds(rung) for rung in rungs]
    assert seconds == sorted(seconds, reverse=True)
    assert all(rung.seeds >= 3 for rung in rungs)


def test_choice_fits_and_is_the_richest_that_does() -> None:
    for budget in (60, 300, 600, 3600):
        chosen = choose(COSTS, MOST, budget)
        rungs = ladder(MOST)
        place = rungs.index(chosen)
        assert COSTS.seconds(chosen) <= budget or chosen == rungs[-1]
        assert place == 0 or COSTS.seconds(rungs[place - 1]) > budget
    assert choose(COSTS, MOST, None) == MOST


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (30, 30), ("full", None), (None, None)]
)
def test_seconds(text: object, seconds: float | None) -> None:
    assert seconds_of(text) == seconds  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["soon", "", "10 minutes", "-5m", "m"])
def test_bad_budget(text: str) -> None:
    with pytest.raises(InputError, match="budget"):
        seconds_of(text)


def test_counted_work_of_a_convolution() -> None:
    work = count(nn.Conv2d(3, 4, 3, bias=False), torch.randn(2, 3, 10, 10))
    assert work.flops == 2 * (2 * 4 * 8 * 8) * (3 * 9)
    assert work.seconds("cpu", 1) > work.seconds("cpu", 4) > 0
