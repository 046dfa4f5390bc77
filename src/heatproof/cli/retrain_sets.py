"""The training and test images that networks are retrained on: both parts of a source, or a held-out part of one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from torch import Tensor

from ..data.folder import has_splits
from ..data.images import ImageSet
from ..data.labelled import labelled
from ..data.preprocess import Preprocess
from ..errors import InputError
from ..experiment.trial import evenly
from .console import bar

HELD_OUT = 5
"""Of a folder without a test part every fifth image of each class is one."""


@dataclass(frozen=True)
class Sets:
    """Training and test images with class numbers, and what to say of them."""

    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    notes: tuple[str, ...]


def read_sets(
    data: Path, how: Preprocess | None, limits: tuple[int | None, int | None], classes: tuple[str, ...] | None
) -> Sets:
    """Both parts of a source, or one part with every fifth image held out."""
    with bar("reading images") as step:
        if has_splits(data):
            parts: tuple[Literal["train", "test"], ...] = ("train", "test")
            train, test = (
                labelled(data, p, how, n, classes=classes, progress=step) for p, n in zip(parts, limits, strict=True)
            )
            return Sets(_pair(train), _pair(test), (*_skipped(train), *_skipped(test)))
        found = labelled(data, None, how, classes=classes, progress=step)
    pixels, targets = _pair(found)
    place = [int((targets[:i] == targets[i]).sum()) for i in range(len(targets))]
    tested = [i for i, n in enumerate(place) if n % HELD_OUT == HELD_OUT - 1]
    kept = [i for i, n in enumerate(place) if n % HELD_OUT != HELD_OUT - 1]
    if not tested:
        raise InputError(
            f"{data} has fewer than {HELD_OUT} images of every class, so none can be held out for the test; "
            "give more, or folders train and test"
        )
    note = f"no test part: every fifth image of each class is held out, {len(tested)} of {len(targets)}"
    train_places, test_places = (
        [places[i] for i in evenly(len(places), limit or len(places))]
        for places, limit in zip((kept, tested), limits, strict=True)
    )
    return Sets(
        (pixels[train_places], targets[train_places]),
        (pixels[test_places], targets[test_places]),
        (*_skipped(found), note),
    )


def _skipped(found: ImageSet) -> list[str]:
    return [f"skipped {file}: {reason}" for file, reason in found.skipped]


def _pair(found: ImageSet) -> tuple[Tensor, Tensor]:
    return found.pixels, cast("Tensor", found.targets)  # `labelled` always has them
