"""CIFAR-10 as lossless sheets: 10 000 images a WebP file, 100 x 100 tiles of 32 px, row by row, and one file of labels."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InputError

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GRID, TILE = 100, 32
SHEETS = {"train": tuple(f"train_{i}.webp" for i in range(1, 6)), "test": ("test.webp",)}
Array = np.ndarray[Any, Any]


def read_cifar(
    folder: str | Path, split: Literal["train", "test"], limit: int | None = None, exact: bool = False
) -> tuple[Tensor, Tensor]:
    """Images and labels of a split, in their original order. ``(N, 3, 32, 32)`` float32 in [0, 1] and int64 ``(N,)``.

    Args:
        folder: holds ``train_1.webp`` to ``train_5.webp``, ``test.webp`` and ``labels.npz``.
        split: "train" (50 000) or "test" (10 000).
        limit: the first images only; sheets behind them are not opened.
        exact: leave out the images that are known only as JPEG copies (listed in ``labels.npz``; counted by `limit`).

    Raises:
        InputError: a file is missing, truncated, damaged or of another size.

    Source: Krizhevsky 2009, "Learning multiple layers of features from tiny images".
    """
    if split not in SHEETS or (limit is not None and limit < 1):
        raise InputError(
            f"read_cifar(split={split!r}, limit={limit}): expected 'train' or 'test', a limit of 1 or more"
        )
    labels, lossy = _labels(Path(folder) / "labels.npz", split)
    count = len(labels) if limit is None else min(limit, len(labels))
    sheets = SHEETS[split][: -(-count // GRID**2)]
    images = np.concatenate([_sheet(Path(folder) / name) for name in sheets])[:count]
    keep = np.setdiff1d(np.arange(count), lossy) if exact else np.arange(count)
    pixels = torch.from_numpy(images[keep]).to(torch.float32).div_(255)
    return pixels, torch.from_numpy(labels[keep].astype(np.int64))


def _labels(path: Path, split: str) -> tuple[Array, Array]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, lossy = arrays[split], arrays[f"lossy_{split}"]
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; expected labels.npz beside the sheets") from error
    except (BadZipFile, EOFError, KeyError, OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}); expected arrays {split} and lossy_{split}") from error
    expected = GRID**2 * len(SHEETS[split])
    if labels.shape != (expected,):
        raise InputError(f"{path} has {split} labels of shape {labels.shape}; expected ({expected},)")
    return labels, lossy


def _sheet(path: Path) -> Array:
    """The tiles of one sheet, uint8 ``(10000, 3, 32, 32)``."""
    try:
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; expected one lossless WebP sheet for each 10 000 images") from error
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path} is truncated or damaged ({error}); fetch it again") from error
    side = GRID * TILE
    if pixels.shape != (side, side, 3):
        raise InputError(f"{path} is {pixels.shape[1]} x {pixels.shape[0]} pixels; expected {side} x {side}")
    return pixels.reshape(GRID, TILE, GRID, TILE, 3).transpose(0, 2, 4, 1, 3).reshape(GRID**2, 3, TILE, TILE)
