"""Implicit biases in closed form: what a non-linearity gives beyond its derivative times its input."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import torch
from torch import Tensor

from ..errors import InputError


def _density(z: Tensor) -> Tensor:
    return torch.exp(-(z**2) / 2) / sqrt(2 * pi)


def _elu(z: Tensor) -> Tensor:
    low = z.clamp(max=0)
    return torch.expm1(low) - low * torch.exp(low)


def _silu(z: Tensor) -> Tensor:
    s = torch.sigmoid(z)
    return -(z**2) * s * (1 - s)


FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "ReLU": torch.zeros_like,
    "LeakyReLU": torch.zeros_like,
    "ReLU6": lambda z: 6.0 * (z >= 6).to(z.dtype),
    "Tanh": lambda z: torch.tanh(z) - z / torch.cosh(z) ** 2,
    "Sigmoid": lambda z: torch.sigmoid(z) * (1 - z * torch.sigmoid(-z)),
    "Softplus": lambda z: torch.nn.functional.softplus(z) - z * torch.sigmoid(z),
    "ELU": _elu,
    "GELU": lambda z: -(z**2) * _density(z),
    "SiLU": _silu,
}
"""By the name of PyTorch's module, at its default arguments."""


def implicit_bias(name: str, z: Tensor) -> Tensor:
    """b = sigma(z) - sigma'(z) z, value by value. ``(...) -> (...)``.

    Source: Srinivas & Fleuret 2019, arXiv:1905.00780, section 4 (implicit biases of generic non-linearities); the formulas
    are derived here. Deviations: none.

    Args:
        name: a non-linearity of `FORMULAS`.
        z: its input.

    Raises:
        InputError: an unknown non-linearity.

    Example:
        >>> implicit_bias("SiLU", torch.tensor([0.0, 2.0]))
        tensor([-0.0000, -0.4200])
    """
    if name not in FORMULAS:
        raise InputError(f"implicit_bias: there is no {name!r}; there are {', '.join(FORMULAS)}")
    return FORMULAS[name](z)
