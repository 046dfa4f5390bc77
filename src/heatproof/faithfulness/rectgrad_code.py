"""What the authors of RectGrad do to maps before they measure them (their utils.py and notebooks 3 and 7)."""

from __future__ import annotations

from functools import partial
from math import floor

import torch
from torch import Tensor

from ..combine.composed import Composed
from ..errors import InputError
from ..methods.rectgrad import rectgrad
from ..types import Explain

PREPROCESS = ("code", "rectgrad")
PREPROCESS_HELP = "'' measures maps as they are; 'code' thresholds them at the 95th percentile as the authors do"


def preprocessed(maps: Tensor, how: str | None) -> Tensor:
    """Maps as they are, or as the authors measure them. ``(B, C, H, W) -> (B, C, H, W) or (B, 1, H, W)``.

    Args:
        how: None leaves them; "code" is `percentile_cut` at (95, 100), for every method but RectGrad; "rectgrad" is the
            positive part of every value, summed over channels, for RectGrad.

    Raises:
        InputError: another word.
    """
    if how is None:
        return maps
    if how not in PREPROCESS:
        raise InputError(f"preprocess={how!r}; expected None, 'code' (the authors' baselines) or 'rectgrad' (theirs)")
    return percentile_cut(maps) if how == "code" else maps.clamp(min=0).sum(1, keepdim=True)


def percentile_cut(maps: Tensor, low: float = 95.0, high: float = 100.0) -> Tensor:
    """The authors' `preprocess`: low values of the channel sum go, all others stay. ``(B, C, H, W) -> (B, 1, H, W)``.

    With s = sum_c m and its percentiles a and b: s is clipped to [a, b], and what was under a becomes 0 where a > 0.
    Under a negative a, low values become a itself.

    Source: Kim et al. 2019, utils.py of the authors' repository; deviations: none (percentiles as `numpy.percentile`).

    Example:
        >>> percentile_cut(torch.arange(-4.0, 5).view(1, 1, 3, 3), 25, 75).flatten().tolist()
        [-2.0, -2.0, -2.0, -1.0, 0.0, 1.0, 2.0, 2.0, 2.0]
    """
    s = maps.sum(1, keepdim=True)
    ordered = s.flatten(1).sort(1).values
    a, b = _percentile(ordered, low), _percentile(ordered, high)
    return s.clamp(a, b).masked_fill((s < a) & (a > 0), 0.0)


def _percentile(ordered: Tensor, q: float) -> Tensor:
    """Linear between the two neighbours, of rows in ascending order. ``(B, N) -> (B, 1, 1, 1)``"""
    place = q / 100 * (ordered.shape[1] - 1)
    below, above = ordered[:, floor(place)], ordered[:, min(floor(place) + 1, ordered.shape[1] - 1)]
    return torch.lerp(below, above, place - floor(place))[:, None, None, None]


def way_of(explain: Explain, preprocess: str) -> str | None:
    """The `how` of a method in a bench whose option is "" or "code": RectGrad, however set, has its own."""
    if not preprocess:
        return None
    return "rectgrad" if is_rectgrad(explain) else preprocess


def check_preprocess(preprocess: str) -> None:
    """Raise where the option of a bench is neither "" nor "code"."""
    if preprocess not in ("", "code"):
        raise InputError(
            f"statistic={preprocess!r}; expected '' (maps as they are) or 'code' (as the authors' notebooks)"
        )


def is_rectgrad(explain: Explain) -> bool:
    """Whether a method is RectGrad, however set, or made of it."""
    if isinstance(explain, Composed):
        return any(map(is_rectgrad, explain.parts))
    return is_rectgrad(explain.func) if isinstance(explain, partial) else explain is rectgrad
