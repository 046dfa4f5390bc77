"""2 x 2 grids of photos of four classes: one cell shows the class explained, and its quadrant is the mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import InputError
from .images import ImageSet, image_set
from .masks import Masks

CELLS = 4
NOTE = "each grid shows four photos of different classes; its mask is the cell of the class explained: by chance 25 %"
Array = np.ndarray[Any, Any]


def grids(images: ImageSet, classes: Tensor, count: int, seed: int = 0) -> tuple[ImageSet, Masks, Tensor]:
    """Grids of the size of the images, each of four photos of different classes at half their size.

    Every photo is shown as often as any other, or once more, as far as a class need not be twice in a grid; the choice
    of photos, cells and the explained cell is drawn. The photos are averaged over areas, which keeps the model's units.

    Args:
        images: ``(N, C, H, W)``, H and W at least 2.
        classes: int64 ``(N,)``, true or predicted.
        count: of grids. seed: of a generator of its own.

    Returns:
        The grids ``(count, C, H, W)`` with the mean and std of the images, their masks, and int64 ``(count,)`` targets:
        the class in the explained cell.

    Raises:
        InputError: fewer than four classes, classes that are not int64 ``(N,)``, images of one row or column.

    Source: the grid pointing game (Boehle et al. 2021; Rao et al. 2022); deviations: photos at half size in a grid of
        the model's own input size, so that networks with a fully connected head can run it; one cell is explained.
    """
    _check(images, classes, count, seed)
    rng = np.random.default_rng(seed)
    shown = _photos_of_grids(classes.cpu().numpy(), count, rng)
    explained = torch.from_numpy(rng.integers(CELLS, size=count))
    chosen = torch.from_numpy(shown)[torch.arange(count), explained]
    pixels, masks = _drawn(images.pixels, torch.from_numpy(shown), explained)
    targets = classes.cpu()[chosen]
    made = image_set(
        pixels, [f"grid-{i:05d}" for i in range(count)], [images.labels[i] for i in chosen.tolist()], mean=images.mean,
        std=images.std, source=f"{images.source} (2x2 grids)", classes=images.classes,
        targets=None if images.targets is None else images.targets[chosen],
    )  # fmt: skip
    return made, Masks(masks, "grid", tuple(range(count)), (NOTE,)), targets


def _check(images: ImageSet, classes: Tensor, count: int, seed: int) -> None:
    if classes.dtype != torch.int64 or classes.shape != (len(images),):
        raise InputError(
            f"classes are {classes.dtype} {tuple(classes.shape)}; expected torch.int64 ({len(images)},), the class of "
            "each photo, true or predicted"
        )
    if (held := len(set(classes.tolist()))) < CELLS:
        raise InputError(f"grids show four classes, and the {len(images)} photos are of {held}; read photos of more")
    if count < 1 or seed < 0 or min(images.pixels.shape[2:]) < 2:
        raise InputError(
            f"grids(count={count}, seed={seed}) of images {tuple(images.pixels.shape)}; expected a count of at least 1, "
            "a seed of at least 0, and sides of at least 2 pixels"
        )


def _photos_of_grids(classes: Array, count: int, rng: np.random.Generator) -> Array:
    """Places of the photos in each grid, ``(count, 4)``, in order of the cells.

    A class that is left in as many uses as there are grids left has to be in the next one, so that the last grids need
    not show a class twice; the others are drawn by their uses.
    """
    uses = _uses(classes, count, rng)
    names = np.unique(classes)
    places = [np.repeat(np.flatnonzero(classes == name), uses[classes == name]) for name in names]
    left = [list(rng.permutation(of_class)) for of_class in places]
    shown = np.empty((count, CELLS), dtype=np.int64)
    for grid in range(count):
        totals = np.array([len(of_class) for of_class in left])
        due = np.flatnonzero(totals == count - grid)
        weights = np.where(totals == count - grid, 0, totals)
        others = CELLS - len(due)
        drawn = rng.choice(len(names), others, replace=False, p=weights / weights.sum()) if others else due[:0]
        shown[grid] = rng.permutation([left[c].pop() for c in (*due, *drawn)])
    return shown[rng.permutation(count)]


def _uses(classes: Array, count: int, rng: np.random.Generator) -> Array:
    """How often each photo is shown, as evenly as it can be: 4 * count in all, no class more than count times."""
    uses = np.zeros(len(classes), dtype=np.int64)
    room = dict.fromkeys(np.unique(classes).tolist(), count)
    left = CELLS * count
    while left:
        for i in rng.permutation(len(classes)):
            if left and room[name := int(classes[i])]:
                uses[i] += 1
                room[name] -= 1
                left -= 1
    return uses


def _drawn(photos: Tensor, shown: Tensor, explained: Tensor) -> tuple[Tensor, Tensor]:
    """Grids ``(count, C, H, W)`` and explained cells ``(count, 1, H, W)``; an odd side n halves to n // 2 and the rest."""
    height, width = photos.shape[2:]
    pixels = photos.new_empty(len(shown), *photos.shape[1:])
    masks = torch.zeros(len(shown), 1, height, width, dtype=torch.bool)
    for cell in range(CELLS):
        rows = slice(height // 2, None) if cell // 2 else slice(0, height // 2)
        columns = slice(width // 2, None) if cell % 2 else slice(0, width // 2)
        size = pixels[0, 0, rows, columns].shape
        pixels[:, :, rows, columns] = F.adaptive_avg_pool2d(photos[shown[:, cell]], (size[0], size[1]))
        masks[explained == cell, :, rows, columns] = True
    return pixels, masks
