"""Image files and folders of every kind: each is read as the test made it, or is an error of ours.

    python tests/bad_input.py        # runs these cases too and prints their count

The judge knows the pixels because the case made them by hand; it never reads a file.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bad_outcome import CORRECT, EITHER, ERROR, outcome_of
from heatproof.data.folder import read_images
from heatproof.data.preprocess import Preprocess

Array = np.ndarray[Any, Any]
NEAR = 1.5 / 255


@dataclass(frozen=True)
class Case:
    """run: makes its files below a new folder, reads them, and tells whether what was read is right. why: of `EITHER`."""

    name: str
    run: Callable[[Path], Any]
    wants: str
    says: str = ""
    why: str = ""


def outcome(case: Case) -> str:
    """`CORRECT`, `ERROR`, or what is wrong."""
    with tempfile.TemporaryDirectory(prefix="heatproof ü ") as held:
        folder = Path(held)
        folder.chmod(0o755)
        assert (case.wants == EITHER) == bool(case.why), f"{case.name}: either, without a reason"
        return outcome_of(lambda: case.run(folder), case.wants, case.says)


def picture(
    name: str,
    make: Callable[[Path], Path],
    right: Array | None,
    wants: str = "",
    *,
    how: Preprocess | None = None,
    near: float = NEAR,
    says: str = "",
    why: str = "",
) -> Case:
    """A case of one image: `make` writes it below a folder and tells where; right is ``(H, W, C)`` in 0 to 1."""

    def run(folder: Path) -> bool:
        path = make(folder)
        before = files_below(folder)
        found = read_images(path, how)
        assert files_below(folder) == before, "reading changed a file"
        return right is not None and len(found) == 1 and alike(found.pixels[0].numpy(), right, near)

    return Case(name, run, wants or (ERROR if right is None else CORRECT), says, why)


def alike(found: Array, right: Array, near: float = NEAR) -> bool:
    """``(C, H, W)`` as read against ``(H, W, C)`` as made; grey may have become three equal channels."""
    shown = found.transpose(1, 2, 0)
    right = np.broadcast_to(right, (*right.shape[:2], max(right.shape[2], shown.shape[2])))
    return shown.shape == right.shape and bool((abs(shown - right) <= near).all())


def files_below(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below a folder with its length and time of change."""
    held = ((path, path.lstat()) for path in folder.rglob("*"))
    return {os.fspath(path): (status.st_size, status.st_mtime_ns) for path, status in held}


def written(name: str, content: bytes) -> Callable[[Path], Path]:
    """What writes a file of that name."""

    def make(folder: Path) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


def cases() -> Iterator[Case]:
    from bad_pictures import PARTS as PICTURES
    from bad_places import PARTS as PLACES
    from bad_stacks import PARTS as STACKS

    for part in (*PICTURES, *PLACES, *STACKS):
        yield from part()
