"""Which files of a folder are images, and of which class and split. Reads names only, never pixels."""

from __future__ import annotations

import os
import pickle
import struct
import tokenize
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .choice import Split

EXTENSIONS = (
    ".avif", ".bmp", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga",
    ".tif", ".tiff", ".webp",
)  # fmt: skip
"""Endings looked for in a folder, in any case; files of other endings (csv, md, txt) are passed over silently."""

STACKS = (".npy", ".npz", ".pt", ".pth")
"""Endings that `heatproof.data.stack` reads: many images in one file."""

TRAIN, HELD_OUT = ("train", "training"), ("test", "testing", "val", "valid", "validation")
"""Names of the folders of a split, in any case; of several held-out parts the first is taken."""

DAMAGED = (
    OSError, EOFError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, SyntaxError, RuntimeError,
    AssertionError, MemoryError, UserWarning, struct.error, zlib.error, pickle.PickleError, tokenize.TokenError,
)  # fmt: skip
"""What the readers of Pillow, numpy, torch and safetensors raise on a damaged file: anything but an interrupt."""

_Key = tuple[int, int]  # device and inode of a folder


@dataclass(frozen=True)
class Found:
    """An image file: its name inside the folder (posix), where it is, and its class folder if it lies in one."""

    name: str
    path: Path
    label: str | None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within: what the system refuses, a folder that may not be entered or a name that is too long, is an `InputError`."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror or error}; expected images, a folder of them, or a stack, open to you"
        ) from error


def find_images(root: Path) -> tuple[list[Found], list[tuple[str, str]]]:
    """Every image file below a folder, sorted by name, and what could not be looked into with the reason.

    The first folder level is the label. Hidden files and folders are passed over; symbolic links are followed, but no
    folder is read twice, so loops end.
    """
    skipped: list[tuple[str, str]] = []
    found = [_found(root, path) for path in _walk(root, root, set(), skipped) if _is_image(path)]
    return sorted(found, key=lambda item: item.name), skipped


def split_folders(root: Path) -> dict[Split, Path]:
    """Where the parts of a data set lie: ``train`` and, of ``test`` and ``val``, the first; empty where one is missing."""
    try:
        folders = {path.name.lower(): path for path in sorted(root.iterdir()) if path.is_dir()}
    except OSError:
        return {}
    train = next((folders[name] for name in TRAIN if name in folders), None)
    held_out = next((folders[name] for name in HELD_OUT if name in folders), None)
    return {"train": train, "test": held_out} if train and held_out else {}


def class_folders(root: Path) -> set[str]:
    """The folders of the first level that hold an image, at whatever depth."""
    found = {path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")}
    return {readable(path.name) for path in found if any(_is_image(p) for p in _walk(path, path, set(), []))}


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS


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
