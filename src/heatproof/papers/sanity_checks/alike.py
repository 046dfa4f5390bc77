"""How maps are compared in the experiments on edges, products, untrained networks and noise."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from ...similarity import hog_similarity, spearman, ssim
from ..numbers import over
from ..types import Number

Alike = Callable[[Tensor, Tensor], Tensor]


def spearman_abs(a: Tensor, b: Tensor) -> Tensor:
    return spearman(a, b, absolute=True)


def magnitude(maps: Tensor) -> Tensor:
    """``(B, C, H, W) -> (B, 1, H, W)``."""
    return maps.abs().sum(1, keepdim=True)


def centred_ssim(a: Tensor, b: Tensor, window: int = 5) -> Tensor:
    """SSIM of signed maps in [-1, 1], as appendix B says: 5 x 5 windows, data range 2, zero stays zero. ``-> (B,)``.

    `similarity.ssim` moves maps to [0, 1], where their means agree: two maps of noise then score ten times as much.
    """
    x, y = (m.double().sum(1, keepdim=True) for m in (a, b))
    x, y = (m / m.abs().amax((1, 2, 3), keepdim=True) for m in (x, y))
    mean_x, mean_y, xx, yy, xy = (F.avg_pool2d(m, window, 1) for m in (x, y, x * x, y * y, x * y))
    sample, c1, c2 = window**2 / (window**2 - 1), 0.02**2, 0.06**2
    spread = sample * (xx - mean_x**2 + yy - mean_y**2) + c2
    both = sample * (xy - mean_x * mean_y) * 2 + c2
    return (both / spread * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)).flatten(1).mean(1)


TUPLE: Mapping[str, Alike] = {
    "spearman": spearman, "spearman_abs": spearman_abs, "hog": hog_similarity, "ssim": centred_ssim,
}  # fmt: skip
"""Appendix B's tuples: Spearman, its absolute form, HOG, SSIM."""
SIGNED: Mapping[str, Alike] = {"spearman": spearman, "spearman_abs": spearman_abs, "ssim": ssim, "hog": hog_similarity}
"""Of signed maps (section 2.2)."""
DRAWN: Mapping[str, Alike] = {"spearman": spearman, "ssim": ssim, "hog": hog_similarity}
"""Of magnitudes, as figures 1 and 37 draw maps."""


def compared(name: str, a: Tensor, b: Tensor, metrics: Mapping[str, Alike]) -> dict[str, Number]:
    """Means over images, as "NAME/METRIC"."""
    return {f"{name}/{metric}": over(alike(a, b)) for metric, alike in metrics.items()}


def rolled(maps: Tensor) -> Tensor:
    """To each image the map of the next one."""
    return torch.roll(maps, 1, 0)
