"""MNIST and Fashion-MNIST: the four official IDX files, gzipped."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError

PREFIX = {"train": "train", "test": "t10k"}
UNSIGNED_BYTE = 8  # the third byte of an IDX file names the type, the fourth the number of dimensions


def read_idx(folder: str | Path, split: Literal["train", "test"], limit: int | None = None) -> tuple[Tensor, Tensor]:
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
    image_file = Path(folder) / f"{PREFIX[split]}-images-idx3-ubyte.gz"
    label_file = Path(folder) / f"{PREFIX[split]}-labels-idx1-ubyte.gz"
    images, of_images = _read(image_file, 3, limit)
    labels, of_labels = _read(label_file, 1, limit)
    if of_images != of_labels:
        raise InputError(
            f"{image_file} has {of_images} images but {label_file} has {of_labels} labels; fetch both again"
        )
    pixels = torch.from_numpy(images).to(torch.float32).div_(255)[:, None]
    return pixels, torch.from_numpy(labels.astype(np.int64))


def _read(path: Path, dimensions: int, limit: int | None) -> tuple[np.ndarray[Any, Any], int]:
    """The first items of an unsigned-byte IDX file, and how many it says it has."""
    try:
        with gzip.open(path) as file:
            head = file.read(4 + 4 * dimensions)
            shape = _shape(path, head, dimensions)
            count = shape[0] if limit is None else min(limit, shape[0])
            size = count * int(np.prod(shape[1:]))
            body = file.read(size)
            extra = b"" if count < shape[0] else file.read(1)
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; expected the official gzipped IDX files in this folder") from error
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{path} is truncated or damaged ({error}); fetch it again") from error
    if len(body) != size or extra:
        found = "more" if extra else f"only {len(body)}"
        raise InputError(f"{path} is damaged: its head announces {size} bytes of data, it has {found}; fetch it again")
    return np.frombuffer(bytearray(body), dtype=np.uint8).reshape(count, *shape[1:]), shape[0]


def _shape(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    magic = bytes([0, 0, UNSIGNED_BYTE, dimensions])
    if len(head) != 4 + 4 * dimensions or head[:4] != magic:
        raise InputError(
            f"{path} begins with {head[:4].hex(' ')}; an IDX file of unsigned bytes with {dimensions} dimension(s) begins "
            f"with {magic.hex(' ')}"
        )
    return tuple(int(n) for n in np.frombuffer(head[4:], dtype=">u4"))
