"""Handwritten digits pasted on photo crops: scenes whose true evidence is known pixel by pixel, without a download.

Both sources ship with scikit-learn: the 1797 digits of 8 x 8 pixels (UCI optdigits) and two photos. A digit is drawn in
an ink chosen against the background it covers, lighter or darker, so that its shape tells the class and brightness does
not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import HeatproofError, InputError

Split = Literal["train", "test"]
Array = np.ndarray[Any, Any]

SIZES = (32, 64)  # smaller, the digit cannot be read; larger, no crop fits into the test part at half scale
TEST_COLUMNS = slice(128, 256)  # of 640: crops for the test come from here, crops for training from both sides of it
TEST_EVERY = 5  # of each class, every fifth original belongs to the test
DRAWS = 15  # random numbers behind one scene
CHUNK = 256
INK = (0.2, 0.7)  # of the ink an 8 x 8 digit has at a point: where the stroke begins, and where it covers fully
OPAQUE = 0.5  # a pixel belongs to the mask where the stroke covers more than this
LUMA = torch.tensor([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Scenes:
    """A stack of scenes and what is true of them.

    Attributes:
        pixels: float32 ``(N, 3, size, size)`` in [0, 1].
        targets: int64 ``(N,)``, the digit 0 to 9.
        masks: bool ``(N, 1, size, size)``, the pixels of the stroke.
        boxes: int64 ``(N, 4)``, the stroke's box as top, left, bottom, right; bottom and right are excluded.
        origins: int64 ``(N,)``, which of the 1797 originals was drawn.
    """

    pixels: Tensor
    targets: Tensor
    masks: Tensor
    boxes: Tensor
    origins: Tensor


def digit_scenes(split: Split, count: int, seed: int, size: int = 48) -> Scenes:
    """Photo crops with one handwritten digit each, at a random place. ``(count, 3, size, size)`` in [0, 1].

    Train and test share neither an original digit nor a pixel of a photo. Scene i depends on the split, the seed, the
    size and i alone: a longer stack begins with the shorter one.

    Args:
        split: "train" (1442 originals) or "test" (355 originals).
        count: number of scenes, at least 1.
        seed: of a generator of its own; the global random state is neither read nor changed.
        size: side in pixels, 32 to 64; the digit is about half of it.

    Raises:
        InputError: an argument outside the above.
        HeatproofError: scikit-learn is not installed.

    Source: scikit-learn's ``load_digits`` and ``load_sample_images``; the composition is ours.
    """
    _check(split, count, seed, size)
    images, labels = _digits()
    pool = _originals(labels, split)
    crops = _regions(_photos(), split)
    draws = np.random.default_rng([int(split == "test"), seed]).random((count, DRAWS), dtype=np.float32)
    origins = pool[_pick(draws[:, 0], len(pool))]
    parts = [
        _scene(_backgrounds(crops, draws[rows], size), images[origins[rows]], torch.from_numpy(draws[rows]))
        for rows in _chunks(count)
    ]
    pixels, masks = (torch.cat(part) for part in zip(*parts, strict=True))
    targets = torch.from_numpy(labels[origins])
    return Scenes(pixels, targets, masks, _boxes(masks), torch.from_numpy(origins))


def _check(split: str, count: int, seed: int, size: int) -> None:
    if split not in ("train", "test") or count < 1 or seed < 0 or not SIZES[0] <= size <= SIZES[1]:
        raise InputError(
            f"digit_scenes(split={split!r}, count={count}, seed={seed}, size={size}): expected split 'train' or "
            f"'test', a count of at least 1, a seed of at least 0 and a size from {SIZES[0]} to {SIZES[1]}"
        )


def _sklearn_datasets() -> Any:
    try:
        from sklearn import datasets
    except ImportError as error:
        raise HeatproofError(
            "digit_scenes draws on the digits and photos of scikit-learn, which is not installed; "
            "run `pip install 'heatproof[demo]'`"
        ) from error
    return datasets


def _digits() -> tuple[Tensor, Array]:
    """Ink ``(1797, 1, 8, 8)`` in [0, 1] and labels ``(1797,)``."""
    data = _sklearn_datasets().load_digits()
    return torch.from_numpy(data.images.astype(np.float32) / 16)[:, None], data.target.astype(np.int64)


def _photos() -> list[Array]:
    return [np.asarray(photo, dtype=np.float32) / 255 for photo in _sklearn_datasets().load_sample_images().images]


def _originals(labels: Array, split: Split) -> Array:
    """Indices of the originals of a split, so that both splits have the same mix of classes."""
    rank = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        rank[members] = np.arange(len(members))
    test = rank % TEST_EVERY == TEST_EVERY - 1
    return np.flatnonzero(test if split == "test" else ~test)


def _regions(photos: list[Array], split: Split) -> list[Array]:
    """The parts of the photos that a split may crop from, at full and at half scale."""
    sides = (slice(0, TEST_COLUMNS.start), slice(TEST_COLUMNS.stop, None))
    columns = (TEST_COLUMNS,) if split == "test" else sides
    full = [photo[:, part] for photo in photos for part in columns]
    return full + [_halved(region) for region in full]


def _halved(region: Array) -> Array:
    height, width = region.shape[0] // 2, region.shape[1] // 2
    halved: Array = region[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean((1, 3))
    return halved


def _pick(draw: Array, options: int | Array) -> Array:
    """Whole numbers 0 to options - 1 from uniform draws."""
    return np.minimum((draw * options).astype(np.int64), options - 1)


def _chunks(count: int) -> Iterator[slice]:
    return (slice(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


def _backgrounds(regions: list[Array], draws: Array, size: int) -> Tensor:
    """Random crops, half of them mirrored. ``(n, 3, size, size)``."""
    which = _pick(draws[:, 1], len(regions))
    crops = np.empty((len(draws), size, size, 3), dtype=np.float32)
    step = np.arange(size)
    for index, region in enumerate(regions):
        chosen = which == index
        top = _pick(draws[chosen, 2], region.shape[0] - size + 1)[:, None, None] + step[:, None]
        left = _pick(draws[chosen, 3], region.shape[1] - size + 1)[:, None, None] + step
        crops[chosen] = region[top, left]
    mirrored = draws[:, 4] < 0.5
    crops[mirrored] = crops[mirrored, :, ::-1]
    return torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous()


def _scene(background: Tensor, digits: Tensor, draws: Tensor) -> tuple[Tensor, Tensor]:
    """Pixels ``(n, 3, size, size)`` and stroke masks ``(n, 1, size, size)``."""
    cover = _place(digits, draws[:, 5:9], background.shape[-1])
    ink = _ink(background, cover, draws[:, 9:14])
    opacity = (0.9 + 0.1 * draws[:, 14]).view(-1, 1, 1, 1)  # a little of the background shows through
    pixels = torch.lerp(background, ink, cover * opacity)
    return pixels.clamp_(0, 1), cover > OPAQUE


def _place(digits: Tensor, draws: Tensor, size: int) -> Tensor:
    """The share of each pixel that the stroke covers, in [0, 1]: digits enlarged, turned a little and put somewhere."""
    side = size * (0.48 + 0.08 * draws[:, 0])
    angle = 0.12 * (2 * draws[:, 1] - 1)  # radians, about 7 degrees either way
    room = size - side * 1.15 - 1  # the turned digit and its soft edge stay inside
    centre = size / 2 + room[:, None] * (draws[:, 2:4] - 0.5)
    turn = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(-1, 2, 2)
    turn = turn * (size / side).view(-1, 1, 1)
    shift = turn @ (1 - 2 * centre / size)[:, :, None]
    grid = F.affine_grid(torch.cat([turn, shift], 2), [len(draws), 1, size, size], align_corners=False)
    stroke = F.grid_sample(digits, grid, mode="bicubic", padding_mode="zeros", align_corners=False)
    edge = ((stroke - INK[0]) / (INK[1] - INK[0])).clamp(0, 1)
    return edge * edge * (3 - 2 * edge)


def _ink(background: Tensor, cover: Tensor, draws: Tensor) -> Tensor:
    """One colour a scene, ``(n, 3, 1, 1)``: lighter or darker than what it covers by more than that varies."""
    near = F.avg_pool2d(cover, 7, stride=1, padding=3).sqrt()
    near = near / near.sum((2, 3), keepdim=True)
    colour = (background * near).sum((2, 3))
    grey = torch.einsum("nchw,c->nhw", background, LUMA)[:, None]
    light = (grey * near).sum((2, 3))
    spread = ((grey - light[..., None, None]).square() * near).sum((2, 3)).sqrt()
    step = 0.35 + 0.15 * draws[:, 1:2] + 1.5 * spread
    up, down = 1 - light, light
    lighter = torch.where((up > step) & (down > step), draws[:, 0:1] < 0.5, up > down)
    tint = 0.5 * (draws[:, 2:5] - 0.5)
    tint = tint - (tint * LUMA).sum(1, keepdim=True)  # colour without a change of brightness
    return (colour + torch.where(lighter, step, -step) + tint).clamp(0, 1)[..., None, None]


def _boxes(masks: Tensor) -> Tensor:
    rows, columns = masks[:, 0].any(2).int(), masks[:, 0].any(1).int()
    size = masks.shape[-1]
    ends = (rows.argmax(1), columns.argmax(1), size - rows.flip(1).argmax(1), size - columns.flip(1).argmax(1))
    return torch.stack(ends, 1)
