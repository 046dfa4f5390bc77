"""What a similarity or a share of kept pixels comes to by chance alone, in closed form."""

from __future__ import annotations

from math import acos, inf, nan, pi, sqrt
from typing import TypeVar

import torch
from torch import Tensor

from ..errors import InputError

Real = TypeVar("Real", float, Tensor)


def absolute_spearman_null(pixels: int, nonzero: Real) -> Real:
    """Mean absolute Spearman of maps that share nothing but their zeros: ``3 z N / (3 z N + m^2 - 1)``. ``() or (B,)``.

    Source: derived in semantics.md, 0.5, for average ranks; exact in the mean for independent magnitudes without ties.
    Why gradient x input scores .99 on MNIST whatever the network (Adebayo et al. 2018, arXiv:1810.03292, figure 4).

    Args:
        pixels: N, values per map.
        nonzero: m, those that are not zero, at the same places in both maps; z = N - m.

    Returns:
        Correlation in [0, 1]: 0 without zeros; NaN where not one pixel is nonzero, so that a map has no order.

    Raises:
        InputError: fewer than two pixels, or m not in [0, N].

    Example:
        >>> round(absolute_spearman_null(784, 150), 5)
        0.98514
    """
    if isinstance(pixels, bool) or not isinstance(pixels, int) or pixels < 2:
        raise InputError(f"pixels={pixels!r}; expected a whole number of at least 2, the values per map")
    m = _within("nonzero", nonzero, 0, pixels)
    spread = 3 * (pixels - m) * pixels
    value = spread / (spread + m**2 - 1)  # semantics.md 0.5
    return _like(nonzero, value.clamp(max=1).masked_fill(m < 1 - 1e-9, nan))


def shared_zeros_null(pixels: int, share: Real) -> Real:
    """`absolute_spearman_null` from the measured share of pixels that are zero in both maps. ``() or (B,)``.

    Exact where the two maps have the same zeros; zeros of one map alone lower it (`sparse_spearman_null`).

    Args:
        pixels: N, values per map.
        share: z / N in [0, 1], as `heatproof.similarity.zero_share` measures it; NaN stays NaN.

    Returns:
        Correlation in [0, 1], NaN where all pixels are zero in both.

    Raises:
        InputError: fewer than two pixels, or a share outside [0, 1].

    Example:
        >>> round(shared_zeros_null(784, 634 / 784), 5)
        0.98514
    """
    return _like(share, absolute_spearman_null(pixels, pixels - pixels * _within("share", share, 0, 1)))


def sparse_spearman_null(q1: Real, q2: Real, support: Real) -> Real:
    """Absolute Spearman of two maps that each keep pixels of one support at random, as CGI's do. ``() or (B,)``.

    Source: derived in semantics.md, 0.6, for the limit of many pixels; deviations: its variances also hold the ranks of
    the kept pixels (``r^2 / 3``), without which maps that keep everything would not give `absolute_spearman_null`.

    Args:
        q1: share of the support that the first map keeps, (0, 1].
        q2: the same of the second map.
        support: share p of the pixels where a map can be nonzero.

    Returns:
        Correlation in [0, 1]; NaN where a map keeps nothing.

    Raises:
        InputError: a share outside [0, 1].

    Example:
        >>> round(sparse_spearman_null(0.4, 0.2, 0.19), 3)
        0.243
    """
    first, second, p = (_within(n, v, 0, 1) for n, v in (("q1", q1), ("q2", q2), ("support", support)))
    variances = [1 - r + r**2 / 3 for r in (p * first, p * second)]
    value = (first * second).sqrt() * (1 - p) / (variances[0] * variances[1]).sqrt()  # semantics.md 0.6
    empty = (first == 0) | (second == 0) | (p == 0)
    given = next((v for v in (q1, q2, support) if isinstance(v, Tensor)), q1)
    return _like(given, value.masked_fill(empty, nan))


def survival(classes: int) -> float:
    """Share of pixels that the competition of CGI keeps where all logits' gradients are random: ``2 (1 - 2^-k) / k``.

    Source: semantics.md, 0.3, for independent symmetric gradients and a fixed class; deviations: Gupta and Arora 2019,
    arXiv:1905.12152, section 3.1, has 1/k, which forgets that a negative score wins by being the minimum.

    Args:
        classes: k, the logits that compete.

    Returns:
        Share in (0, 1].

    Raises:
        InputError: k not a whole number of at least 1.

    Example:
        >>> round(survival(10), 5)
        0.1998
    """
    if isinstance(classes, bool) or not isinstance(classes, int) or classes < 1:
        raise InputError(f"classes={classes!r}; expected a whole number of at least 1")
    return 2 * (1 - 2.0**-classes) / classes  # semantics.md 0.3


def correlated_kept(rho: float) -> float:
    """Share of the pixels that competition between two logits keeps, their gradients correlated by rho: 2/3 at 1/2.

    Source: semantics.md, 0.4 (with ``arctan sqrt((1 - rho) / (1 + rho)) = arccos(rho) / 2``); deviations: none.

    Raises:
        InputError: rho not in [-1, 1].

    Example:
        >>> correlated_kept(0.0)
        0.75
    """
    if not -1 <= rho <= 1:
        raise InputError(f"rho={rho!r}; expected a correlation in [-1, 1]")
    return 0.5 + acos(rho) / (2 * pi)  # semantics.md 0.4


def correlated_share(rho: float, t: float = inf) -> float:
    """Share of the logit that survives this competition, c(rho), where the class is chosen for its logit.

    Source: Gupta and Arora 2019, arXiv:1905.12152, section 3.1 and figures 11 and 12 (their c_1 = c(1/2), c_2 = c(0));
    closed form of semantics.md, 0.4; deviations: none.

    Args:
        rho: correlation of the two logits' gradients.
        t: delta sqrt(n), the logit's bound in standard deviations: for finite n the mean logit over its bound is h(t) / t,
            with h the hazard of the normal distribution (1.0098 at t = 10); infinity leaves it out.

    Returns:
        Share of delta, .804499 at rho = 1/2, .909155 at 0.

    Raises:
        InputError: rho not in [-1, 1], or t not above 0.

    Example:
        >>> round(correlated_share(0.5), 6), round(correlated_share(0.0), 6)
        (0.804499, 0.909155)
    """
    if not t > 0:
        raise InputError(f"t={t!r}; expected a number above 0: delta times the square root of n")
    share = correlated_kept(rho) + sqrt(1 - rho**2) / (2 * pi)  # semantics.md 0.4: kappa / (pi (1 + kappa^2))
    return share if t == inf else share * _hazard(t) / t


def _hazard(t: float) -> float:
    """``phi(t) / (1 - Phi(t))`` of the standard normal distribution, without the underflow of either."""
    scaled = float(torch.special.erfcx(torch.tensor(t / sqrt(2), dtype=torch.float64)))
    return sqrt(2 / pi) / scaled


def _within(name: str, given: float | Tensor, low: float, high: float) -> Tensor:
    """The numbers in float64; NaN stands for a map that has none."""
    value = torch.as_tensor(given, dtype=torch.float64)
    if ((value < low) | (value > high)).any():
        raise InputError(f"{name}={given!r}; expected numbers from {low} to {high}")
    return value


def _like(given: Real, value: Tensor) -> Real:
    if isinstance(given, Tensor):
        return value
    return float(value)
