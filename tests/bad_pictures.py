"""One image file: every format and mode, turned, cut, mislabelled, of impossible and of odd sizes."""

from __future__ import annotations

import io
import resource
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bad_files import Case, alike, picture, written
from bad_outcome import EITHER, ERROR
from heatproof.data.folder import read_images
from heatproof.data.preprocess import Preprocess
from made_pictures import (
    ALPHA,
    COLOUR,
    DEEP,
    FORMS,
    GREY,
    INDEX,
    LOSSY,
    OPTIONS,
    TURNS,
    WRITES,
    over_white,
    png,
    saved,
    stored,
)

NEAR, EIGHT = 1.5 / 255, Preprocess(8)


def formats() -> Iterator[Case]:
    """Every format in every mode that it has."""
    for ending, modes in WRITES.items():
        for mode in modes:
            right = FORMS[mode][1]
            make = written(f"photo.{ending}", saved(ending, mode))
            yield picture(f"{ending} in mode {mode}", make, right, near=LOSSY.get(ending, NEAR))


LENIENT = "damaged, but all of its pixels are there: shown or refused"
FOOTERS = {"png": 12, "gif": 1, "tga": 26}
"""Bytes behind all pixels that no reader needs."""


def depths() -> Iterator[Case]:
    """PNGs that Pillow cannot write: 1, 2 and 4 bits, 16 bits of each kind, with and without a clear colour."""
    deep_colour = COLOUR.astype(np.uint16) * 256 + 99  # whose two bytes are not the same
    deep_alpha = ALPHA.astype(np.uint16) * 257
    grey16 = struct.pack(">H", int(DEEP[2, 3]))
    rgb16 = struct.pack(">HHH", *map(int, deep_colour[2, 3]))
    rgb8 = struct.pack(">HHH", *map(int, COLOUR[2, 3]))
    grey8 = struct.pack(">H", int(GREY[2, 3]))
    files: dict[str, tuple[bytes, Any]] = {
        f"grey of {bits} bit": (png(_low(bits), bits, 0), _low(bits) / (2**bits - 1)) for bits in (1, 2, 4, 8)
    }
    for bits in (1, 2, 4):
        palette = COLOUR.reshape(-1, 3)[: 2**bits]
        files[f"palette of {bits} bit"] = (
            png(_low(bits), bits, 3, (b"PLTE", palette.tobytes())),
            palette[_low(bits)[..., 0]] / 255,
        )
    files |= {
        "grey of 16 bit": (png(DEEP[..., None], 16, 0), DEEP[..., None] / 65535),
        "RGB of 16 bit": (png(deep_colour, 16, 2), deep_colour / 65535),
        "grey with alpha of 16 bit": (
            png(np.dstack([DEEP, deep_alpha]), 16, 4), over_white(DEEP[..., None] / 257, ALPHA)
        ),
        "RGB with alpha of 16 bit": (png(np.dstack([deep_colour, deep_alpha]), 16, 6), over_white(COLOUR, ALPHA)),
        "grey with a clear grey": (
            png(GREY[..., None], 8, 0, (b"tRNS", grey8)), _clear(GREY[..., None] / 255, (GREY - GREY[2, 3]) == 0)
        ),
        "RGB with a clear colour": (
            png(COLOUR, 8, 2, (b"tRNS", rgb8)), _clear(COLOUR / 255, ((COLOUR - COLOUR[2, 3]) == 0).all(-1))
        ),
        "grey of 16 bit with a clear grey": (
            png(DEEP[..., None], 16, 0, (b"tRNS", grey16)), _clear(DEEP[..., None] / 65535, (DEEP - DEEP[2, 3]) == 0)
        ),
        "RGB of 16 bit with a clear colour": (
            png(deep_colour, 16, 2, (b"tRNS", rgb16)), _clear(COLOUR / 255, ((COLOUR - COLOUR[2, 3]) == 0).all(-1))
        ),
        "one bit with clear black": (
            png(_low(1), 1, 0, (b"tRNS", b"\0\0")), np.ones((*GREY.shape, 1))
        ),
    }  # fmt: skip
    for name, (content, right) in files.items():
        yield picture(f"PNG, {name}", written("photo.png", content), right)
    for kind, samples, right in ((2, COLOUR, COLOUR / 255), (6, np.dstack([COLOUR, ALPHA]), over_white(COLOUR, ALPHA))):
        head = (b"IHDR", struct.pack(">IIBBBBB", 8, 6, 8, kind, 0, 0, 0))
        twice = png(samples, 8, kind, head)
        yield picture(f"PNG with two heads, kind {kind}", written("photo.png", twice), right, EITHER, why=LENIENT)
    yield picture("PNG palette without its colours", written("photo.png", png(_low(8), 8, 3)), None)


