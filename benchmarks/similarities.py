"""Similarities of maps beside scipy and scikit-image, one pair after the other as their users must."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from heatproof.similarity import hog_similarity, spearman, ssim

from .networks import DEVICE
from .row import Pair, Row, require

MAPS, SIDE, FEW = 64, 224, 4
NAMES = ("Spearman", "SSIM", "HOG")


def _stacks() -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(0)
    a, b = (torch.randn(MAPS, 1, SIDE, SIDE, generator=noise) for _ in range(2))
    return a.to(DEVICE), (a + b).to(DEVICE)


def _ours(a: Tensor, b: Tensor) -> NDArray[Any]:
    return torch.stack([spearman(a, b), ssim(a, b), hog_similarity(a, b)], 1).cpu().numpy()


def _theirs(a: Tensor, b: Tensor) -> NDArray[Any]:
    """With the settings of the Sanity Checks paper, as ours: maps of their own scale, windows of 5, cells of 16."""
    from scipy.stats import spearmanr
    from skimage.feature import hog
    from skimage.metrics import structural_similarity

    rows = []
    for x, y in zip(a.cpu().numpy()[:, 0], b.cpu().numpy()[:, 0], strict=True):
        u, v = ((m - m.min()) / (m.max() - m.min()) for m in (x, y))
        hx, hy = (hog(m, pixels_per_cell=(16, 16)) for m in (x / abs(x).max(), y / abs(y).max()))
        structure = structural_similarity(u, v, win_size=5, data_range=1.0)
        rows.append((spearmanr(x.ravel(), y.ravel()).statistic, structure, np.corrcoef(hx, hy)[0, 1]))
    return np.array(rows)


def _pair() -> Pair:
    a, b = _stacks()

    def check(mine: NDArray[Any], other: NDArray[Any]) -> str:
        """scikit-image computes in the type that it is given, ours in float64: beside float64 they are the same."""
        require(bool((np.abs(mine - other).max(0) < (1e-9, 1e-3, 1e-3)).all()), "float32")
        apart = np.abs(mine[:FEW] - _theirs(a[:FEW].double(), b[:FEW].double())).max(0)
        said = ", ".join(f"{name} {value:.0e} apart" for name, value in zip(NAMES, apart, strict=True))
        require(bool((apart < (1e-9, 1e-6, 1e-6)).all()), said)
        return said

    return Pair(lambda: _ours(a, b), lambda: _theirs(a, b), check)


ROWS = (
    Row("similarity", f"Spearman, SSIM and HOG of {MAPS} pairs of maps, {SIDE} px", "scipy and scikit-image", _pair,
        1 / 50 if DEVICE == "cuda" else 1 / 3, None, 1.0),
)  # fmt: skip
