"""Which files of a folder are images, and which of many are taken. Reads names only, never pixels."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

EXTENSIONS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Endings looked for in a folder, in any case; files of other endings (csv, md, txt) are passed over silently."""

STACKS = (".npy", ".npz", ".pt", ".pth")
"""Endings that `heatproof.data.stack` reads: many images in one file."""

DAMAGED = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SyntaxError, RuntimeError,
    AssertionError, MemoryError, UserWarning, struct.error, zlib.error, pickle.PickleError,
)  # fmt: skip
"""What the readers of Pillow, numpy, torch and safetensors raise on a damaged file: anything but an interrupt."""

_Key = tuple[int, int]  # device and inode of a folder


@dataclass(frozen=True)
class Found:
    """An image file: its name inside the folder (posix), where it is, and its class folder if it lies in one."""

    name: str
    path: Path
    label: str | None


def find_images(root: Path) -> tuple[list[Found], list[tuple[str, str]]]:
    """Every image file below a folder, sorted by name, and what could not be looked into with the reason.

    The first folder level is the label. Hidden files and folders are passed over; symbolic links are followed, but no
    folder is read twice, so loops end.
    """
    skipped: list[tuple[str, str]] = []
    found = [_found(root, path) for path in _walk(root, root, set(), skipped) if path.suffix.lower() in EXTENSIONS]
    return sorted(found, key=lambda item: item.name), skipped


def spread(count: int, limit: int | None, seed: int | None) -> list[list[int]]:
    """Cut ``range(count)`` into `limit` runs of equal length: take one of each run, in the order given.

    Evenly spread, so that a folder sorted by class is not cut to its first classes; the rest of a run stands in where
    the first file cannot be read. Without a limit every run is one file. With a seed the order inside a run is drawn.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit={limit}: expected the number of images to read, at least 1, or None for all")
    runs = count if limit is None else min(limit, count)
    cut = [list(range(i * count // runs, (i + 1) * count // runs)) for i in range(runs)]
    if seed is None:
        return cut
    rng = np.random.default_rng(seed)
    return [[int(i) for i in rng.permutation(run)] for run in cut]


def _found(root: Path, path: Path) -> Found:
    parts = path.relative_to(root).parts
    return Found(readable("/".join(parts)), path, readable(parts[0]) if len(parts) > 1 else None)


def readable(name: str) -> str:
    """The name as text that can be written anywhere: bytes that are not UTF-8 become the replacement character."""
    return os.fsencode(name).decode("utf-8", "replace")


def _walk(root: Path, folder: Path, seen: set[_Key], skipped: list[tuple[str, str]]) -> Iterator[Path]:
    """Files below a folder; real folders before links to them, so that a link never hides what it points to."""
    try:
        seen.add(_key(folder))
        entries = sorted(folder.iterdir(), key=lambda p: (p.is_symlink(), p.name))
    except OSError as error:
        skipped.append((_inside(root, folder), f"the folder cannot be read: {error.strerror}"))
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield entry
        elif _key(entry) not in seen:
            yield from _walk(root, entry, seen, skipped)
        else:
            skipped.append((_inside(root, entry), "a link to a folder that was already read"))


def _inside(root: Path, path: Path) -> str:
    return readable(path.relative_to(root).as_posix())


def _key(folder: Path) -> _Key:
    stat = folder.stat()
    return stat.st_dev, stat.st_ino
