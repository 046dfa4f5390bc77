"""Tokens put back where they came from: a transformer's ``(B, N, D)`` as channels on the image grid."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

PREFIX = 8
"""At most so many tokens that stand for no place in the image (class, distillation and register tokens)."""


def token_grid(tokens: int, sizes: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Height and width of the feature map that was cut into `tokens`, up to `PREFIX` tokens in front; None for no such map.

    Example:
        >>> token_grid(197, [(224, 224), (14, 14)])
        (14, 14)
    """
    fitting = [size for size in reversed(sizes) if 0 <= tokens - size[0] * size[1] <= PREFIX and min(size) > 1]
    return max(fitting, key=lambda size: size[0] * size[1], default=None)


def on_grid(value: Tensor, size: tuple[int, int]) -> Tensor:
    """``(..., N, D) -> (..., D, H, W)``; the tokens in front, which stand for no place, are left out."""
    places = value[..., value.shape[-2] - size[0] * size[1] :, :]
    return places.transpose(-1, -2).reshape(*value.shape[:-2], value.shape[-1], *size)
