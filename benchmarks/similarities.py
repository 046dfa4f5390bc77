"""Similarities of maps beside scipy and scikit-image, one pair after the other as their users must."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from heatproof.similarity import hog_similarity, spearman, ssim

from .row import Pair, Row

MAPS, SIDE = 64, 224


def _stacks() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    a, b = (torch.randn(MAPS, 1, SIDE, SIDE, generator=noise) for _ in range(2))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return a.to(device), (a + b).to(device)


def _theirs(a: Tensor, b: Tensor) -> np.ndarray[Any, Any]:
    from scipy.stats import spearmanr
    from skimage.feature import hog
    from skimage.metrics import structural_similarity

    rows = []
    for x, y in zip(a.cpu().numpy()[:, 0], b.cpu().numpy()[:, 0], strict=True):
        u, v = (m / np.abs(m).max() for m in (x, y))
        hx, hy = (hog(m, pixels_per_cell=(16, 16)) for m in (u, v))
        rows.append((
            spearmanr(x.ravel(), y.ravel()).statistic,
            structural_similarity(u, v, win_size=5, data_range=1.0),
            np.corrcoef(hx, hy)[0, 1],
        ))  # fmt: skip
    return np.array(rows)


def _ours(a: Tensor, b: Tensor) -> np.ndarray[Any, Any]:
    return torch.stack([spearman(a, b), ssim(a, b), hog_similarity(a, b)], 1).cpu().numpy()


def _pair() -> Pair:
    a, b = _stacks()

    def check(mine: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> str:
        apart = np.abs(mine - other).max(0)
        assert apart[0] < 1e-9, f"Spearman {apart[0]:.1e} apart"
        return ", ".join(
            f"{name} {value:.0e} apart" for name, value in zip(("Spearman", "SSIM", "HOG"), apart, strict=True)
        )

    return Pair(lambda: _ours(a, b), lambda: _theirs(a, b), check)


ROWS = (
    Row("similarity", f"Spearman, SSIM and HOG of {MAPS} pairs of maps, {SIDE} px", "scipy and scikit-image",
        1 / 50 if torch.cuda.is_available() else 1 / 3, _pair),
)  # fmt: skip
