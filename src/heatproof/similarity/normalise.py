"""How two maps are scaled before a similarity that sees their scale (SSIM), or what an outlier does to it (HOG)."""

from __future__ import annotations

from math import floor

import torch
from torch import Tensor

from ..errors import InputError
from .maps import usable

NORMALISATIONS = ("minmax", "percentile", "second_moment")
PERCENTILE = 0.99


def check_normalise(call: str, normalise: object) -> None:
    """Raise where `normalise` is none of `NORMALISATIONS`."""
    if normalise not in NORMALISATIONS:
        raise InputError(f"{call} got normalise={normalise!r}; expected one of {', '.join(NORMALISATIONS)}")


def without_outliers(x: Tensor, y: Tensor, normalise: str) -> tuple[Tensor, Tensor, Tensor]:
    """Two stacks, each map clipped where `normalise` asks for it, and which pairs can be compared. ``(B, ...)``."""
    valid = usable(x, y)  # of the raw maps: a clip turns infinity into a number
    if normalise == "percentile":
        x, y = clipped(x), clipped(y)
        valid &= usable(x, y)
    return x, y, valid


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


def scaled(x: Tensor, y: Tensor, normalise: str, data_range: float) -> tuple[Tensor, Tensor, Tensor | float]:
    """Two stacks as SSIM compares them, and the data range that its constants assume. ``(B, C, H, W)`` each, float64.

    "second_moment" has no fixed range: it is that of the two maps of a pair together, ``(B, 1, 1, 1)``.
    """
    if normalise != "second_moment":
        return _minmax(x), _minmax(y), data_range
    x, y = _second_moment(x), _second_moment(y)
    high = torch.maximum(x.amax((1, 2, 3), keepdim=True), y.amax((1, 2, 3), keepdim=True))
    low = torch.minimum(x.amin((1, 2, 3), keepdim=True), y.amin((1, 2, 3), keepdim=True))
    return x, y, high - low


def _minmax(maps: Tensor) -> Tensor:
    """Scaled to [0, 1] over all pixels and channels of a sample, float64."""
    maps = maps.double()
    low, high = maps.amin((1, 2, 3), keepdim=True), maps.amax((1, 2, 3), keepdim=True)
    return (maps - low) / (high - low)


def _second_moment(maps: Tensor) -> Tensor:
    """Divided by the square root of the mean square over all pixels and channels of a sample, float64."""
    maps = maps.double()
    maps = maps / maps.abs().amax((1, 2, 3), keepdim=True)  # squares of very small values would vanish
    return maps / maps.square().mean((1, 2, 3), keepdim=True).sqrt()
