"""One image file -> an upright array of 8- or 16-bit pixels, grey or RGB."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError, out_of_memory
from .files import DAMAGED

Pixels = NDArray[Any]
"""``(H, W, C)``, uint8 or uint16, C 1 or 3 for image files."""

_ALPHA = ("RGBA", "LA", "PA", "RGBa", "La")


def read_pixels(path: Path, convert: Callable[[Image.Image], NDArray[Any]] | None = None) -> NDArray[Any]:
    """The first frame of an image file, upright. ``-> (H, W, 1 or 3)`` uint8 or uint16, or what `convert` makes of it.

    Raises:
        InputError: the file is not an image, is damaged, or has more pixels than Pillow's ``MAX_IMAGE_PIXELS``; the
            text is the reason alone, without the file's name.
        MemoryError: as it is, since the picture may be good.
    """
    if not path.is_file():  # opening a pipe would wait for ever
        raise InputError("not a regular file" if path.exists() else "the link points to no file")
    return _read(lambda: path, convert or as_pixels)


def pixels_of(data: bytes) -> Pixels:
    """`read_pixels` of the bytes of a file that never was on this disk. ``-> (H, W, 1 or 3)`` uint8 or uint16.

    Raises:
        InputError, MemoryError: as there.
    """
    return _read(lambda: io.BytesIO(data), as_pixels)


def _read(source: Callable[[], Path | io.BytesIO], convert: Callable[[Image.Image], NDArray[Any]]) -> NDArray[Any]:
    """source: gives the file anew, read from its beginning."""
    with warnings.catch_warnings():
        # Pillow warns of damaged metadata of good pictures; its warning of a bomb is taken at its word.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
        try:
            with Image.open(source()) as image:
                if image.format == "EPS":  # whatever the file is called; Pillow would start Ghostscript on it
                    raise InputError("PostScript, a program that is not run; save the picture as PNG")
                if image.format == "PNG":
                    _check_sums(source())
                return convert(image)
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise InputError(f"more than {Image.MAX_IMAGE_PIXELS} pixels; make it smaller first") from None
        except UnidentifiedImageError:
            raise InputError("not an image that Pillow can identify") from None
        except InputError:
            raise
        except DAMAGED as error:
            if out_of_memory(error):  # of the machine, now: no picture is left out for that
                raise
            raise InputError(f"cannot be read: {_first_line(error)}") from error


def _check_sums(source: Path | io.BytesIO) -> None:
    """Whether every chunk of a PNG is as it was written: Pillow looks at no sum of the pixels as it reads them."""
    with Image.open(source) as image:
        image.verify()


def as_pixels(image: Image.Image) -> Pixels:
    """An open image as an array, turned upright by its EXIF tag. ``-> (H, W, 1 or 3)`` uint8 or uint16.

    Transparency is laid on white, as a viewer shows it; grey stays one channel, palettes and CMYK become RGB. Pillow
    itself cuts 16-bit colour down to 8 bits; 16-bit grey keeps all of them.

    Raises:
        InputError: no pixels, floating-point pixels, or integers over 65535, which have no known white.
    """
    if 0 in image.size:
        raise InputError(f"a picture of {image.width} x {image.height} has no pixels")
    deep = any("16" in str(tile.args) for tile in getattr(image, "tile", ()))  # known before the pixels are read only
    image.load()  # first, so that a cut file is an error before anything else looks at it
    if image.mode == "P" and image.palette is None:
        raise InputError("a palette of colours is missing, so that its pixels stand for none")
    image, clear = upright(image), image.info.get("transparency")
    if image.mode.startswith("I"):
        return _sixteen_bit(np.asarray(image), clear)
    if image.mode == "F":
        raise InputError("floating-point pixels have no known white; save 8 or 16 bits, or give a .npy stack")
    if deep and isinstance(clear, tuple):  # Pillow cuts the colours down to 8 bits, but not the clear one among them
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in _ALPHA or "transparency" in image.info:
        image = _on_white(image)
    plain = np.array(image.convert("L" if grey else "RGB"), dtype=np.uint8)
    return plain[:, :, None] if grey else plain


def upright(image: Image.Image) -> Image.Image:
    """The image, turned as its EXIF tag says; as it is where that is damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except DAMAGED as error:
        if out_of_memory(error):
            raise
        return image


def _on_white(image: Image.Image) -> Image.Image:
    if image.mode in ("RGBa", "La"):  # Pillow converts premultiplied colours one step at a time
        image = image.convert(image.mode.replace("a", "A"))
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")


def _sixteen_bit(values: NDArray[np.generic], clear: object) -> Pixels:
    """With the grey that a PNG declares transparent laid on white."""
    if values.min() < 0 or values.max() > 65535:
        raise InputError(f"integer pixels from {values.min()} to {values.max()}; expected 8 or 16 bits, 0 to 65535")
    shown = values.astype(np.uint16)[:, :, None]
    return np.where(shown == clear, np.uint16(65535), shown) if isinstance(clear, int) else shown


def _first_line(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0] if text else type(error).__name__
