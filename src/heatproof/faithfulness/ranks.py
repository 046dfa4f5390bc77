"""Ranks of pixels: what ROAR and KAR remove (semantics.md, 3.S3.17 to 19)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .masking import pixel_order, rounded, tie_order

RANKS = ("abs", "signed", "positive")
DIRECTIONS = ("roar", "kar")


def pixel_values(maps: Tensor, rank: str = "abs") -> Tensor:
    """What pixels are ranked by. ``(B, C, H, W) -> (B, H, W)``.

    Args:
        maps: raw and signed.
        rank: "abs" for sum_c |m|, "signed" for sum_c m, "positive" for sum_c max(m, 0).

    Raises:
        InputError: no stack of maps, NaN in it, or another rank.
    """
    if maps.dim() != 4 or rank not in RANKS:
        raise InputError(
            f"maps {tuple(maps.shape)}, rank={rank!r}; expected (B, C, H, W) and one of {', '.join(RANKS)}"
        )
    if maps.isnan().any():
        raise InputError("the maps hold NaN, which has no rank")
    if rank == "positive":
        maps = maps.clamp(min=0)
    return (maps.abs() if rank == "abs" else maps).sum(1)


def ranks(
    maps: Tensor, rank: str = "abs", seed: int = 0, index: Tensor | None = None, ties: Tensor | None = None
) -> Tensor:
    """Rank of each pixel, 0 = most salient. ``(B, C, H, W) -> (B, H, W)``, int16 (int32 beyond 32,767 pixels).

    Source: Hooker et al. 2019, arXiv:1806.10758, section 3; deviations: ties are broken by a seeded order instead of by
    chance or by noise added to the maps, so that counts are exact and rescaling changes nothing.

    Args:
        maps, rank: as in `pixel_values`.
        seed: of the order of ties.
        index: int64 ``(B,)``, places of the images in the data set: each has an order of ties of its own, without which a
            constant map would remove the same pixels from all images. None: the one order of `mask_pixels`.
        ties: from `masking.tie_order`, drawn once for several maps, instead of seed and index.

    Raises:
        InputError: as `pixel_values`.

    Example:
        >>> ranks(torch.tensor([[[[1.0, -4.0], [3.0, 2.0]]]]))
        tensor([[[3, 0],
                 [1, 2]]], dtype=torch.int16)
    """
    values = pixel_values(maps, rank).flatten(1)
    total = values.shape[1]
    ties = tie_order(total, seed, index, len(maps)) if ties is None else ties
    order = pixel_order(values, ties.to(values.device))
    places = torch.arange(total, dtype=torch.int16 if total <= 32_767 else torch.int32, device=values.device)
    found = torch.empty_like(order, dtype=places.dtype).scatter_(1, order, places.expand_as(order))
    return found.reshape(len(maps), *maps.shape[2:])


def removed(ranks: Tensor, fraction: float, direction: str = "roar") -> Tensor:
    """Which pixels ROAR or KAR replaces: bool ``(B, H, W) -> (B, 1, H, W)``.

    ROAR removes the round(fraction N) most salient of N pixels, KAR keeps them and removes all others.

    Args:
        ranks: from `ranks`.
        fraction: removed by "roar", kept by "kar"; 0 to 1.

    Raises:
        InputError: a fraction or direction that is none.
    """
    return gone(ranks, count_of(ranks[0].numel(), fraction, direction), direction)


def gone(ranks: Tensor, count: int | Tensor, direction: str) -> Tensor:
    """`removed` by the number of ranks that come first. ``(..., H, W) -> (..., 1, H, W)``; counts may broadcast."""
    return (ranks < count if direction == "roar" else ranks >= count).unsqueeze(-3)


def count_of(pixels: int, fraction: float, direction: str) -> int:
    """How many ranks come first: what ROAR removes and KAR keeps."""
    if direction not in DIRECTIONS or not 0 <= fraction <= 1:
        raise InputError(f"fraction={fraction}, direction={direction!r}; expected 0 to 1 and 'roar' or 'kar'")
    return rounded(fraction * pixels)


def tied_share(maps: Tensor, rank: str = "abs") -> Tensor:
    """Share of pixels with the value of another pixel, whose order is random. ``(B, C, H, W) -> (B,)``, 0 to 1.

    Example:
        >>> tied_share(torch.tensor([[[[0.0, 0.0], [0.0, 2.0]]]]))
        tensor([0.7500])
    """
    ordered = pixel_values(maps, rank).flatten(1).sort(dim=1).values
    same = ordered[:, 1:] == ordered[:, :-1]
    edge = same.new_zeros(len(same), 1)
    return (torch.cat([same, edge], 1) | torch.cat([edge, same], 1)).float().mean(1)
