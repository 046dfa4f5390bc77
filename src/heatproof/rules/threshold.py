"""Thresholds of RectGrad: a fixed number, or a percentile of each row of scores (arXiv:1902.04893, listing 1)."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isfinite
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError

PERCENTILES = ("linear", "nearest")


@dataclass(frozen=True)
class Threshold:
    """How tau is found: a fixed number, or the q-th percentile of a sample's scores in a layer."""

    q: float = 98.0
    tau: float | None = None
    percentile: str = "linear"

    def __post_init__(self) -> None:
        if not _is_number(self.q) or not 0 <= self.q <= 100:
            raise InputError(f"q={self.q!r}; expected a percentile from 0 to 100")
        if self.tau is not None and not _is_number(self.tau):
            raise InputError(f"tau={self.tau!r}; expected a finite number, or None to take the q-th percentile")
        if self.percentile not in PERCENTILES:
            raise InputError(f"percentile={self.percentile!r}; expected 'linear' (NumPy) or 'nearest' (TensorFlow)")

    def of(self, rows: Tensor) -> Tensor:
        """tau of each row of scores. ``(B, units) -> (B,)``."""
        if self.tau is not None:
            return torch.full_like(rows[:, 0], self.tau)
        last = rows.shape[1] - 1
        if self.percentile == "nearest":
            return _largest(rows, round(last * (1 - self.q / 100)) + 1).amin(1)
        place = last * (self.q / 100)
        top = _largest(rows, last - floor(place) + 1)
        return torch.lerp(top.amin(1), top.kthvalue(min(2, top.shape[1])).values, place - floor(place))


def _largest(rows: Tensor, count: int) -> Tensor:
    """The largest values of each row, in any order; torch.quantile is slower and stops at 2^24 values."""
    return rows.topk(count, dim=1, sorted=False).values


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
