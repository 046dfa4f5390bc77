"""What the four similarities say of two masks of pure noise (appendix B)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..lab import Lab
from ..types import Measured, Number
from .alike import TUPLE, compared

SIDE = 299


def masks(lab: Lab) -> Measured:
    """Uniform and normal masks, pairs of 299 x 299; no similarity sees their scale."""
    count = lab.pick(50, 200)
    noise = torch.Generator().manual_seed(51)
    draws: dict[str, Callable[[], Tensor]] = {
        "uniform": lambda: torch.rand(count, 1, SIDE, SIDE, generator=noise) * 2 - 1,
        "normal": lambda: torch.randn(count, 1, SIDE, SIDE, generator=noise),
    }
    pairs = {name: (draw(), draw()) for name, draw in draws.items()}
    numbers = {n: v for name, pair in pairs.items() for n, v in compared(name, *pair, TUPLE).items()}
    return Measured({**numbers, "pairs": Number(count)})
