"""Maps and masks as the measures of this folder take them: checked, float64, one row of pixels for each image."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError


def checked(maps: Tensor, call: str) -> Tensor:
    """Maps ``(B, C, H, W)`` in float64, detached; on the CPU where their device has no float64 (mps).

    Raises:
        InputError: not a real tensor of four dimensions with at least one pixel.
    """
    if not isinstance(maps, Tensor) or maps.dim() != 4 or maps.is_complex() or not maps[0:1].numel():
        got = f"{maps.dtype} {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(maps).__name__
        raise InputError(f"{call} got {got}; expected maps (B, C, H, W) of real numbers, at least one")
    return (maps.cpu() if maps.device.type == "mps" else maps).detach().double()


def magnitudes(maps: Tensor) -> Tensor:
    """``sum_c |m|`` of each pixel. ``(B, C, H, W) -> (B, N)``"""
    return maps.abs().sum(1).flatten(1)


def sums(maps: Tensor) -> Tensor:
    """``sum_c m`` of each pixel. ``(B, C, H, W) -> (B, N)``"""
    return maps.sum(1).flatten(1)


def mask_rows(masks: Tensor, maps: Tensor, call: str) -> Tensor:
    """Masks as rows of pixels on the device of the maps. ``(B, 1, H, W) bool -> (B, N)``

    Raises:
        InputError: not bool, or of another size than the maps.
    """
    wanted = (len(maps), 1, *maps.shape[2:])
    if not isinstance(masks, Tensor) or masks.dtype != torch.bool or masks.shape != wanted:
        got = f"{masks.dtype} {tuple(masks.shape)}" if isinstance(masks, Tensor) else type(masks).__name__
        raise InputError(
            f"{call} got masks {got} for maps {tuple(maps.shape)}; expected torch.bool {wanted}, True on the object"
        )
    return masks.to(maps.device).flatten(1)


def finite_only(values: Tensor, maps: Tensor) -> Tensor:
    """``values``, NaN for maps that are not finite. ``(B,), (B, C, H, W) -> (B,)``"""
    return values.masked_fill(~maps.isfinite().flatten(1).all(1), torch.nan)
