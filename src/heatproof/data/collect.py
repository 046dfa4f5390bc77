"""Image files -> one stack, or a stream where they are too many: what cannot be read is skipped with the reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError
from .batch import Progress
from .decode import read_pixels
from .files import Found
from .images import ImageSet, PhotoFile, check_image, image_set
from .preprocess import Preprocess, known_scales, prepare, too_large
from .streamed import Images, Streamed, image_digest


@dataclass(frozen=True)
class FromFiles:
    """Reads image files as `heatproof.data.collect` does: the image of a place, float32 ``(C, H, W)`` in model units."""

    paths: tuple[Path, ...]
    names: tuple[str, ...]
    preprocess: Preprocess
    channels: int

    def __call__(self, place: int) -> Tensor:
        image = prepare(read_pixels(self.paths[place]), self.preprocess, self.names[place])
        return image.expand(self.channels, -1, -1)


@dataclass(frozen=True)
class Read:
    """A file that could be read.

    Attributes:
        image: ``(C, H, W)`` in model units; where it is not kept, one number of its shape.
        size: height and width that the file has upright.
        digests: of the image, and of it as three channels; none where it is kept.
    """

    item: Found
    image: Tensor
    size: tuple[int, int]
    digests: tuple[str, str] | None = None

    def dropped(self) -> Read:
        """With what is needed to know the image again in its place."""
        check_image(self.image, self.item.name)
        digest, grey = image_digest(self.image), len(self.image) == 1
        digests = (digest, image_digest(self.image.expand(3, -1, -1)) if grey else digest)
        return Read(self.item, torch.empty(1).expand(self.image.shape), self.size, digests)


def collect(
    runs: list[list[Found]],
    skipped: list[tuple[str, str]],
    preprocess: Preprocess,
    source: str,
    progress: Progress | None,
    classes: tuple[str, ...] | None = None,
    most: int | None = None,
) -> ImageSet:
    """One image of each run, the first that can be read. most: bytes of pixels to hold; None for all."""
    read: list[Read] = []
    streamed: bool | None = None
    for done, run in enumerate(runs, 1):
        if one := _first_readable(run, preprocess, skipped):
            if streamed is None:  # by the first image: all have its size, or are refused below
                streamed = most is not None and one.image.numel() * 4 * len(runs) > most
            read.append(one.dropped() if streamed else one)
        if progress is not None:
            progress(done, len(runs))
    if not read:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        raise InputError(
            f"none of the {len(skipped)} files in {source} can be read as an image: {reasons}; check in a viewer that they "
            "are whole pictures, or save them again as PNG"
        )
    pixels = _stacked(read, preprocess, source)
    mean, std = known_scales(preprocess, pixels.shape[1], source)
    names, labels = [one.item.name for one in read], [one.item.label for one in read]
    return image_set(
        pixels, names, labels, skipped=skipped, mean=mean, std=std, source=source, classes=classes,
        files=[PhotoFile(one.item.path, one.size) for one in read],
    )  # fmt: skip


def _first_readable(run: Iterable[Found], preprocess: Preprocess, skipped: list[tuple[str, str]]) -> Read | None:
    for item in run:
        try:
            pixels = read_pixels(item.path)
        except InputError as error:
            skipped.append((item.name, str(error)))
            continue
        if preprocess.function is None and (reason := too_large(pixels, preprocess)):
            skipped.append((item.name, reason))
            continue
        return Read(item, prepare(pixels, preprocess, item.name), (pixels.shape[0], pixels.shape[1]))
    return None


def _stacked(read: list[Read], preprocess: Preprocess, source: str) -> Images:
    colour = {len(one.image) for one in read} == {1, 3} and preprocess.function is None
    shapes = [(3, *one.image.shape[1:]) if colour else tuple(one.image.shape) for one in read]
    for one, shape in zip(read, shapes, strict=True):
        if shape != shapes[0]:
            todo = "give a size (--size) to crop all to" if preprocess.function is None else "let it return one shape"
            raise InputError(
                f"the images in {source} differ in shape: {read[0].item.name} gives {shapes[0]} and {one.item.name} "
                f"{shape} (channels, height, width); {todo}"
            )
    digests = tuple(one.digests[colour] for one in read if one.digests)
    if not digests:
        return torch.stack([one.image.expand(shapes[0]) for one in read])
    paths, names = tuple(one.item.path.absolute() for one in read), tuple(one.item.name for one in read)
    channels, height, width = shapes[0]
    reader = FromFiles(paths, names, preprocess, channels)
    return Streamed(reader, (channels, height, width), digests, tuple(range(len(read))))
