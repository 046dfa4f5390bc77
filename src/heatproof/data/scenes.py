"""The built-in digit scenes as a source of images, by the text "digits"."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from ..errors import InputError
from .choice import Split
from .digits import LUMA, digit_scenes
from .images import ImageSet, image_set
from .preprocess import Preprocess, normalised, scales

SIZE, LIMIT = 48, 200
CLASSES = tuple("0123456789")
TEXTS = ("digits", "digits:test", "digits:train")


def is_scenes(path: str | Path) -> bool:
    """Whether a text names the scenes: "digits", "digits:test" or "digits:train", and no file or folder does."""
    return str(path) in TEXTS and not Path(path).exists()


def read_scenes(
    text: str = "digits",
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    seed: int | None = None,
    *,
    split: Split | None = None,
) -> ImageSet:
    """Photo crops with one handwritten digit each, their classes and masks. -> `ImageSet`

    Args:
        text: "digits:train", or "digits" and "digits:test" for the test part.
        preprocess: its size, 32 to 64, is that of the scenes (default 48; no resize, no crop); its mean and std are
            applied; channels=1 takes their luma.
        limit: the first so many; None for 200.
        seed: of `digit_scenes`; None for 0.
        split: "train" or "test", in place of the part in the text.

    Raises:
        InputError: another text, a size outside of 32 to 64 or not square, a preprocessing function.
    """
    if text not in TEXTS:
        raise InputError(f"read_scenes({text!r}): expected one of {', '.join(TEXTS)}")
    preprocess = preprocess or Preprocess()
    chosen = split or cast("Split", text.partition(":")[2] or "test")
    made = digit_scenes(chosen, LIMIT if limit is None else limit, 0 if seed is None else seed, _size(preprocess))
    pixels = normalised(_with_channels(made.pixels, preprocess.wanted_channels), preprocess, text)
    mean, std = scales(preprocess, pixels.shape[1], text)
    names = [f"digits-{chosen}-{i:05d}" for i in range(len(pixels))]
    return image_set(
        pixels, names, [CLASSES[i] for i in made.targets], mean=mean, std=std, source=f"digits:{chosen}",
        targets=made.targets, classes=CLASSES, masks=made.masks,
    )  # fmt: skip


def _size(preprocess: Preprocess) -> int:
    size = SIZE if preprocess.size is None else preprocess.size
    sides = size if isinstance(size, tuple) else (size, size)
    if preprocess.function is not None or sides[0] != sides[1]:
        raise InputError(
            f"digits are drawn at the size of the model's input, with size={preprocess.size} and "
            f"preprocess={preprocess.function}; expected a square size from 32 to 64 and no function: give size, mean "
            "and std"
        )
    return sides[0]


def _with_channels(pixels: Tensor, wanted: int | None) -> Tensor:
    return torch.einsum("nchw,c->nhw", pixels, LUMA)[:, None] if wanted == 1 else pixels
