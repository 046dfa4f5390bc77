"""Many pictures of one size -> model input; at once where none has to be resized."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from .decode import Pixels
from .preprocess import Preprocess, normalised, prepare, target_size, with_channels

Progress = Callable[[int, int], object]
"""Called after each image with (images read, images to read)."""


def prepare_batch(
    pixels: Pixels, preprocess: Preprocess, names: Sequence[str], progress: Progress | None = None
) -> Tensor:
    """Model input of a stack of pictures. ``(N, H, W, C)`` uint8 or uint16 -> float32 ``(N, C, H, W)``.

    The same bits as `prepare` of each: no arithmetic crosses from one picture to the next.

    Raises:
        InputError: as `prepare`, with the name of the picture (the first, where all are alike).
    """
    if _stays_as_it_is(pixels, preprocess):
        shown = with_channels(pixels, preprocess.wanted_channels, names[0])
        white = 65535.0 if pixels.dtype == np.uint16 else 255.0
        planes = torch.from_numpy(np.ascontiguousarray(shown.transpose(0, 3, 1, 2)))  # first: whole numbers move faster
        values = planes.to(torch.float32).div_(white)
        if progress is not None:
            progress(len(names), len(names))
        return normalised(values, preprocess, names[0])
    out = []
    for done, (one, name) in enumerate(zip(pixels, names, strict=True), 1):
        out.append(prepare(one, preprocess, name))
        if progress is not None:
            progress(done, len(names))
    return torch.stack(out)


def _stays_as_it_is(pixels: Pixels, preprocess: Preprocess) -> bool:
    shape, size = pixels.shape[1:3], preprocess.size
    crop = shape if size is None else size if isinstance(size, tuple) else (size, size)
    return preprocess.function is None and shape == crop == target_size(shape, preprocess)
