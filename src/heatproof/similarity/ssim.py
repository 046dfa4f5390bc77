"""Structural similarity of maps (Wang et al. 2004), with the settings of the Sanity Checks paper and of its code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import exp
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from .comparison import Comparison
from .maps import Pixels, check_pair, or_nan, row_sums
from .normalise import check_normalise, scaled, without_outliers


@dataclass(frozen=True)
class Preset:
    """Settings of one SSIM.

    Attributes:
        window: weights of the window along one axis; they sum to 1.
        data_range: the range that the two stabilising constants assume of maps in [0, 1].
        channels: compare channel by channel and average, instead of comparing channel sums.
    """

    window: tuple[float, ...]
    data_range: float
    channels: bool


def _gaussian(radius: int, sigma: float) -> tuple[float, ...]:
    weights = [exp(-0.5 * (i / sigma) ** 2) for i in range(-radius, radius + 1)]
    return tuple(w / sum(weights) for w in weights)


PRESETS = {
    "paper": Preset((0.2,) * 5, data_range=1.0, channels=False),
    "code": Preset(_gaussian(5, 1.5), data_range=2.0, channels=True),
}


def ssim(a: Tensor, b: Tensor, preset: str = "paper", normalise: str = "minmax") -> Tensor:
    """Mean structural similarity of two stacks of maps, each on a scale of its own. ``(B, C, H, W) -> (B,)``.

    Source: Wang et al. 2004 as `skimage.metrics.structural_similarity` computes it, K1 = .01, K2 = .03, sample
    covariance, mean over the windows that lie fully inside. Deviations: none. It mostly measures sparsity (two unrelated
    maps with 2 % nonzero pixels at 224 px reach .54): read it beside its null floor.

    Args:
        a: maps, raw and signed, in any unit.
        b: maps to compare with; C may be 1 in one of the two.
        preset: ``"paper"`` (arXiv:1810.03292, section 4): signed channel sums scaled by their own minimum and maximum,
            uniform 5 x 5 window, data range 1. ``"code"`` (the authors' notebooks, scikit-image 0.15): minimum and
            maximum over all channels together, Gaussian 11 x 11 window with sigma 1.5, data range 2, mean over channels;
            with one channel against several, channel sums.
        normalise: scale of each map by itself. ``"minmax"`` (paper and code): to [0, 1]; one outlier sets it: the same
            one in two unrelated maps moves their SSIM from about 0 to .97. ``"percentile"``: ``m`` clipped at plus and
            minus the 99th percentile of ``|m|`` first, which undoes that. ``"second_moment"`` (Binder et al. 2023):
            divided by the square root of the mean square, zero stays zero; the data range is then that of the two maps
            of a pair together, whatever the preset.

    Returns:
        float64 in [-1, 1]; exactly 1 for equal maps; NaN where either map is constant or not finite, with "percentile"
        also where the clip leaves it constant (zero in over 99 % of the pixels).

    Raises:
        InputError: two stacks that cannot be compared, maps smaller than the window, or an unknown preset or normalisation.

    Example:
        >>> import torch
        >>> maps = torch.arange(64.0).reshape(1, 1, 8, 8)
        >>> ssim(maps, 3 * maps + 1).round(decimals=12)
        tensor([1.], dtype=torch.float64)
    """
    return ssim_comparison(preset, normalise).of_maps(*check_pair(a, b, "ssim"))


def ssim_comparison(preset: str = "paper", normalise: str = "minmax") -> Comparison[Scaled]:
    """`ssim` in two halves.

    Raises:
        InputError: an unknown preset or normalisation.
    """
    if preset not in PRESETS:
        raise InputError(f"ssim got preset={preset!r}; expected one of {', '.join(PRESETS)}")
    check_normalise("ssim", normalise)
    chosen = PRESETS[preset]
    return Comparison(
        partial(_scaled, name=preset, preset=chosen, normalise=normalise), partial(_mean_ssim, window=chosen.window)
    )


class Scaled(NamedTuple):
    """Maps on their own scale, ``(B, C, H, W)`` float64, and the range that they stand for, ``(B, 1, 1, 1)`` each.

    The window means are left to each pair: kept, they would take three times the room of the maps.
    """

    maps: Tensor
    low: Tensor
    high: Tensor
    valid: Tensor


def _scaled(pixels: Pixels, name: str, preset: Preset, normalise: str) -> Scaled:
    maps = pixels.channels if preset.channels and pixels.apart else pixels.signed[:, None]
    if min(maps.shape[2:]) < (least := len(preset.window)):
        raise InputError(
            f"ssim(preset={name!r}) got maps of {maps.shape[2]} x {maps.shape[3]} pixels, smaller than its window of "
            f"{least} x {least}; leave SSIM out (metrics=) or compare larger maps"
        )
    maps, valid = without_outliers(maps, normalise)
    return Scaled(*scaled(maps, normalise, preset.data_range), valid)


def _mean_ssim(a: Scaled, b: Scaled, window: tuple[float, ...]) -> Tensor:
    """``(B,)``. Products are written so that equal maps give fractions of equal numbers."""
    x, y = a.maps, b.maps
    mean_x, mean_y, cross, power = (_blur(m, window) for m in (x, y, x * y, x * x + y * y))
    taps = len(window) ** 2
    sample = taps / (taps - 1)
    data_range = torch.maximum(a.high, b.high) - torch.minimum(a.low, b.low)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    product, squares = mean_x * mean_y, mean_x * mean_x + mean_y * mean_y
    covariance = cross.sub_(product).mul_(2 * sample).add_(c2)
    variances = power.sub_(squares).mul_(sample).add_(c2)
    likeness = covariance.div_(variances).mul_(product.mul_(2).add_(c1)).div_(squares.add_(c1))
    return or_nan(row_sums(likeness) / likeness[0].numel(), a.valid & b.valid)


def _blur(maps: Tensor, window: tuple[float, ...]) -> Tensor:
    """Weighted mean over the windows that lie fully inside, one axis after the other. ``(..., H, W)`` -> smaller."""
    for axis in (-2, -1):
        size = maps.shape[axis] - len(window) + 1
        out = maps.narrow(axis, 0, size) * window[0]
        for place, weight in enumerate(window[1:], start=1):
            out.add_(maps.narrow(axis, place, size), alpha=weight)
        maps = out
    return maps
