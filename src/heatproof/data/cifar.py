"""CIFAR-10 as lossless sheets: 10 000 images a WebP file, 100 x 100 tiles of 32 px, row by row, and one file of labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..errors import InputError
from .choice import Split

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
GRID, TILE = 100, 32
SHEETS: dict[str, tuple[str, ...]] = {"train": tuple(f"train_{i}.webp" for i in range(1, 6)), "test": ("test.webp",)}
Array = np.ndarray[Any, Any]


def read_cifar(
    folder: str | Path, split: Split, limit: int | None = None, exact: bool = False
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
    keep = np.arange(len(labels))[:limit]
    keep = np.setdiff1d(keep, lossy) if exact else keep
    images = np.ascontiguousarray(cifar_images(Path(folder), split, keep.tolist()).transpose(0, 3, 1, 2))
    return torch.from_numpy(images).to(torch.float32).div_(255), torch.from_numpy(labels[keep].astype(np.int64))


def cifar_folder(path: Path) -> Path | None:
    """The path where it holds the sheets: some of them and their labels, or all of them; else None."""
    sheets = [(path / name).is_file() for names in SHEETS.values() for name in names]
    return path if all(sheets) or (any(sheets) and (path / "labels.npz").is_file()) else None


def cifar_labels(folder: Path, split: Split) -> Array:
    """All labels of a split, uint8 ``(N,)``."""
    return _labels(folder / "labels.npz", split)[0]


def cifar_images(folder: Path, split: Split, where: Sequence[int]) -> Array:
    """The images at these places, uint8 ``(n, 32, 32, 3)``; only the sheets that hold them are opened."""
    places = np.asarray(where, dtype=np.int64)
    images = np.empty((len(places), TILE, TILE, 3), dtype=np.uint8)
    for number, name in enumerate(SHEETS[split]):
        here = np.flatnonzero(places // GRID**2 == number)
        if len(here):
            images[here] = _sheet(folder / name)[places[here] % GRID**2]
    return images


def cifar_classes(labels: Array) -> tuple[str, ...]:
    """The names of the ten classes, whatever the labels."""
    return CLASSES


def _labels(path: Path, split: Split) -> tuple[Array, Array]:
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
    if labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() >= len(CLASSES):
        raise InputError(
            f"{path} has {split} labels {labels.dtype} from {labels.min()} to {labels.max()}; "
            f"expected whole numbers from 0 to {len(CLASSES) - 1}"
        )
    return labels, lossy


def _sheet(path: Path) -> Array:
    """The tiles of one sheet, uint8 ``(10000, 32, 32, 3)``."""
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
    return pixels.reshape(GRID, TILE, GRID, TILE, 3).transpose(0, 2, 1, 3, 4).reshape(GRID**2, TILE, TILE, 3)
