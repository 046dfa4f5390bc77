"""Ranks of pixels: exact counts, complements, ties, what changes nothing; each against a slow loop."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import heatproof as hp
from heatproof.engine.chunks import generator
from heatproof.errors import InputError
from heatproof.faithfulness.masking import tie_order
from heatproof.faithfulness.ranks import RANKS, gone, pixel_values, ranks, removed, tied_share
from heatproof.perturb import blurred

SIDES = (5, 7)
PIXELS = 35


def drawn(levels: int, seed: int, batch: int = 3) -> Tensor:
    """Maps of a few values, so that there are ties."""
    return torch.randint(
        -levels, levels + 1, (batch, 2, *SIDES), generator=torch.Generator().manual_seed(seed)
    ).double()


def slow_ranks(maps: Tensor, rank: str, ties: list[int]) -> np.ndarray:
    """Sorting pixels one image at a time by (value, place among the ties)."""
    value = {"abs": lambda v: np.abs(v).sum(0), "signed": lambda v: v.sum(0), "positive": lambda v: v.clip(0).sum(0)}
    out = np.empty((len(maps), PIXELS), dtype=int)
    for number, image in enumerate(maps.numpy()):
        flat = value[rank](image).ravel()
        for place, pixel in enumerate(sorted(range(PIXELS), key=lambda p: (-flat[p], ties.index(p)))):
            out[number, pixel] = place
    return out.reshape(len(maps), *SIDES)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.integers(0, 9), st.sampled_from(RANKS))
def test_equal_a_slow_sort(levels: int, seed: int, rank: str) -> None:
    maps = drawn(levels, seed)
    ties = torch.randperm(PIXELS, generator=generator("ties", seed)).tolist()
    assert (ranks(maps, rank, seed).numpy() == slow_ranks(maps, rank, ties)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 20), st.integers(0, 4), st.integers(0, 9), st.sampled_from(["abs", "signed"]))
def test_same_order_as_mask_pixels(twentieth: int, levels: int, seed: int, rank: str) -> None:
    maps, p = drawn(levels, seed), twentieth / 20
    masked = hp.mask_pixels(torch.ones(3, 1, *SIDES), maps, p, rank=rank, seed=seed)
    assert torch.equal(removed(ranks(maps, rank, seed), p), masked == 0)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.integers(0, 4), st.integers(0, 9))
def test_roar_and_kar_are_complementary_and_exact(p: float, levels: int, seed: int) -> None:
    found = ranks(drawn(levels, seed), seed=seed, index=torch.arange(3))
    lost, kept = removed(found, p, "roar"), removed(found, p, "kar")
    assert (lost ^ kept).all()
    assert (lost.flatten(1).sum(1) == round(round(p * PIXELS, 6))).all()


def test_fractions_that_are_no_binary_numbers_count_as_written() -> None:
    found = ranks(torch.rand(1, 1, 5, 10))
    assert [int(removed(found, k / 10).sum()) for k in range(11)] == [5 * k for k in range(11)]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_constant_maps_lose_exact_counts_and_each_image_its_own_pixels(p: float) -> None:
    lost = removed(ranks(torch.zeros(40, 1, *SIDES), index=torch.arange(40)), p).flatten(1)
    assert (lost.sum(1) == round(round(p * PIXELS, 6))).all()
    share = lost.double().mean(0)  # of each pixel: as by chance, no pixel always or never
    assert ((share - p).abs() < 5 * (p * (1 - p) / 40) ** 0.5).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(-8, 8), st.integers(0, 4), st.integers(0, 9), st.sampled_from(RANKS))
def test_positive_rescaling_changes_nothing_and_an_offset_nothing_of_signed_ranks(
    power: int, levels: int, seed: int, rank: str
) -> None:
    maps = drawn(levels, seed)
    assert torch.equal(ranks(maps * 2.0**power, rank, seed), ranks(maps, rank, seed))
    assert torch.equal(ranks(maps + 7, "signed", seed), ranks(maps, "signed", seed))


def test_an_image_has_its_ranks_whatever_batch_it_comes_in() -> None:
    maps = drawn(1, 4, batch=6)
    whole = ranks(maps, index=torch.arange(6))
    assert torch.equal(ranks(maps[[4, 1]], index=torch.tensor([4, 1])), whole[[4, 1]])
    assert not torch.equal(ranks(maps, index=torch.arange(6) + 6), whole)


def test_types_hold_every_rank() -> None:
    assert ranks(torch.rand(1, 1, 181, 181)).dtype is torch.int16
    large = ranks(torch.rand(1, 1, 182, 182))
    assert large.dtype is torch.int32
    assert torch.equal(large.flatten().sort().values, torch.arange(182 * 182, dtype=torch.int32))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30), st.integers(0, 9), st.sampled_from(RANKS))
def test_tied_share_counts_pixels_whose_value_occurs_again(levels: int, seed: int, rank: str) -> None:
    maps = drawn(levels, seed)
    flat = pixel_values(maps, rank).flatten(1).tolist()
    expected = [sum(values.count(v) > 1 for v in values) / PIXELS for values in flat]
    assert tied_share(maps, rank).tolist() == pytest.approx(expected, abs=1e-7)


def test_a_sparse_map_is_mostly_ties() -> None:
    maps = torch.zeros(1, 1, 10, 10)
    maps[0, 0, 0, :2] = torch.tensor([1.0, 2.0])
    assert tied_share(maps).item() == pytest.approx(0.98)


def test_bad_input_is_named() -> None:
    for call, said in (
        (lambda: ranks(torch.ones(2, 3)), "expected .B, C, H, W."),
        (lambda: ranks(torch.ones(1, 1, 2, 2), "top"), "one of abs, signed, positive"),
        (lambda: ranks(torch.full((1, 1, 2, 2), torch.nan)), "NaN"),
        (lambda: removed(torch.zeros(1, 2, 2), 1.5), "0 to 1"),
        (lambda: removed(torch.zeros(1, 2, 2), 0.5, "both"), "'roar' or 'kar'"),
    ):
        with pytest.raises(InputError, match=said):
            call()


def test_orders_of_ties_can_be_drawn_once_for_several_maps() -> None:
    maps, index = drawn(1, 4, batch=6), torch.arange(6) + 3
    orders = tie_order(PIXELS, 5, index, 6)
    for rank in RANKS:
        assert torch.equal(ranks(maps, rank, ties=orders), ranks(maps, rank, 5, index))


def test_counts_of_several_networks_in_one_comparison() -> None:
    found = ranks(torch.rand(6, 1, *SIDES)).reshape(2, 3, *SIDES)
    for direction in ("roar", "kar"):
        both = gone(found, torch.tensor([7, 24]).view(2, 1, 1, 1), direction)
        assert both.shape == (2, 3, 1, *SIDES)
        for k, p in enumerate((7 / 35, 24 / 35)):
            assert torch.equal(both[k], removed(found[k], p, direction))


def test_a_blurred_integer_map_is_not_rounded() -> None:
    whole = (torch.rand(2, 1, 9, 9, generator=torch.Generator().manual_seed(1)) > 0.5).long()
    assert torch.equal(blurred(whole, 1.5), blurred(whole.float(), 1.5))
