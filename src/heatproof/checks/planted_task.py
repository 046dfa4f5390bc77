"""A task with planted evidence: two patches, of which a network reads one, so that it is known where a map must be."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..engine.chunks import generator, whole_seed
from ..errors import InputError

PERIOD = 4.0
"""Pixels from stripe to stripe."""
CONTRAST, TEXTURE, GRAIN = 0.25, 0.12, 0.05
"""Standard deviation of a pattern, of the smooth texture that lies under everything, and of the grain on top."""


@dataclass(frozen=True)
class Planted:
    """Images with two planted patches.

    Attributes:
        pixels: ``(N, channels, size, size)`` float32 in [0, 1].
        first, second: class of the first and of the second patch, int64 ``(N,)``, independent of each other.
        masks_first, masks_second: where they lie, bool ``(N, 1, size, size)``; they never overlap.
    """

    pixels: Tensor
    first: Tensor
    second: Tensor
    masks_first: Tensor
    masks_second: Tensor


def planted_task(
    count: int, size: int = 32, channels: int = 1, classes: int = 4, patch: int = 8, seed: int = 0
) -> Planted:
    """Noise with two patches at random places, each of a class of its own. -> `Planted` of ``count`` images.

    The first patch shows stripes, whose direction is its class; the second shows four sectors, whose turn is its class.
    The two kinds share place, size, brightness and contrast: only their pattern tells them apart, so a network that is
    trained on the class of one kind has to look. All places of a pair that does not overlap are equally likely.

    Source: ours, after Yona & Greenfeld 2021 (arXiv:2110.14297): where one object is the only evidence, label
    randomisation is confounded with the task. Here evidence for one label lies beside evidence for the other.

    Args:
        count: image i depends on (seed, i) alone, not on how many there are.
        classes: of each kind; their patterns are 1 / classes of a half turn apart.
        patch: side of a patch in pixels.

    Raises:
        InputError: numbers that make no task: patches that do not fit, or are too small to tell their classes apart.
    """
    _check(count, size, channels, classes, patch)
    kinds = torch.stack([stripes(classes, patch), sectors(classes, patch)])
    images = [_image(generator("planted", whole_seed(seed), i), kinds, size, channels) for i in range(count)]
    pixels, labels, corners = (torch.stack(part) for part in zip(*images, strict=True))
    masks = _masks(corners, size, patch)
    return Planted(pixels, labels[:, 0], labels[:, 1], masks[:, :1], masks[:, 1:])


def stripes(classes: int, patch: int) -> Tensor:
    """Sine waves in `classes` directions over half a turn: ``(classes, patch, patch)``, mean 0, mean square 1."""
    y, x, angles = _grid(classes, patch)
    return _standard(torch.cos(2 * math.pi / PERIOD * (x * torch.cos(angles) + y * torch.sin(angles))))


def sectors(classes: int, patch: int) -> Tensor:
    """Two bright and two dark sectors, turned in `classes` steps over half a turn: as `stripes`."""
    y, x, angles = _grid(classes, patch)
    return _standard(torch.cos(2 * (torch.atan2(y, x) - angles)))


def _grid(classes: int, patch: int) -> tuple[Tensor, Tensor, Tensor]:
    places = torch.arange(patch) - (patch - 1) / 2
    angles = (torch.arange(classes) * math.pi / classes)[:, None, None]
    return places[:, None], places[None, :], angles


def _standard(patterns: Tensor) -> Tensor:
    centred = patterns - patterns.mean((1, 2), keepdim=True)
    return centred / centred.square().mean((1, 2), keepdim=True).sqrt()


def _image(g: torch.Generator, kinds: Tensor, size: int, channels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels, the two labels and the two corners ``(2, 2)`` of one image."""
    patch = kinds.shape[-1]
    labels = torch.randint(kinds.shape[1], (2,), generator=g)
    corners = torch.randint(size - patch + 1, (2, 2), generator=g)
    while int((corners[0] - corners[1]).abs().max()) < patch:
        corners = torch.randint(size - patch + 1, (2, 2), generator=g)
    smooth = avg_pool2d(torch.randn(1, 1, size + 2, size + 2, generator=g), 3, stride=1)[0] * 3
    pixels = 0.5 + TEXTURE * smooth + GRAIN * torch.randn(channels, size, size, generator=g)
    for kind, label, (top, left) in zip(kinds, labels, corners.tolist(), strict=True):
        pixels[:, top : top + patch, left : left + patch] += CONTRAST * kind[label]
    return pixels.clamp(0, 1), labels, corners


def _masks(corners: Tensor, size: int, patch: int) -> Tensor:
    """``(N, 2, 2) -> (N, 2, size, size)``."""
    from_corner = torch.arange(size) - corners[..., None]
    inside = (from_corner >= 0) & (from_corner < patch)
    return inside[:, :, 0, :, None] & inside[:, :, 1, None, :]


def _check(count: int, size: int, channels: int, classes: int, patch: int) -> None:
    if count < 1 or channels < 1 or not 2 <= classes <= 8 or patch < 6 or size < 2 * patch:
        raise InputError(
            f"planted_task(count={count}, size={size}, channels={channels}, classes={classes}, patch={patch}): expected at "
            "least one image and channel, 2 to 8 classes, a patch of at least 6 px, and a size of at least two patches"
        )
