"""Which files are masks of photos, and the mask in such a file: white is the object."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import InputError
from .decode import as_pixels, read_pixels, upright
from .files import EXTENSIONS, Found
from .preprocess import with_channels

ENDINGS = (".mask.png", "_mask.png")
"""``photo.jpg`` has its mask beside it as ``photo.mask.png`` or ``photo_mask.png``; in any case."""

WHITE = 128
"""Of 255: from this grey on, a pixel of a mask belongs to the object."""


def without_masks(found: Sequence[Found]) -> tuple[list[Found], list[tuple[str, str]]]:
    """The photos, without the masks that lie beside them; and, where there are such, one line (file, reason)."""
    stems = {(item.path.parent, plain(item.path.stem)) for item in found}
    masks = [item.name for item in found if (item.path.parent, _photo_stem(item.path.name)) in stems]
    if not masks:
        return list(found), []
    others = f", as are {len(masks) - 1} more" if len(masks) > 1 else ""
    names = set(masks)
    photos = [item for item in found if item.name not in names]
    return photos, [(masks[0], f"taken as the mask of the photo beside it, not as an image{others}")]


def masks_beside(photos: Iterable[Path]) -> list[Path | None]:
    """The mask beside each photo, None where there is none.

    Raises:
        InputError: two masks of one photo.
    """
    folders: dict[Path, _Listing] = {}
    return [_only(_listed(folders, photo.parent)[1], photo) for photo in photos]


def masks_in(folder: Path, photos: Iterable[Path]) -> list[Path | None]:
    """The image file of each photo's relative name in a folder of masks, whatever its ending; None where there is none.

    Args:
        folder: ``masks``, with ``masks/cat/1.png`` (or ``1.mask.png``, ``1_mask.png``) for the photo ``cat/1.jpg``.
        photos: their paths inside the folder of images.

    Raises:
        InputError: two masks of one photo.
    """
    folders: dict[Path, _Listing] = {}
    listed = [(photo, _listed(folders, folder / photo.parent)) for photo in photos]
    return [_only(same, photo) or _only(marked, photo) for photo, (same, marked) in listed]


def read_mask(path: Path) -> NDArray[np.bool_]:
    """The mask in an image file, upright. ``-> (H, W)`` bool, True where it is white (128 of 255 or lighter).

    Of any type: 1 bit, grey, palette (by its colours), RGB. Where it is partly transparent and of one visible colour,
    what is not fully transparent is the object.

    Raises:
        InputError: a file that cannot be read, or one that is partly transparent and has several visible colours.
    """
    try:
        return read_pixels(path, _as_mask)
    except InputError as error:
        raise InputError(f"the mask {path}: {error}") from error


def plain(name: str) -> str:
    """A name as it is compared: an accent may be a character of its own or not."""
    return unicodedata.normalize("NFC", name)


def _as_mask(image: Image.Image) -> NDArray[Any]:
    image.load()
    if image.has_transparency_data:
        layer = np.asarray(upright(image).convert("RGBA"))
        alpha, pixels = layer[..., 3], layer[..., :3]
        if alpha.min() != alpha.max():
            visible = pixels[alpha > 0]
            if (visible != visible[0]).any():
                raise InputError("partly transparent and of several colours; save it in black and white")
            return np.asarray(alpha > 0)
    else:
        pixels = as_pixels(image)
    threshold = WHITE * 257 if pixels.dtype == np.uint16 else WHITE
    return np.asarray(with_channels(pixels, 1, "it")[..., 0] >= threshold)


_Files = dict[str, list[Path]]
_Listing = tuple[_Files, _Files]


def _listed(folders: dict[Path, _Listing], folder: Path) -> _Listing:
    """The image files of a folder by their own stem, and its masks by the stem of their photo; read once."""
    if folder not in folders:
        same, marked = folders[folder] = defaultdict(list), defaultdict(list)
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.suffix.lower() in EXTENSIONS and not path.name.startswith("."):
                same[plain(path.stem)].append(path)
            if (stem := _photo_stem(path.name)) is not None:
                marked[stem].append(path)
    return folders[folder]


def _photo_stem(name: str) -> str | None:
    """The stem of the photo whose mask has this name.

    Example:
        >>> _photo_stem("cat.mask.png"), _photo_stem("cat_mask.PNG"), _photo_stem("cat.png")
        ('cat', 'cat', None)
    """
    ending = next((ending for ending in ENDINGS if name.lower().endswith(ending)), None)
    return None if ending is None or len(name) == len(ending) else plain(name[: -len(ending)])


def _only(files: _Files, photo: Path) -> Path | None:
    found = files.get(plain(photo.stem), [])
    if len(found) > 1:
        raise InputError(f"{photo} has two masks, {found[0]} and {found[1]}; expected one: remove the other")
    return found[0] if found else None
