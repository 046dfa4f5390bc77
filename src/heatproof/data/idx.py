"""MNIST, Fashion-MNIST and their kin: the four official IDX files, gzipped or unpacked."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .choice import Split

PREFIX: dict[str, str] = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "images-idx3-ubyte", "labels-idx1-ubyte"
UNSIGNED_BYTE = 8  # the third byte of an IDX file names the type, the fourth the number of dimensions
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
FASHION_LABELS = (  # SHA-256 of the labels of train and test: the file names are MNIST's own
    "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
    "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
)
Array = np.ndarray[Any, Any]


def read_idx(folder: str | Path, split: Split, limit: int | None = None) -> tuple[Tensor, Tensor]:
    """Images and labels of a split, in their original order. ``(N, 1, H, W)`` float32 in [0, 1] and int64 ``(N,)``.

    Args:
        folder: holds ``train-images-idx3-ubyte.gz`` and its three companions (torchvision's ``MNIST/raw``).
        split: "train" or "test" (the files called t10k).
        limit: the first images only; the rest is not unpacked.

    Raises:
        InputError: a file is missing, truncated, damaged or no IDX file of that kind; images and labels do not match.

    Source: http://yann.lecun.com/exdb/mnist (file format).
    """
    if split not in PREFIX or (limit is not None and limit < 1):
        raise InputError(
            f"read_idx(split={split!r}, limit={limit}): expected 'train' or 'test', and a limit of 1 or more"
        )
    labels = idx_labels(Path(folder), split)[:limit]
    images = idx_images(Path(folder), split, range(len(labels)))
    pixels = torch.from_numpy(images).to(torch.float32).div_(255)[..., 0][:, None]
    return pixels, torch.from_numpy(labels.astype(np.int64))


def idx_folder(path: Path) -> Path | None:
    """The folder that holds IDX files: the path itself or ``raw`` in it; None where neither does."""
    names = [f"{prefix}-{what}{end}" for prefix in PREFIX.values() for what in (IMAGES, LABELS) for end in ("", ".gz")]
    return next((f for f in (path, path / "raw") if any((f / name).is_file() for name in names)), None)


def idx_labels(folder: Path, split: Split) -> Array:
    """All labels of a split, uint8 ``(N,)``."""
    return _read(_path(folder, split, LABELS), 1, None)[0]


def idx_images(folder: Path, split: Split, where: Sequence[int]) -> Array:
    """The images at these places, uint8 ``(n, H, W, 1)``; what lies behind the last of them is not unpacked."""
    count = len(idx_labels(folder, split))
    path = _path(folder, split, IMAGES)
    stop = None if len(where) == count else max(where) + 1
    images, announced = _read(path, 3, stop)
    if announced != count:
        labels = _path(folder, split, LABELS)
        raise InputError(f"{path} has {announced} images but {labels} has {count} labels; fetch both again")
    return images[np.asarray(where, dtype=np.int64)][..., None]


def idx_classes(labels: Array) -> tuple[str, ...]:
    """Fashion-MNIST's names where its labels are these; else the numbers, which MNIST's names are too."""
    if hashlib.sha256(labels.tobytes()).hexdigest() in FASHION_LABELS:
        return FASHION
    return tuple(str(i) for i in range(int(labels.max(initial=0)) + 1))


def _path(folder: Path, split: Split, what: str) -> Path:
    """The gzipped file, or the unpacked one."""
    plain = folder / f"{PREFIX[split]}-{what}"
    packed = plain.with_name(f"{plain.name}.gz")
    if path := next((p for p in (packed, plain) if p.is_file()), None):
        return path
    raise InputError(
        f"{packed} is missing; the {split} split needs {PREFIX[split]}-{IMAGES}.gz and {PREFIX[split]}-{LABELS}.gz, "
        "both in this folder"
    )


def _read(path: Path, dimensions: int, stop: int | None) -> tuple[Array, int]:
    """The items before `stop` of an unsigned-byte IDX file, and how many it says it has."""
    try:
        with cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb") as file:
            shape = _shape(path, file.read(4 + 4 * dimensions), dimensions)
            count = shape[0] if stop is None else min(stop, shape[0])
            size = count * math.prod(shape[1:])
            body = file.read(size)
            extra = b"" if count < shape[0] else file.read(1)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged ({error}); fetch it again") from error
    except (MemoryError, OverflowError) as error:
        raise InputError(f"{path} is damaged: its head announces more than fits into memory; fetch it again") from error
    if len(body) != size or extra:
        found = "more" if extra else f"only {len(body)}"
        raise InputError(f"{path} is damaged: its head announces {size} bytes of data, it has {found}; fetch it again")
    return np.frombuffer(body, dtype=np.uint8).reshape(count, *shape[1:]), shape[0]


def _shape(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if len(head) != 4 + 4 * dimensions or head[:4] != magic:
        raise InputError(
            f"{path} begins with {head[:4].hex(' ')}; an IDX file of unsigned bytes with {dimensions} dimension(s) begins "
            f"with {magic.hex(' ')}"
        )
    return tuple(int(n) for n in np.frombuffer(head[4:], dtype=">u4"))
