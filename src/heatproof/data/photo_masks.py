"""The masks of photos before any resize: from PNGs in a folder or beside the photos, or from a table of boxes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .boxes import boxes_mask, read_boxes
from .images import ImageSet, PhotoFile
from .mask_files import masks_beside, masks_in, plain, read_mask

Mask = NDArray[np.bool_]
"""``(H, W)``, True on the object, of the size of the upright photo."""


def from_folder(images: ImageSet, folder: Path | None) -> Iterator[Mask | None]:
    """The mask of each photo from the file of its relative name in a folder; None: from the files beside the photos.

    Raises:
        InputError: two masks of a photo, one of another size, one that cannot be read, masks that were read as images.
    """
    files = images.files or ()
    if folder is None or _absolute(folder) == _absolute(Path(images.source)):
        found = masks_beside(file.path for file in files)
    else:
        if inside := [name for name, f in zip(images.names, files, strict=True) if _under(f.path, folder) is not None]:
            raise InputError(
                f"masks={str(folder)!r} holds {inside[0]}, which was read as an image; move the masks away"
            )
        found = masks_in(folder, (_under(f.path, Path(images.source)) or Path(f.path.name) for f in files))
    for path, file in zip(found, files, strict=True):
        mask = None if path is None else read_mask(path)
        if mask is not None:
            _check_size(str(path), (mask.shape[0], mask.shape[1]), file)
        yield mask


def from_boxes(images: ImageSet, table: Path) -> Iterator[Mask | None]:
    """The boxes of each photo, found by its path relative to the csv file, or else by its name in the set.

    Raises:
        InputError: as `read_boxes`, and a width and height that are not the photo's.
    """
    listed, files = read_boxes(table), images.files or ()
    for name, file in zip(images.names, files, strict=True):
        beside = _under(file.path, table.parent)
        given = listed.get(plain(beside.as_posix())) if beside else None
        given = given or listed.get(plain(name))
        if given is not None and given.size is not None:
            _check_size(f"{name} in {table}", given.size, file)
        yield None if given is None else boxes_mask(given.boxes, file.size)


def _check_size(what: str, size: tuple[int, int], photo: PhotoFile) -> None:
    if size != photo.size:
        turned = "; the photo is meant as it stands upright by its EXIF tag" if size == photo.size[::-1] else ""
        raise InputError(
            f"{what} is {size[1]} x {size[0]} pixels and the photo {photo.path} is {photo.size[1]} x {photo.size[0]}; "
            f"expected the same size{turned}"
        )


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))


def _under(path: Path, folder: Path) -> Path | None:
    """The path relative to the folder, None where it is not below it; links are not followed."""
    path, folder = _absolute(path), _absolute(folder)
    return path.relative_to(folder) if folder in path.parents else None
