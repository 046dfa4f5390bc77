"""Pictures whose pixels are known, and files of them: by Pillow, and PNGs byte by byte."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Array = np.ndarray[Any, Any]
HEIGHT, WIDTH = 6, 8
_Y, _X = np.mgrid[:HEIGHT, :WIDTH]
COLOUR: Array = np.stack([40 + 20 * _X, 30 + 30 * _Y, 200 - 12 * _X - 8 * _Y], -1).astype(np.uint8)
GREY: Array = (20 + 20 * _X + 10 * _Y).astype(np.uint8)
ALPHA: Array = np.array([255, 128, 0, 7], np.uint8)[(_X + _Y) % 4]
DEEP: Array = (GREY.astype(np.uint16) * 257 + 5).astype(np.uint16)
CMYK: Array = np.dstack([COLOUR, GREY // 2])
INDEX: Array = np.arange(HEIGHT * WIDTH, dtype=np.uint8).reshape(HEIGHT, WIDTH)
CLEAR = 7
TABLE = bytes(range(255, 255 - 5 * INDEX.size, -5))
"""An alpha for each colour of a palette."""


def over_white(pixels: Array, alpha: Array) -> Array:
    """Colours of 0 to 255 as a viewer shows them on a white page. ``(H, W, C), (H, W) -> (H, W, C)`` in 0 to 1."""
    share = alpha[..., None] / 255
    return pixels / 255 * share + 1 - share


def _palette(**options: Any) -> Callable[[], tuple[Image.Image, dict[str, Any]]]:
    def make() -> tuple[Image.Image, dict[str, Any]]:
        image = Image.frombytes("P", (WIDTH, HEIGHT), INDEX.tobytes())
        image.putpalette(COLOUR.tobytes())
        return image, options

    return make


def _plain(pixels: Array, mode: str = "") -> Callable[[], tuple[Image.Image, dict[str, Any]]]:
    if mode:
        return lambda: (Image.frombytes(mode, (WIDTH, HEIGHT), pixels.tobytes()), {})
    return lambda: (Image.fromarray(pixels), {})


FORMS: dict[str, tuple[Callable[[], tuple[Image.Image, dict[str, Any]]], Array | None]] = {
    "1": (_plain(GREY > 99), (GREY > 99)[..., None] * 1.0),
    "L": (_plain(GREY), GREY[..., None] / 255),
    "LA": (_plain(np.dstack([GREY, ALPHA]), "LA"), over_white(GREY[..., None], ALPHA)),
    "P": (_palette(), COLOUR / 255),
    "P with a clear colour": (_palette(transparency=CLEAR), over_white(COLOUR, np.where(INDEX == CLEAR, 0, 255))),
    "P with alphas": (_palette(transparency=TABLE), over_white(COLOUR, np.frombuffer(TABLE, np.uint8)[INDEX])),
    "RGB": (_plain(COLOUR), COLOUR / 255),
    "RGBA": (_plain(np.dstack([COLOUR, ALPHA]), "RGBA"), over_white(COLOUR, ALPHA)),
    "CMYK": (_plain(CMYK, "CMYK"), (1 - CMYK[..., :3] / 255) * (1 - CMYK[..., 3:] / 255)),
    "I;16": (_plain(DEEP), DEEP[..., None] / 65535),
    "I": (_plain(DEEP.astype(np.int32)), DEEP[..., None] / 65535),
    "F": (_plain(GREY.astype(np.float32)), None),
}
"""Mode -> what makes an image of it with its options, and the pixels that are right, ``(H, W, C)``; None: an error."""

WRITES = {
    "png": ("1", "L", "LA", "P", "P with a clear colour", "P with alphas", "RGB", "RGBA", "I;16"),
    "jpg": ("L", "RGB", "CMYK"),
    "bmp": ("1", "L", "P", "RGB"),
    "gif": ("1", "L", "P", "P with a clear colour", "RGB"),
    "webp": ("L", "RGB", "RGBA"),
    "tif": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F"),
    "tga": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "ppm": ("1", "L", "RGB", "I;16"),
    "jp2": ("L", "LA", "RGB", "RGBA", "I;16"),
    "avif": ("L", "RGB", "RGBA"),
}
"""What Pillow can write; a format that it cannot write any more is a failure, not one case less."""

LOSSY = {"jpg": 8 / 255, "avif": 8 / 255}
OPTIONS: dict[str, dict[str, Any]] = {
    "jpg": {"quality": 100, "subsampling": 0},
    "webp": {"lossless": True, "exact": True},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
}
_NAMES = {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}


def saved(ending: str, mode: str = "RGB", **options: Any) -> bytes:
    """The bytes of an image file."""
    image, own = FORMS[mode][0]()
    held = io.BytesIO()
    image.save(held, _NAMES.get(ending, ending.upper()), **{**OPTIONS.get(ending, {}), **own, **options})
    return held.getvalue()


def png(
    samples: Array, depth: int, kind: int, *before: tuple[bytes, bytes], declared: tuple[int, int] | None = None
) -> bytes:
    """A PNG by hand, from samples ``(H, W, C)`` of `depth` bits.

    Args:
        kind: 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
        before: chunks before the data, (type, content).
        declared: width and height of the head where they are to be other than those of the samples.
    """
    width, height = declared or (samples.shape[1], samples.shape[0])
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    rows = b"".join(b"\0" + _packed(row, depth) for row in samples)
    chunks = [(b"IHDR", head), *before, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _packed(row: Array, depth: int) -> bytes:
    bits = (row.reshape(-1, 1).astype(np.int64) >> np.arange(depth)[::-1]) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1)).tobytes()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


TURNS = {1: "top left", 2: "top right", 3: "bottom right", 4: "bottom left",
         5: "left top", 6: "right top", 7: "right bottom", 8: "left bottom"}  # fmt: skip
"""EXIF's own words: the side of the upright picture that the first row of the file is, and its first column."""


def stored(upright: Array, orientation: int) -> Array:
    """The rows and columns that a file with this orientation holds, by the words of the standard, pixel by pixel."""
    first_row, _ = TURNS[orientation].split()
    height, width = upright.shape[:2]
    turned = first_row in ("left", "right")  # rows of the file are columns of the picture
    out = np.empty((width, height, *upright.shape[2:]) if turned else upright.shape, upright.dtype)
    for r in range(out.shape[0]):
        for c in range(out.shape[1]):
            y, x = (c, r) if turned else (r, c)
            y = height - 1 - y if "bottom" in TURNS[orientation] else y
            x = width - 1 - x if "right" in TURNS[orientation] else x
            out[r, c] = upright[y, x]
    return out
