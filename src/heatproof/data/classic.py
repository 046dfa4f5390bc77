"""Data sets that papers use, with their class numbers and names: MNIST and its kin (IDX), CIFAR-10 (sheets)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..errors import InputError
from .batch import Progress, prepare_batch
from .choice import Choice, Split
from .cifar import Array, cifar_classes, cifar_folder, cifar_images, cifar_labels
from .idx import idx_classes, idx_folder, idx_images, idx_labels
from .images import ImageSet, image_set
from .preprocess import Preprocess, scales


@dataclass(frozen=True)
class Format:
    """How a data set lies on disk.

    Attributes:
        folder: path given -> the folder of the files, None where it is no such data set.
        labels: all labels of a split, uint8 ``(N,)``.
        images: those at the given places, uint8 ``(n, H, W, C)``.
        classes: labels -> the name of each class.
    """

    folder: Callable[[Path], Path | None]
    labels: Callable[[Path, Split], Array]
    images: Callable[[Path, Split, Sequence[int]], Array]
    classes: Callable[[Array], tuple[str, ...]]


FORMATS = (
    Format(idx_folder, idx_labels, idx_images, idx_classes),
    Format(cifar_folder, cifar_labels, cifar_images, cifar_classes),
)


def classic_format(path: Path) -> Format | None:
    """The format that a folder has by its file names, or None."""
    return next((known for known in FORMATS if known.folder(path) is not None), None)


def read_classic(
    path: Path, split: Split, preprocess: Preprocess, choice: Choice, progress: Progress | None = None
) -> ImageSet:
    """Images of one split with targets, labels and names such as ``test-00012``, the place in the original order.

    Raises:
        InputError: no such data set, no image in it, a file that is missing or damaged.
    """
    known = classic_format(path)
    folder = known.folder(path) if known else None
    if known is None or folder is None:
        raise InputError(f"{path} holds neither IDX files (MNIST) nor CIFAR-10 sheets")
    labels = known.labels(folder, split)
    where = choice.places(len(labels))
    if not where:
        raise InputError(f"the {split} split in {folder} holds no image; fetch its files again")
    names = [f"{split}-{i:05d}" for i in where]
    classes, chosen = known.classes(labels), labels[where]
    pixels = prepare_batch(known.images(folder, split, where), preprocess, names, progress)
    shown = preprocess.function is None or preprocess.mean is not None
    mean, std = scales(preprocess, pixels.shape[1], str(path)) if shown else (None, None)
    return image_set(
        pixels, names, [classes[i] for i in chosen], mean=mean, std=std, source=str(path),
        targets=torch.from_numpy(chosen.astype(np.int64)), classes=classes,
    )  # fmt: skip