def _low(bits: int) -> Any:
    return (INDEX % 2**bits if bits < 8 else GREY)[..., None]


def _clear(pixels: Any, where: Any) -> Any:
    return np.where(where[..., None], 1.0, pixels)


def turned() -> Iterator[Case]:
    """All orientations of EXIF, in every format that has them."""
    for ending in ("jpg", "png", "webp", "tif", "avif"):
        for orientation in (*TURNS, 0, 9, 65535):
            known = orientation if orientation in TURNS else 1
            image, exif, held = Image.fromarray(stored(COLOUR, known)), Image.Exif(), io.BytesIO()
            exif[0x0112] = orientation
            names = {"jpg": "JPEG", "tif": "TIFF"}
            more: dict[str, Any] = {"lossless": True} if ending == "webp" else {"quality": 100, "subsampling": "4:4:4"}
            image.save(held, names.get(ending, ending.upper()), exif=exif, **(more if ending != "tif" else {}))
            make = written(f"photo.{ending}", held.getvalue())
            yield picture(f"{ending} of orientation {orientation}", make, COLOUR / 255, near=LOSSY.get(ending, NEAR))


def cut() -> Iterator[Case]:
    """Every format, cut in many places: the whole picture where the rest was none of it, or an error."""
    for ending in WRITES:
        whole = saved(ending, "RGB")
        places = {0, 1, 3, 8, 20, 40, *(len(whole) * k // 8 for k in range(1, 8)), len(whole) - 12, len(whole) - 1}
        for place in sorted(places & set(range(len(whole)))):
            make = written(f"photo.{ending}", whole[:place])
            whole_pixels = place >= len(whole) - FOOTERS.get(ending, 0)
            yield picture(
                f"{ending} cut to {place} of {len(whole)} bytes",
                make,
                COLOUR / 255,
                EITHER if whole_pixels else ERROR,
                near=LOSSY.get(ending, NEAR),
                why=LENIENT if whole_pixels else "",
            )
        yield picture(
            f"{ending} with bytes behind its end", written(f"photo.{ending}", whole + b"more" * 50), COLOUR / 255,
            near=LOSSY.get(ending, NEAR),
        )  # fmt: skip


OTHER = {
    "text": b"this is not a picture, it is a line of text\n",
    "nothing": b"",
    "zeros": bytes(4000),
    "HTML": b"<!doctype html><html><body>404 not found</body></html>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><rect width='8' height='8'/></svg>",
    "PDF": b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n",
    "a zip": b"PK\x05\x06" + bytes(18),
    "a pickle": b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94.",
    "a NumPy array": b"\x93NUMPY\x01\0v\0" + b"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 2), }".ljust(117)
    + b"\n1234",
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n(owned) (w) file closefile\nshowpage\n%%EOF\n",
    "another byte order mark": "\ufeffnot a picture at all".encode("utf-16"),
    "a PNG's first bytes": b"\x89PNG\r\n\x1a\n",
    "a JPEG's first bytes": b"\xff\xd8\xff\xe0",
}  # fmt: skip


def mislabelled() -> Iterator[Case]:
    """A picture is told by its content, and what is none is told by it too."""
    for ending in WRITES:
        for other in (*WRITES, "txt", "JPG", "unknown", ""):
            if other != ending:
                make = written(f"photo.{other}".rstrip("."), saved(ending))
                yield picture(f"{ending} named .{other}", make, COLOUR / 255, near=LOSSY.get(ending, NEAR))
    gif = bytearray(saved("gif"))
    gif[6:10] = bytes(4)  # of the page; the picture on it has a size of its own
    yield picture("GIF on a page of 0 x 0", written("photo.gif", bytes(gif)), COLOUR / 255, EITHER, why=LENIENT)
    for what, content in OTHER.items():
        for ending in ("png", "jpg", "tif", "npy", "npz", "pt"):
            if (what, ending) != ("a NumPy array", "npy"):
                yield picture(f"{what} named .{ending}", written(f"photo.{ending}", content), None)


def sizes() -> Iterator[Case]:
    """One pixel, lines, no pixels, and heads that declare more than there is."""
    for height, width in ((1, 1), (1, 9), (9, 1), (1, 500), (500, 1), (2, 3)):
        pixels = np.full((height, width, 3), 51, np.uint8)
        yield picture(f"{width} x {height}", written("photo.png", png(pixels, 8, 2)), pixels / 255)
        yield picture(
            f"{width} x {height} made 8 x 8",
            written("photo.png", png(pixels, 8, 2)),
            np.full((8, 8, 3), 0.2),
            how=EIGHT,
        )
    for how in (None, EIGHT):
        for name, (ending, content) in _empty().items():
            made = "made 8 x 8" if how else "as it is"
            yield picture(f"{name} without pixels, {made}", written(f"photo.{ending}", content), None, how=how)
    large = np.full((9300, 9300, 1), 51, np.uint8)
    small = np.full((8, 8, 1), 0.2)
    yield picture("81 million pixels made 8 x 8", written("photo.png", png(large, 8, 0)), small, how=EIGHT)
    for name, (ending, content) in _bombs().items():
        says = "cannot be read" if "in it" in name else "more than [0-9]+ pixels; make it smaller"
        yield Case(f"{name} declares a huge size", _small(written(f"photo.{ending}", content)), ERROR, says)
    text = b"Comment\0\0" + zlib.compress(bytes(300_000_000), 9)
    bomb = png(COLOUR, 8, 2, (b"zTXt", text))
    read = _small(written("photo.png", bomb), COLOUR / 255)
    yield Case(
        "a comment of 300 MB in a PNG", read, EITHER, why="Pillow refuses such a comment; to skip it is as right"
    )


def _empty() -> dict[str, tuple[str, bytes]]:
    bmp = bytearray(saved("bmp"))
    bmp[18:26] = bytes(8)
    line = struct.pack(">II", 5, 0)
    return {
        "PNG": ("png", png(COLOUR, 8, 2, declared=(0, 0))),
        "PNG of height 0": ("png", png(COLOUR[:0], 8, 2, declared=(5, 0))),
        "PNG of 16 bit and width 0": ("png", png(DEEP[:, :0, None], 16, 0, declared=(0, 6))),
        "BMP": ("bmp", bytes(bmp)),
        "PPM": ("ppm", b"P6 0 5 255\n"),
        "PGM of height 0": ("pgm", b"P5 5 0 255\n"),
        "a QOI": ("png", b"qoif" + line + b"\3\0" + bytes(7) + b"\1"),
    }


def _bombs() -> dict[str, tuple[str, bytes]]:
    gif, bmp, jpg = bytearray(saved("gif")), bytearray(saved("bmp")), bytearray(saved("jpg"))
    gif[6:10] = b"\xff" * 4
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    frame = jpg.index(b"\xff\xc0")
    jpg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    return {
        "PNG": ("png", png(COLOUR, 8, 2, declared=(60_000, 60_000))),
        "PNG of the largest size": ("png", png(COLOUR, 8, 2, declared=(2**31 - 1, 2**31 - 1))),
        "PNG just over the limit": ("png", png(COLOUR, 8, 2, declared=(10_000, 10_000))),
        "PNG of a line": ("png", png(COLOUR, 8, 2, declared=(2**31 - 1, 1))),
        "PNG under the limit, with nothing in it": ("png", png(COLOUR, 8, 2, declared=(9_000, 9_000))),
        "GIF": ("gif", bytes(gif)),
        "BMP": ("bmp", bytes(bmp)),
        "JPEG": ("jpg", bytes(jpg)),
        "PPM": ("ppm", b"P6 60000 60000 255\n" + bytes(100)),
        "PPM of many digits": ("ppm", b"P6 9999999999 9999999999 255\n" + bytes(100)),
    }


def _small(make: Callable[[Path], Path], right: Any = None) -> Callable[[Path], bool]:
    """Reads within 1.5 GB more than there is now."""

    def run(folder: Path) -> bool:
        path = make(folder)
        with _memory(1_500_000_000):
            found = read_images(path)
        return right is not None and alike(found.pixels[0].numpy(), right)

    return run


@contextmanager
def _memory(more: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def odd() -> Iterator[Case]:
    """Pixels that have no known white, several frames, damaged tags."""
    for name, values in {
        "below 0": np.full((4, 4), -1, np.int32),
        "over 65535": np.full((4, 4), 70_000, np.int32),
        "NaN": np.full((4, 4), np.nan, np.float32),
        "floats": np.full((4, 4), 0.5, np.float32),
    }.items():
        held = io.BytesIO()
        Image.fromarray(values).save(held, "TIFF")
        yield picture(f"TIFF with {name}", written("photo.tif", held.getvalue()), None)
    for mode, colour, level in (("YCbCr", (120, 128, 128), 120 / 255), ("LAB", (0, 128, 128), 0.0)):
        held = io.BytesIO()
        Image.new(mode, (4, 4), colour).save(held, "TIFF")
        make = written("photo.tif", held.getvalue())
        yield picture(f"TIFF in {mode}", make, np.full((4, 4, 3), level), near=0.02)
    frames = [Image.fromarray(COLOUR), Image.fromarray(255 - COLOUR)]
    for ending in ("gif", "png", "webp", "tif", "avif"):
        held, name = io.BytesIO(), "TIFF" if ending == "tif" else ending.upper()
        frames[0].save(held, name, save_all=True, append_images=frames[1:], **OPTIONS.get(ending, {}))
        near = LOSSY.get(ending, NEAR)
        yield picture(f"{ending} of two frames", written(f"photo.{ending}", held.getvalue()), COLOUR / 255, near=near)
    for name, tag in {"no TIFF": b"nothing", "cut": b"II*\0\x08\0\0\0\x05\0\x12\x01", "empty": b""}.items():
        content = png(COLOUR, 8, 2, (b"eXIf", tag))
        yield picture(f"PNG with EXIF that is {name}", written("photo.png", content), COLOUR / 255)
    loop = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x08\0\0\0"  # its next directory is itself
    content = png(stored(COLOUR, 6), 8, 2, (b"eXIf", loop))
    yield picture("PNG with EXIF in a circle", written("photo.png", content), COLOUR / 255)
    content = png(INDEX[..., None], 8, 3, (b"PLTE", COLOUR.tobytes()[:9]))
    shown = np.where(INDEX[..., None] < 3, COLOUR, 0) / 255
    yield picture(
        "palette of fewer colours than the pixels name", written("photo.png", content), shown, EITHER, why=LENIENT
    )


PARTS = (formats, depths, turned, cut, mislabelled, sizes, odd)
