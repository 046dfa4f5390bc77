"""Training-dataset occlusion (RectGrad paper, section 3.1): the same random patch on every image, of training and test."""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.chunks import generator
from ..errors import InputError

SIZE = 10
"""Side of the patch, pixels. Kim et al. 2019: 10 of 32."""
MARGIN = 2
"""Pixels at its right and lower edge that are left out of the measure: a 3x3 filter there also sees the image."""


def random_patch(channels: int, size: int = SIZE, seed: int = 0) -> Tensor:
    """Uniform noise in [0, 1], each channel for itself. ``(channels, size, size)``.

    Source: Kim et al. 2019, section 3.1; the authors' code draws whole numbers up to 254.
    """
    return torch.rand(channels, size, size, generator=generator("patch", seed))


def with_patch(images: Tensor, patch: Tensor) -> Tensor:
    """The images with their upper left corner replaced. ``(N, C, H, W), (C, s, s) -> (N, C, H, W)``, in the same units.

    Raises:
        InputError: the patch has other channels than the images, or is as large as they are.
    """
    channels, height, width = patch.shape
    if images.dim() != 4 or images.shape[1] != channels or height >= images.shape[2] or width >= images.shape[3]:
        raise InputError(
            f"with_patch got images {tuple(images.shape)} and a patch {tuple(patch.shape)}; expected (N, C, H, W) and a "
            "smaller patch of the same channels"
        )
    occluded = images.clone()
    occluded[:, :, :height, :width] = patch.to(images)
    return occluded
