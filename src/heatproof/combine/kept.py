"""How much of a map a competition leaves."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from ..errors import InputError


class Kept(NamedTuple):
    """What survives, each ``(B,)`` float64 in [0, 1]; NaN where there was nothing to keep."""

    fraction: Tensor
    mass: Tensor


def kept(before: Tensor, after: Tensor) -> Kept:
    """Share of the nonzero values that survive, and of their L1 mass. ``(B, ...), (B, ...) -> (B,), (B,)``.

    Source: semantics of "almost blank" in arXiv:1905.12152, section 4: zeros before are not counted, or a picture on a
    black background would look full. Under random gradients of k classes the fraction is 2 (1 - 2^-k) / k.

    Args:
        before: maps, ``(B, C, H, W)``.
        after: the same maps after `compete`.

    Raises:
        InputError: different shapes.

    Example:
        >>> import torch
        >>> kept(torch.tensor([[2.0, -1.0, 0.0, 1.0]]), torch.tensor([[2.0, -1.0, 0.0, 0.0]]))
        Kept(fraction=tensor([0.6667], dtype=torch.float64), mass=tensor([0.7500], dtype=torch.float64))
    """
    if before.shape != after.shape or before.dim() < 2:
        raise InputError(
            f"kept(before {tuple(before.shape)}, after {tuple(after.shape)}): expected two stacks of maps of one shape, "
            "(B, ...)"
        )
    mass = before.double().flatten(1).abs()
    survives = (mass > 0) & (after.flatten(1) != 0)
    fraction = survives.sum(1) / (mass > 0).sum(1).double()
    return Kept(fraction, (mass * survives).sum(1) / mass.sum(1))
