"""Many images in one file: ``.npy``, ``.npz`` or ``.pt``. Nothing in these files is ever executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .arrays import load_stack
from .batch import Progress, prepare_batch
from .choice import Choice, Order
from .files import readable
from .images import ImageSet, check_image, image_set
from .preprocess import Preprocess, normalised, scales
from .streamed import Images, Streamed, image_digest


def read_stack(
    path: str | Path,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
    *,
    order: Order = "spread",
    most: int | None = None,
) -> ImageSet:
    """Images of one file. ``(N, H, W)``, ``(N, H, W, C)`` or ``(N, C, H, W)`` -> `ImageSet`

    Args:
        path: ``.npy``; ``.npz`` or a ``.pt`` dictionary with "images" or "x" (or one array only) and maybe "labels",
            "y" or "targets" (whole numbers become ``targets``, texts ``labels``); or a ``.pt`` tensor.
        preprocess: applied to uint8 and uint16 pixels as to image files. Float pixels are never resized: they are in
            model units already, unless the caller (not the model's preset) gives mean and std: then they are in [0, 1]
            and normalised.
        limit, seed, progress, order: as for a folder. most: bytes of pixels, as float32, to hold in memory; of a larger
            ``.npy`` images are read where they are asked for (other files are read whole by their formats).

    Raises:
        InputError: a file that cannot be read safely, an unclear layout, another type, NaN or infinite pixels (names
            the first bad image), float pixels outside [0, 1] with mean and std given.
    """
    path = Path(path)
    preprocess = preprocess or Preprocess()
    images, labels = load_stack(path)
    _check_shape(images.shape, path)
    where = Choice(limit, seed, order).places(len(images))
    names, whole = [_name(path, i) for i in where], images.dtype in (np.uint8, np.uint16)
    taken: Images
    if _is_large(path, preprocess, where, most):
        taken = _streamed(FromStack(path.absolute(), tuple(where), preprocess), names, progress)
    else:
        taken = _prepared(images, where, preprocess, path, progress)
    texts, targets, classes = _labels(labels, len(images), where, path)
    known = preprocess.mean is not None or (whole and preprocess.function is None)
    mean, std = scales(preprocess, taken.shape[1], str(path)) if known else (None, None)
    return image_set(taken, names, texts, mean=mean, std=std, source=str(path), targets=targets, classes=classes)


@dataclass(frozen=True)
class FromStack:
    """Reads one image of a ``.npy`` file, which is mapped and not loaded: float32 ``(C, H, W)`` in model units."""

    path: Path
    where: tuple[int, ...]
    preprocess: Preprocess

    def __call__(self, place: int) -> Tensor:
        images, _ = load_stack(self.path)
        return _prepared(images, [self.where[place]], self.preprocess, self.path)[0]


def _is_large(path: Path, preprocess: Preprocess, where: list[int], most: int | None) -> bool:
    if most is None or path.suffix.lower() != ".npy":
        return False
    return FromStack(path, tuple(where), preprocess)(0).numel() * 4 * len(where) > most


def _streamed(read: FromStack, names: list[str], progress: Progress | None) -> Streamed:
    digests = []
    for place, name in enumerate(names):
        image = read(place)
        check_image(image, name)
        digests.append(image_digest(image))
        if progress is not None:
            progress(place + 1, len(names))
    channels, height, width = image.shape
    return Streamed(read, (channels, height, width), tuple(digests), tuple(range(len(names))))


def _name(path: Path, place: int) -> str:
    return f"{readable(path.stem)}_{place:05d}"


def _prepared(
    images: NDArray[Any], where: list[int], preprocess: Preprocess, path: Path, progress: Progress | None = None
) -> Tensor:
    """The images at these places, ``(N, C, H, W)``."""
    pixels = _channels_last(np.asarray(images[where]), path)
    if pixels.dtype in (np.uint8, np.uint16):
        return prepare_batch(pixels, preprocess, [_name(path, i) for i in where], progress)
    return _floats(pixels, preprocess, str(path))


def _floats(pixels: NDArray[Any], preprocess: Preprocess, source: str) -> Tensor:
    with np.errstate(over="ignore"):  # what is no float32 becomes infinite, which is refused by its name
        values = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), dtype=np.float32))
    channels, size = preprocess.wanted_channels, preprocess.size
    if channels not in (None, values.shape[1]):
        raise InputError(f"{source} has {values.shape[1]} channels and the model takes {channels}; repeat or drop them")
    if preprocess.preset:
        return values
    if preprocess.function is not None:
        raise InputError(
            f"{source} holds float pixels, and preprocess {preprocess.function} takes pictures; save uint8"
        )
    if size is not None and tuple(values.shape[2:]) != (size if isinstance(size, tuple) else (size, size)):
        raise InputError(f"{source} holds float pixels, which are not resized: {tuple(values.shape[2:])} is not {size}")
    if preprocess.mean is None:
        return values
    finite = values[values.isfinite()]
    if finite.numel() and (finite.min() < 0 or finite.max() > 1):
        raise InputError(
            f"{source} holds floats from {finite.min():.4g} to {finite.max():.4g}; with mean and std given, expected "
            "pixels in 0 to 1. Leave out mean and std if they are in model units already"
        )
    return normalised(values, preprocess, source)


def _check_shape(shape: tuple[int, ...], path: Path) -> None:
    if 0 in shape:
        raise InputError(f"{path} holds no image: shape {shape}; expected one image or more, with pixels")
    if len(shape) not in (3, 4):
        raise InputError(f"{path} has shape {shape}; expected (N, H, W), (N, H, W, C) or (N, C, H, W)")


def _channels_last(stack: NDArray[Any], path: Path) -> NDArray[Any]:
    """``(N, H, W, C)`` from any of the layouts; channels are where 1, 3 or 4 stands."""
    if not (stack.dtype in (np.uint8, np.uint16) or stack.dtype.kind == "f"):
        raise InputError(f"{path} holds {stack.dtype}; expected uint8, uint16 or float pixels: convert them first")
    if stack.ndim == 3:
        return stack[..., None]
    first, last = stack.shape[1] in (1, 3, 4), stack.shape[3] in (1, 3, 4)
    if first and last:
        raise InputError(
            f"{path} has shape {stack.shape}: channels may be the second or the last axis; drop or pad one"
        )
    return stack if last else np.moveaxis(stack, 1, 3)


def _labels(
    held: NDArray[Any] | None, count: int, where: list[int], path: Path
) -> tuple[list[str] | None, Tensor | None, tuple[str, ...] | None]:
    """Texts and, where they are whole numbers, targets of the chosen images; the classes of all."""
    if held is None:
        return None, None, None
    if held.shape != (count,) or held.dtype.kind not in "iuU":
        raise InputError(
            f"the labels in {path} are {held.dtype} {held.shape}; expected whole numbers or texts ({count},)"
        )
    texts, known = [str(label) for label in held[where]], np.unique(held)
    if held.dtype.kind == "U":
        return texts, None, tuple(str(name) for name in known)
    gapless = np.array_equal(known, np.arange(len(known)))  # numbers from 1 on may mean anything: nothing is assumed
    classes = tuple(str(number) for number in known) if gapless else None
    return texts, torch.from_numpy(held[where].astype(np.int64)), classes
