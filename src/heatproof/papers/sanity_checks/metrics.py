"""The four similarities and the two views of section 2.2 beside slow versions of them, pixel by pixel."""

from __future__ import annotations

from itertools import product
from math import atan2, hypot, pi
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...plots.visualise import absolute, colour, diverging
from ...similarity import hog_similarity, spearman, ssim
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number

Array = np.ndarray[Any, Any]
SIDE, PAIRS = 48, 4
CELL, BLOCK, ORIENTATIONS = 16, 3, 9
SEEN = 24
"""Side of the maps for questions of scale and sign."""


def metrics(lab: Lab) -> Measured:
    """Largest difference of each similarity from its slow version, on signed maps with zeros and ties."""
    del lab
    a, b = pairs(SIDE, PAIRS)
    slow = [(x[0].numpy(), y[0].numpy()) for x, y in zip(a, b, strict=True)]
    gaps = {
        "spearman": (spearman(a, b), [slow_spearman(x, y) for x, y in slow]),
        "spearman_abs": (spearman(a, b, absolute=True), [slow_spearman(abs(x), abs(y)) for x, y in slow]),
        "ssim": (ssim(a, b), [slow_ssim(x, y) for x, y in slow]),
        "hog": (hog_similarity(a, b), [slow_hog(x, y) for x, y in slow]),
    }
    numbers = {n: Number(float((f - torch.tensor(s, dtype=torch.float64)).abs().max())) for n, (f, s) in gaps.items()}
    return Measured(numbers | signs() | ranges() | views())


def pairs(side: int, count: int) -> tuple[Tensor, Tensor]:
    """Signed maps that have something in common, values in steps of .25, and a corner of zeros. float64."""
    noise = torch.Generator().manual_seed(61)
    both, first, second = (torch.randn(count, 1, side, side, generator=noise, dtype=torch.float64) for _ in range(3))
    maps = [((both + part) * 4).round() / 4 for part in (first, second)]
    for m in maps:
        m[..., : side // 3, : side // 3] = 0
    return maps[0], maps[1]


def slow_ranks(values: Array) -> Array:
    """Average ranks by counting, for each value, those below it and those equal to it."""
    flat = values.ravel()
    return np.array([(flat < v).sum() + ((flat == v).sum() + 1) / 2 for v in flat])


def slow_pearson(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    return float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()))


def slow_spearman(x: Array, y: Array) -> float:
    return slow_pearson(slow_ranks(x), slow_ranks(y))


def slow_ssim(x: Array, y: Array, data_range: float = 1.0, window: int = 5) -> float:
    """Wang et al. 2004 with uniform windows and sample covariance, of maps stretched to [0, 1]."""
    x, y = ((m - m.min()) / (m.max() - m.min()) for m in (x, y))
    c1, c2, values = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2, []
    for i, j in product(range(len(x) - window + 1), repeat=2):
        a, b = (m[i : i + window, j : j + window].ravel() for m in (x, y))
        cov = np.cov(a, b)
        likeness = (2 * a.mean() * b.mean() + c1) * (2 * cov[0, 1] + c2)
        values.append(likeness / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (cov[0, 0] + cov[1, 1] + c2)))
    return float(np.mean(values))


def slow_hog(x: Array, y: Array) -> float:
    return slow_pearson(slow_histograms(x), slow_histograms(y))


def slow_histograms(x: Array) -> Array:
    """Dalal and Triggs 2005: 9 unsigned orientations, cells of 16 x 16, blocks of 3 x 3 cells, L2-Hys."""
    x, n = x / abs(x).max(), len(x) // CELL
    cells = np.zeros((n, n, ORIENTATIONS))
    for i, j in product(range(n * CELL), repeat=2):
        down = x[i + 1, j] - x[i - 1, j] if 0 < i < len(x) - 1 else 0.0
        right = x[i, j + 1] - x[i, j - 1] if 0 < j < len(x) - 1 else 0.0
        part = int(atan2(down, right) % pi / pi * ORIENTATIONS) % ORIENTATIONS
        cells[i // CELL, j // CELL, part] += hypot(down, right) / CELL**2
    found = []
    for i, j in product(range(n - BLOCK + 1), repeat=2):
        v = cells[i : i + BLOCK, j : j + BLOCK].ravel()
        v = np.minimum(v / np.sqrt((v * v).sum() + 1e-10), 0.2)
        found.append(v / np.sqrt((v * v).sum() + 1e-10))
    return np.concatenate(found)


def signs() -> dict[str, Number]:
    """What each similarity says of a map and its negative."""
    a, _ = pairs(SIDE, 16)
    found = {"spearman": spearman(a, -a), "spearman_abs": spearman(a, -a, absolute=True), "ssim": ssim(a, -a),
             "hog": hog_similarity(a, -a)}  # fmt: skip
    return {f"negative/{n}": over(v) for n, v in found.items()}


def ranges() -> dict[str, Number]:
    """SSIM of weakly structured maps in [0, 1], with their own range and with the code's range of 2."""
    noise = torch.Generator().manual_seed(62)
    found: dict[str, list[float]] = {"1": [], "2": []}
    for _ in range(8):
        x, y = (torch.randn(SEEN, SEEN, generator=noise, dtype=torch.float64).numpy() ** 3 for _ in range(2))
        for key, values in found.items():
            values.append(slow_ssim(x, y, float(key)))
    one, two = (np.array(v) for v in found.values())
    return {"range/1": over(one), "range/2": over(two), "range/more": over(two - one)}


def views() -> dict[str, Number]:
    """Whether magnitudes and colours show what they should, and where the code's diverging view puts zero."""
    m = pairs(SEEN, 1)[0].numpy()[0]
    size, signed, shades = absolute(m), diverging(m), colour(m, "diverging").astype(int)
    reddish = shades[..., 0] - shades[..., 2]
    rising = np.sort(abs(m[0]).ravel()), size.ravel()[np.argsort(abs(m[0]).ravel(), kind="stable")]
    parity = pair_diverging(np.array([-10, -3, -1, 0, 0.5, 1]))
    found = {
        "view/order": float((np.diff(rising[1]) >= 0).all()),
        "view/signs": float((np.sign(signed) == np.sign(m[0])).all()),
        "view/colours": float((np.sign(reddish) == np.sign(m[0])).all()),
        "view/zero": float(abs(signed[m[0] == 0]).max()),
        "pair/zero": float(parity[3]),
        "pair/tied": float(parity[0] == parity[1]),
    }
    return {n: Number(v) for n, v in found.items()}


def pair_diverging(values: Array) -> Array:
    """`VisualizeImageDiverging` of PAIR saliency 0.0.4."""
    span = abs(np.percentile(values, 99))
    return np.asarray(np.clip((values + span) / (2 * span), -1, 1))
