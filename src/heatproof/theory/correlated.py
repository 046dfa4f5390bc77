"""Gradients of two logits that share half of the pixels, and an input that is correlated with the first of them."""

from __future__ import annotations

from math import erfc, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError

FARTHEST = 35.0
"""Standard deviations; beyond, a normal distribution's tail underflows."""


class Draw(NamedTuple):
    """Gradients of the chosen and of the other logit, and the input; float64 ``(n,)`` each."""

    chosen: Tensor
    other: Tensor
    x: Tensor


def correlated_draw(n: int, delta: float, rho: float, generator: torch.Generator) -> Draw:
    """One draw of the model in which competition keeps part of the logit.

    Source: Gupta and Arora 2019, arXiv:1905.12152, section 3.1: g_1 a unit vector in a random direction; x from
    N(0, 1/n)^n given g_1 . x >= delta; in the first half of the pixels g_2 correlates with g_1 by rho in each coordinate,
    in the other half it is independent. Deviations: g_2 has length 1 in the mean, not exactly.

    Args:
        n: pixels, an even number.
        delta: least inner product of gradient and input, at most 35 / sqrt(n).
        rho: correlation in the shared half, in [-1, 1].
        generator: of all randomness.

    Raises:
        InputError: an argument out of its range.

    Example:
        >>> draw = correlated_draw(10_000, 0.1, 0.5, torch.Generator().manual_seed(0))
        >>> round(float(draw.chosen @ draw.x), 1)
        0.1
    """
    if n < 2 or n % 2 or not -1 <= rho <= 1 or not delta * sqrt(n) <= FARTHEST:
        raise InputError(
            f"correlated_draw(n={n!r}, delta={delta!r}, rho={rho!r}): expected n even, delta up to {FARTHEST:g} / sqrt(n), "
            "and rho in [-1, 1]"
        )
    direction, fresh, noise = torch.randn(3, n, generator=generator, dtype=torch.float64)
    chosen = direction / direction.norm()
    other = fresh / sqrt(n)
    half = n // 2
    other[:half] = rho * chosen[:half] + sqrt(1 - rho**2) * other[:half]  # h_1 . h_2 = rho, section 3.1
    along = _beyond(delta * sqrt(n), generator) / sqrt(n)  # g_1 . x given g_1 . x >= delta
    noise = noise / sqrt(n)
    return Draw(chosen, other, noise + (along - chosen @ noise) * chosen)


def _beyond(t: float, generator: torch.Generator) -> float:
    """A draw of the standard normal distribution given that it is at least t, by inversion of its tail."""
    uniform = 1 - float(torch.rand(1, generator=generator, dtype=torch.float64))
    tail = uniform * erfc(t / sqrt(2)) / 2
    return -float(torch.special.ndtri(torch.tensor(tail, dtype=torch.float64)))
