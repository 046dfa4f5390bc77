"""Image files -> one stack: what cannot be read is skipped with the reason."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from ..errors import InputError
from .batch import Progress
from .decode import read_pixels
from .files import Found
from .images import ImageSet, PhotoFile, image_set
from .preprocess import Preprocess, prepare, scales, too_large

Read = tuple[Found, Tensor, tuple[int, int]]
"""A file, its image in model units, and the height and width it has upright."""


def collect(
    runs: list[list[Found]],
    skipped: list[tuple[str, str]],
    preprocess: Preprocess,
    source: str,
    progress: Progress | None,
    classes: tuple[str, ...] | None = None,
) -> ImageSet:
    """One image of each run, the first that can be read."""
    read: list[Read] = []
    for done, run in enumerate(runs, 1):
        read.extend(_first_readable(run, preprocess, skipped))
        if progress is not None:
            progress(done, len(runs))
    if not read:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        raise InputError(f"none of the {len(skipped)} files in {source} can be read as an image: {reasons}")
    pixels = _stacked(read, preprocess, source)
    known = preprocess.function is None or preprocess.mean is not None
    mean, std = scales(preprocess, pixels.shape[1], source) if known else (None, None)
    names, labels = [item.name for item, _, _ in read], [item.label for item, _, _ in read]
    return image_set(
        pixels, names, labels, skipped=skipped, mean=mean, std=std, source=source, classes=classes,
        files=[PhotoFile(item.path, size) for item, _, size in read],
    )  # fmt: skip


def _first_readable(run: Iterable[Found], preprocess: Preprocess, skipped: list[tuple[str, str]]) -> list[Read]:
    for item in run:
        try:
            pixels = read_pixels(item.path)
        except InputError as error:
            skipped.append((item.name, str(error)))
            continue
        if preprocess.function is None and (reason := too_large(pixels, preprocess)):
            skipped.append((item.name, reason))
            continue
        return [(item, prepare(pixels, preprocess, item.name), (pixels.shape[0], pixels.shape[1]))]
    return []


def _stacked(read: list[Read], preprocess: Preprocess, source: str) -> Tensor:
    channels = {len(image) for _, image, _ in read}
    images = [image for _, image, _ in read]
    if channels == {1, 3} and preprocess.function is None:
        images = [image.expand(3, -1, -1) for image in images]
    first = images[0]
    for (item, _, _), image in zip(read, images, strict=True):
        if image.shape != first.shape:
            todo = "give a size (--size) to crop all to" if preprocess.function is None else "let it return one shape"
            raise InputError(
                f"the images in {source} differ in shape: {read[0][0].name} gives {tuple(first.shape)} and {item.name} "
                f"{tuple(image.shape)} (channels, height, width); {todo}"
            )
    return torch.stack(images)
