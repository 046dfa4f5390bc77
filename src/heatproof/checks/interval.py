"""Means over networks and images with 95 % intervals, whose units are networks, never pairs (docs/theory/checks.md)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import cos, nan, pi, sin, sqrt, tan
from typing import Any

import numpy as np

from ..errors import InputError

Array = np.ndarray[Any, Any]

FLOOR_LIMIT = 0.9
"""Above this mean floor there is no room left for an excess, and none is computed."""


@dataclass(frozen=True)
class Estimate:
    """A mean over networks (seeds) and images with its 95 % interval.

    Attributes:
        mean: over finite cells; NaN where there is none.
        lower: lower end; NaN where no interval can be given (one network and one image).
        upper: upper end.
        share: part of the cells that are finite, 0 to 1.
        conditional: the interval holds for this one network only ("conditional on this seed").
        networks: number of networks the interval rests on; for an excess the smaller of the two numbers.
        images: number of images with a finite cell.
        network_variance: share of the mean's variance that more networks would lower.
        image_variance: share of the mean's variance that more images would lower.
    """

    mean: float
    lower: float
    upper: float
    share: float
    conditional: bool
    networks: int
    images: int
    network_variance: float
    image_variance: float


def estimate(cells: Array) -> Estimate:
    """Mean of a table with ``mean +- t(.975, S - 1) sqrt(var(seed means) / S + var(image means) / I)``.

    Source: docs/theory/checks.md. For networks crossed with images it is wide on purpose: both variances hold the residual,
    and t of few networks multiplies the images' part too. Where images make most of the variance, the half width is up to
    ``t(.975, S - 1) / 1.96`` times what it need be: 2.2 times for 3 networks, 1.4 for 5.

    Args:
        cells: ``(S networks, I images)``; NaN = no value. Means are over finite cells.

    Returns:
        With one network the interval is over images only, with ``t(.975, I - 1)``, and `Estimate.conditional`; with one
        image it is over networks only.

    Raises:
        InputError: not a table of two dimensions with a cell.

    Example:
        >>> result = estimate(np.array([[0.1, 0.3], [0.2, 0.4]]))
        >>> round(result.mean, 3), round(result.lower, 3), round(result.upper, 3)
        (0.25, -1.171, 1.671)
    """
    cells = _table(cells, "estimate")
    finite = np.isfinite(cells)
    if not finite.any():
        return Estimate(nan, nan, nan, 0.0, False, 0, 0, nan, nan)
    by_network, by_image = _means(cells, axis=1), _means(cells, axis=0)
    parts = _variance_of_mean(by_network), _variance_of_mean(by_image)
    mean, share = float(cells[finite].mean()), float(finite.mean())
    return _with_interval(mean, share, len(by_network) == 1, len(by_network), len(by_image), *parts)


def excess(similarity: Array, floor: Array) -> Estimate:
    """What is left of a similarity above its null floor, ``E = (s - f) / (1 - f)``, a ratio of means.

    Source: docs/theory/checks.md. s and f are means over the finite cells of the images that have one in both tables.
    Interval by the delta method, with ``dE/ds = 1 / (1 - f)`` and ``dE/df = -(1 - E) / (1 - f)``; the networks of the two
    tables are drawn apart, the images are the same::

        var E = [var(seed means of s) / S + (1 - E)^2 var(null means of f) / R
                 + var over images of (s_i - (1 - E) f_i) / I] / (1 - f)^2

    and ``t(.975, min(S, R) - 1)``. A number of networks that is 1 has no variance: its term is left out, and
    `Estimate.conditional` says so.

    Args:
        similarity: ``(S networks, I images)``; NaN = no value.
        floor: ``(R random networks, I images)``, the same images.

    Returns:
        NaN where f is over .9, or where no image is defined in both; `Estimate.share` is that of ``similarity``.

    Raises:
        InputError: tables that do not fit.
    """
    similarity, floor = _table(similarity, "excess"), _table(floor, "excess")
    if similarity.shape[1] != floor.shape[1]:
        raise InputError(f"excess got {similarity.shape[1]} images and a floor of {floor.shape[1]}; expected the same")
    share = float(np.isfinite(similarity).mean())
    both = np.isfinite(similarity).any(0) & np.isfinite(floor).any(0)
    s_cells, f_cells = similarity[:, both], floor[:, both]
    s, f = (float(np.nanmean(c)) if both.any() else nan for c in (s_cells, f_cells))
    if not f <= FLOOR_LIMIT:
        return Estimate(nan, nan, nan, share, False, 0, 0, nan, nan)
    value = (s - f) / (1 - f)
    s_networks, f_networks = _means(s_cells, axis=1), (1 - value) * _means(f_cells, axis=1)
    images = _means(s_cells, axis=0) - (1 - value) * _means(f_cells, axis=0)
    scale = (1 - f) ** 2
    variances = [_variance_of_mean(s_networks) + _variance_of_mean(f_networks), _variance_of_mean(images)]
    counts = sorted([len(s_networks), len(f_networks)])
    networks = counts[0] if counts[0] > 1 else counts[1]
    return _with_interval(
        value, share, counts[0] == 1, networks, len(images), variances[0] / scale, variances[1] / scale
    )


def enough(estimate: Estimate, threshold: float) -> tuple[int | None, int | None]:
    """How many images, or how many networks, would probably put the whole interval on the mean's side of a threshold.

    Keeps the mean and the two variances, of which one falls as 1 / images and the other as 1 / networks, and takes the
    least number at which ``t sqrt(network part + image part) < |mean - threshold|``; t falls with the networks.

    Returns:
        Images at the present number of networks, networks at the present number of images; None where up to 100 times as
        many (at least 1000) would not do, or where the part is not known.
    """
    distance = abs(estimate.mean - threshold)
    return _least(estimate, distance, "images"), _least(estimate, distance, "networks")


def _least(estimate: Estimate, distance: float, axis: str) -> int | None:
    now = estimate.images if axis == "images" else estimate.networks
    if not distance > 0 or now < 2 or (axis == "networks" and estimate.conditional):
        return None
    low, high = now, max(100 * now, 1000)

    def decides(count: int) -> bool:
        images, networks = (count, estimate.networks) if axis == "images" else (estimate.images, count)
        variance = estimate.image_variance * estimate.images / images
        variance += estimate.network_variance * estimate.networks / networks
        return t_quantile(networks - 1 if networks > 1 else images - 1) * sqrt(variance) < distance

    if not decides(high):
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if decides(middle) else (middle + 1, high)
    return low


def _with_interval(
    mean: float, share: float, conditional: bool, networks: int, images: int, by_networks: float, by_images: float
) -> Estimate:
    freedom = networks - 1 if networks > 1 else images - 1
    half = t_quantile(freedom) * sqrt(by_networks + by_images) if freedom else nan
    return Estimate(mean, mean - half, mean + half, share, conditional, networks, images, by_networks, by_images)


def _table(cells: Array, call: str) -> Array:
    cells = np.asarray(cells, dtype=np.float64)
    if cells.ndim != 2 or not cells.size:
        raise InputError(f"{call} got cells of shape {cells.shape}; expected (networks, images), at least one of each")
    return cells


def _means(cells: Array, axis: int) -> Array:
    """Means over the finite cells of each row or column that has any."""
    finite = np.isfinite(cells)
    counts = finite.sum(axis)
    sums = np.where(finite, cells, 0.0).sum(axis)
    return np.asarray(sums[counts > 0] / counts[counts > 0])


def _variance_of_mean(values: Array) -> float:
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0


@lru_cache(maxsize=1024)
def t_quantile(freedom: int) -> float:
    """The .975 quantile of Student's t for a whole number of degrees of freedom: half the width of a 95 % interval.

    Bisection of ``P(|T| < sqrt(freedom) tan(angle))``, a finite sum (Abramowitz and Stegun 26.7.3, 26.7.4).
    """
    if freedom < 1:
        raise InputError(f"t_quantile got {freedom} degrees of freedom; expected at least 1")
    low, high = 0.0, pi / 2
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if _probability(middle, freedom) < 0.95 else (low, middle)
    return sqrt(freedom) * tan(middle)


def _probability(angle: float, freedom: int) -> float:
    """``P(|T| < sqrt(freedom) tan(angle))``."""
    odd, square = freedom % 2, cos(angle) ** 2
    term, total = (cos(angle) if odd else 1.0), 0.0
    for k in range(1 + odd, freedom, 2):
        total += term
        term *= square * k / (k + 1)
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
