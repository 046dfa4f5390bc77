"""Example 1 of the FullGrad paper: a piecewise linear function whose integrated gradients change inside one piece."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def two_pieces(x: Tensor) -> Tensor:
    """x1 + 3 x2 where both are at most 1, 3 x1 + x2 where both are over 1, else 0. ``(B, 2) -> (B,)``.

    Source: Srinivas & Fleuret 2019, arXiv:1905.00780, example 1. It is continuous on the diagonal alone, and its first
    piece is closed, where definition 1 wants open ones.

    Args:
        x: points.

    Raises:
        InputError: points of another dimension.

    Example:
        >>> two_pieces(torch.tensor([[4.0, 4.0], [0.5, 0.5], [0.0, 2.0]]))
        tensor([16.,  2.,  0.])
    """
    if x.dim() != 2 or x.shape[1] != 2:
        raise InputError(f"two_pieces: points of shape {tuple(x.shape)}; expected (B, 2)")
    low, high = (x <= 1).all(1), (x > 1).all(1)
    first, second = x.unbind(1)
    return torch.where(low, first + 3 * second, torch.where(high, 3 * first + second, 0 * first))


def two_pieces_attribution(t: float) -> tuple[float, float]:
    """Integrated gradients of `two_pieces` at (t, t) from (0, 0): (3t - 2, t + 2), and (t, 3t) up to t = 1.

    Source: derived from the definition of integrated gradients in the same paper, section 3: the path is in the first
    piece for 1 / t of its length. Deviations: none.

    Args:
        t: both coordinates, not negative.

    Raises:
        InputError: a negative coordinate.

    Example:
        >>> [two_pieces_attribution(t) for t in (4.0, 2.0, 1.5)]  # as printed in example 1
        [(10.0, 6.0), (4.0, 4.0), (2.5, 3.5)]
    """
    if not t >= 0:
        raise InputError(f"t={t!r}; expected a number of at least 0")
    return (3 * t - 2, t + 2) if t > 1 else (t, 3 * t)
