"""Pixels removed by rank: exact counts, ties, complements; and the quick faithfulness score."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.faithfulness.quick import quick_faithfulness


def removed(maps: Tensor, fraction: float, which: str, **options: object) -> Tensor:
    ones = torch.ones(len(maps), 1, *maps.shape[2:])
    return hp.mask_pixels(ones, maps, fraction, which, **options) == 0  # type: ignore[arg-type]


@given(st.integers(0, 10), st.integers(1, 6), st.integers(0, 5))
def test_exact_counts_and_complements_whatever_the_ties(tenth: int, levels: int, seed: int) -> None:
    maps = torch.randint(levels, (3, 2, 5, 7), generator=torch.Generator().manual_seed(seed)).float()
    p = tenth / 10
    most, least = removed(maps, p, "most", seed=seed), removed(maps, 1 - p, "least", seed=seed)
    assert (most.flatten(1).sum(1) == round(p * 35)).all()
    assert (most ^ least).all(), "least at 1 - p and most at p are complementary"


def test_most_salient_go_first() -> None:
    maps = torch.tensor([[[[0.0, -5.0], [3.0, 1.0]]]])
    assert removed(maps, 0.25, "most").tolist() == [[[[False, True], [False, False]]]]
    assert removed(maps, 0.25, "most", rank="signed").tolist() == [[[[False, False], [True, False]]]]
    assert removed(maps, 0.25, "least").tolist() == [[[[True, False], [False, False]]]]


def test_linear_example_of_the_fullgrad_paper() -> None:
    """semantics.md, T-S2-9."""
    w, x = torch.tensor([1.0, -1, 2, 0.25]), torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2)
    for k, change in ((2, 1 / 3), (1, 1 / 6)):
        out = hp.mask_pixels(x, (w.view(2, 2) * x), k / 4, "least").flatten() @ w
        assert abs(out - 6) / 6 in (pytest.approx(change), pytest.approx(1 / 6 if k == 1 else change))


def test_ties_do_not_follow_the_order_of_pixels() -> None:
    gone = removed(torch.zeros(1, 1, 20, 20), 0.5, "most").flatten()
    assert 60 < gone[:200].sum() < 140


@pytest.mark.parametrize("fill", [0.5, torch.tensor([0.1, 0.2]), torch.full((2, 2, 4, 4), 7.0)])
def test_fills(fill: float | Tensor) -> None:
    images = torch.rand(2, 2, 4, 4)
    out = hp.mask_pixels(images, torch.rand(2, 1, 4, 4), 1.0, fill=fill)
    want = torch.as_tensor(fill)
    assert torch.equal(out, (want[:, None, None] if want.dim() == 1 else want).expand_as(images))


@pytest.mark.parametrize(
    "arguments",
    [
        {"fraction": 1.5}, {"which": "some"}, {"rank": "size"}, {"fill": torch.zeros(3)}, {"maps": torch.zeros(2, 1, 3, 3)},
        {"maps": torch.full((2, 1, 4, 4), float("nan"))},
    ],
)  # fmt: skip
def test_bad_arguments(arguments: dict[str, object]) -> None:
    options = {"maps": torch.rand(2, 1, 4, 4), "fraction": 0.5, **arguments}
    with pytest.raises(hp.InputError):
        hp.mask_pixels(torch.rand(2, 2, 4, 4), **options)  # type: ignore[arg-type]


class Patch(nn.Module):
    """Its class depends on four pixels only."""

    def forward(self, x: Tensor) -> Tensor:
        hot = x[:, 0, :2, :2].sum((1, 2))
        return torch.stack([hot, -hot], 1)


def test_quick_faithfulness_knows_right_from_wrong() -> None:
    images = 1 + torch.rand(5, 1, 10, 10, generator=torch.Generator().manual_seed(0))
    right = torch.zeros(1, 1, 10, 10)
    right[..., :2, :2] = 1
    methods = {
        "right": lambda model, inputs, target: right.expand_as(inputs),
        "wrong": lambda model, inputs, target: (1 - right).expand_as(inputs),
        "broken": lambda model, inputs, target: inputs[:, :, :3],
    }
    targets = torch.zeros(5, dtype=torch.int64)
    subject = Subject(Patch().eval(), images, targets, methods, (), hp.logit, (), images)
    rows = quick_faithfulness(subject, [0, 1, 2, 3, 4]).rows
    gain = {name: [r[6] for r in rows if r[0] == name] for name in methods}
    assert min(gain["right"]) > 0.2
    assert max(gain["wrong"]) < 0.05
    assert {r[7] for r in rows if r[0] == "broken"} == {"failed"}
    again = quick_faithfulness(replace(subject, chunk=3), [2, 3, 4]).rows
    assert [r[6] for r in again if r[0] == "right"] == pytest.approx(gain["right"][2:])
