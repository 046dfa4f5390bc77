"""Masks of the objects in images, in the geometry of the images: PNGs, boxes, pixels that are not black, known ones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError
from .images import ImageSet
from .mask_files import masks_beside
from .mask_place import check_same_geometry, placed
from .photo_masks import Mask, from_boxes, from_folder
from .preprocess import Preprocess

Source = Literal["png", "boxes", "nonzero", "digits", "grid"]
HALF_GREY, MOST = 0.5 / 255, 0.95
NONZERO = "masks are the pixels that are not black: use them only for methods that are not multiplied by the input"


@dataclass(frozen=True, eq=False)
class Masks:
    """Where the objects are.

    Attributes:
        masks: bool ``(N, 1, H, W)``, True on the object, one for each image; all False where it has none.
        source: where they are from.
        kept: the places of the images that have a mask.
        notes: for the report: what was left out, and what the masks are good for.
    """

    masks: Tensor
    source: Source
    kept: tuple[int, ...]
    notes: tuple[str, ...]


def masks_for(images: ImageSet, how: str | Path | None = None, preprocess: Preprocess | None = None) -> Masks:
    """The masks of a set of images. ``(N, C, H, W) -> (N, 1, H, W)`` bool

    A mask or box goes through the resize (nearest pixel) and the crop of its photo.

    Args:
        images: photos for masks and boxes of files; any for the others.
        how: a csv file with boxes (`read_boxes`); a folder of masks with the relative names of the photos; "beside" for
            ``photo.mask.png`` or ``photo_mask.png`` beside ``photo.jpg``; "nonzero" for grey images on black (MNIST);
            None for the masks that the images come with, or else those beside them.
        preprocess: what the images were read with.

    Returns:
        `Masks`; images without a mask, or whose mask is outside of the crop, are noted and not in ``kept``.

    Raises:
        InputError: no image has a mask; a mask of another size than its photo; a file that is damaged or unclear; colour
            images with "nonzero"; another preprocessing than the images had.
    """
    if how is None and images.masks is not None:
        return _kept(images, images.masks, "digits", ())
    if how is not None and os.path.exists(how):  # unlike Path's, no error for a name that is too long
        if Path(how).is_file():
            return _of_photos(images, from_boxes(images, Path(how)), "boxes", preprocess)
        return _of_photos(images, from_folder(images, Path(how)), "png", preprocess)
    if how == "nonzero":
        return _kept(images, _nonzero(images), "nonzero", (NONZERO,))
    if how in (None, "beside"):
        return _of_photos(images, from_folder(images, None), "png", preprocess)
    raise InputError(
        f"masks={str(how)!r}: no such file or folder; expected a csv with boxes, a folder, beside or nonzero"
    )


def has_masks(images: ImageSet) -> bool:
    """Whether images come with masks: known to their source, or as files beside the photos."""
    return images.masks is not None or any(masks_beside(file.path for file in images.files or ()))


def smaller_than(masks: Masks, share: float) -> list[int]:
    """The places of the images whose mask covers less than a share of the area, as in "boxes under 25 %"."""
    if not 0 < share <= 1:
        raise InputError(f"share={share}: expected a share of the area, over 0 and at most 1, such as 0.25")
    cover = masks.masks.flatten(1).double().mean(1)
    return [i for i in masks.kept if cover[i] < share]


def _of_photos(images: ImageSet, found: Iterator[Mask | None], source: Source, preprocess: Preprocess | None) -> Masks:
    preprocess = preprocess or Preprocess()
    if images.files is None:
        raise InputError(
            f"{images.source or 'a tensor'} holds no photo files, whose masks could be found by their names; expected a "
            "folder of photos, or masks='nonzero' for grey images on black"
        )
    check_same_geometry(images, preprocess)
    masks = torch.zeros(len(images), 1, *images.pixels.shape[2:], dtype=torch.bool)
    missing = []
    for i, mask in enumerate(found):
        if mask is None or not mask.any():
            missing.append(i)
        else:
            masks[i] = placed(mask, preprocess, images.names[i])
    notes = _note(images, missing, "no mask, or an empty one")
    return _kept(images, masks, source, notes, missing)


def _nonzero(images: ImageSet) -> Tensor:
    if images.mean is None or images.std is None:
        raise InputError(f"masks='nonzero': black is unknown in the units of {images.source}; give mean and std")
    shown = images.pixels * torch.tensor(images.std)[:, None, None] + torch.tensor(images.mean)[:, None, None]
    if (shown.amax(1) - shown.amin(1)).max() > HALF_GREY:
        raise InputError(
            f"masks='nonzero': {images.source} holds colour images, which have no black background; give boxes or PNGs"
        )
    masks = shown.amax(1, keepdim=True) > HALF_GREY
    if (cover := float(masks.flatten(1).float().mean(1).median())) > MOST:
        raise InputError(
            f"masks='nonzero': the pixels that are not black cover {cover:.0%} of the images of {images.source} (median), "
            "which have no black background; give boxes or PNGs"
        )
    return masks


def _kept(
    images: ImageSet, masks: Tensor, source: Source, notes: tuple[str, ...], missing: Iterable[int] = ()
) -> Masks:
    covered = masks.flatten(1).any(1).tolist()
    known = set(missing)
    outside = [i for i, some in enumerate(covered) if not some and i not in known]
    notes += _note(images, outside, "a mask without a pixel inside the image")
    kept = tuple(i for i, some in enumerate(covered) if some)
    if not kept:
        raise InputError(f"no image of {images.source} has a mask: {'; '.join(notes)}; expected one for some of them")
    return Masks(masks, source, kept, notes)


def _note(images: ImageSet, places: list[int], what: str) -> tuple[str, ...]:
    names = ", ".join(images.names[i] for i in places[:3]) + (", ..." if len(places) > 3 else "")
    return (f"{len(places)} of {len(images)} images left out, with {what}: {names}",) if places else ()
