"""How two maps are scaled before a similarity that sees their scale (SSIM), or what an outlier does to it (HOG)."""

from __future__ import annotations

from math import floor

import torch
from torch import Tensor

from ..errors import InputError
from .maps import row_sums, usable

NORMALISATIONS = ("minmax", "percentile", "second_moment")
PERCENTILE = 0.99


def check_normalise(call: str, normalise: object) -> None:
    """Raise where `normalise` is none of `NORMALISATIONS`."""
    if normalise not in NORMALISATIONS:
        raise InputError(f"{call} got normalise={normalise!r}; expected one of {', '.join(NORMALISATIONS)}")


def without_outliers(maps: Tensor, normalise: str) -> tuple[Tensor, Tensor]:
    """Maps, each clipped where `normalise` asks for it, and which of them can be compared. ``(B, ...), (B,)``."""
    valid = usable(maps)  # of the raw maps: a clip turns infinity into a number
    if normalise == "percentile":
        maps = clipped(maps)
        valid &= usable(maps)
    return maps, valid


def clipped(maps: Tensor) -> Tensor:
    """``m`` held within plus and minus the 99th percentile of ``|m|``, sample by sample. ``(B, ...)``, float64.

    The percentile is linear between two neighbours, as in `numpy.percentile`. A map that is zero in over 99 % of its
    values becomes zero.
    """
    size = maps[0].numel()
    place = PERCENTILE * (size - 1)
    top = maps.flatten(1).abs().topk(size - floor(place), dim=1).values.double()
    low, high = top[:, -1], top[:, max(len(top[0]) - 2, 0)]
    level = (low + (high - low) * (place - floor(place))).view(-1, *[1] * (maps.dim() - 1))
    return maps.double().clamp(-level, level)


def scaled(maps: Tensor, normalise: str, data_range: float) -> tuple[Tensor, Tensor, Tensor]:
    """Maps as SSIM compares them, ``(B, C, H, W)`` float64, and both ends of the range they stand for, ``(B, 1, 1, 1)``.

    "second_moment" has no fixed range: the ends are those of the map.
    """
    maps = maps.double()
    low, high = _ends(maps)
    if normalise != "second_moment":
        # to [0, 1] over all pixels and channels
        return (maps - low) / (high - low), torch.zeros_like(low), torch.full_like(high, data_range)
    maps = _second_moment(maps, torch.maximum(-low, high))
    return maps, *_ends(maps)


def _ends(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Least and largest value of each map over all pixels and channels. ``(B, 1, 1, 1)`` each."""
    return maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)


def _second_moment(maps: Tensor, largest: Tensor) -> Tensor:
    """Divided by the square root of the mean square over all pixels and channels of a sample, float64."""
    maps = maps / largest  # squares of very small values would vanish
    mean = row_sums(maps.square()) / maps[0].numel()
    return maps / mean.sqrt().view(-1, 1, 1, 1)
