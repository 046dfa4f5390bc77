"""Images from a folder, flat or with one folder per class; and the one door to all sources, `read_images`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from ..errors import InputError
from .decode import read_pixels
from .files import EXTENSIONS, STACKS, Found, find_images, readable, spread
from .images import ImageSet, image_set
from .preprocess import Preprocess, prepare, scales, too_large
from .stack import read_stack

Progress = Callable[[int, int], object]
"""Called after each image with (images read, images to read)."""


def read_images(
    path: str | Path,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """Images from a folder, a single image file, or a stack (.npy, .npz, .pt); see `read_folder` and `read_stack`."""
    path = Path(path)
    if path.is_dir():
        return read_folder(path, preprocess, limit, seed, progress)
    if not path.exists():
        raise InputError(f"there is no folder or file {path}; expected images, a folder of them, or a stack")
    if path.suffix.lower() in STACKS:
        return read_stack(path, preprocess, limit, seed)
    return _collect([[Found(readable(path.name), path, None)]], [], preprocess or Preprocess(), str(path), progress)


def read_folder(
    path: str | Path,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """The images below a folder, sorted by path; the first folder level is the label. -> `ImageSet`

    Args:
        preprocess: None keeps every image's size and scales to [0, 1].
        limit: at most so many, evenly spread over the sorted list; another file of the same stretch stands in for one
            that cannot be read.
        seed: with a limit, draw which file of each stretch is taken; None takes the first.
        progress: called with (read, to read).

    Files that cannot be read are listed in ``skipped`` with the reason, and the rest goes on. Where the preprocessing
    sets no channels, images stay grey only if all are; grey among colour is repeated.

    Raises:
        InputError: no such folder, no image in it, none that can be read, or sizes that differ and no size given.
    """
    root = Path(path)
    if not root.is_dir():
        raise InputError(f"there is no folder {root}")
    found, skipped = find_images(root)
    if not found:
        raise InputError(f"no image in {root} or its folders: looked for {' '.join(EXTENSIONS)}{_stack_hint(root)}")
    runs = [[found[i] for i in run] for run in spread(len(found), limit, seed)]
    return _collect(runs, skipped, preprocess or Preprocess(), str(root), progress)


def _collect(
    runs: list[list[Found]],
    skipped: list[tuple[str, str]],
    preprocess: Preprocess,
    source: str,
    progress: Progress | None,
) -> ImageSet:
    """One image of each run, the first that can be read."""
    read: list[tuple[Found, Tensor]] = []
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
    names, labels = [item.name for item, _ in read], [item.label for item, _ in read]
    return image_set(pixels, names, labels, skipped=skipped, mean=mean, std=std, source=source)


def _first_readable(
    run: Iterable[Found], preprocess: Preprocess, skipped: list[tuple[str, str]]
) -> list[tuple[Found, Tensor]]:
    for item in run:
        try:
            pixels = read_pixels(item.path)
        except InputError as error:
            skipped.append((item.name, str(error)))
            continue
        if preprocess.function is None and (reason := too_large(pixels, preprocess)):
            skipped.append((item.name, reason))
            continue
        return [(item, prepare(pixels, preprocess, item.name))]
    return []


def _stacked(read: list[tuple[Found, Tensor]], preprocess: Preprocess, source: str) -> Tensor:
    channels = {len(image) for _, image in read}
    images = [image for _, image in read]
    if channels == {1, 3} and preprocess.function is None:
        images = [image.expand(3, -1, -1) for image in images]
    first = images[0]
    for (item, _), image in zip(read, images, strict=True):
        if image.shape != first.shape:
            todo = "give a size (--size) to crop all to" if preprocess.function is None else "let it return one shape"
            raise InputError(
                f"the images in {source} differ in shape: {read[0][0].name} gives {tuple(first.shape)} and {item.name} "
                f"{tuple(image.shape)} (channels, height, width); {todo}"
            )
    return torch.stack(images)


def _stack_hint(root: Path) -> str:
    stacks = sorted(p.name for p in root.iterdir() if p.suffix.lower() in STACKS)
    return f"; to read the stack {stacks[0]}, give that file" if stacks else ""
