"""Images with class numbers, for training and for accuracies: whatever the source, numbers from 0 and a name for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from .arrays import load_stack
from .batch import Progress
from .choice import Order, Split, check_split
from .folder import has_splits, read_images
from .images import ImageSet
from .preprocess import Preprocess

COPIES = "__MACOSX"


def labelled(
    path: str | Path,
    split: Split | None = None,
    preprocess: Preprocess | None = None,
    limit: int | None = None,
    *,
    classes: Sequence[str] | None = None,
    order: Order = "spread",
    seed: int | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """Images whose ``targets`` (int64 ``(N,)``, 0 to k - 1), ``labels`` and ``classes`` (k names) are all known.

    The numbers are the source's own where it has any (MNIST, CIFAR-10, stacks with whole numbers). Names are numbered
    in sorted order, as torchvision's ImageFolder does it: class folders of training and test part taken together,
    so that both parts of one source, and any `limit`, have the same numbering.

    Args:
        path, preprocess, limit, order, seed, progress: as for `read_images`.
        split: "train" or "test" where the source has both, which must then be said; else None.
        classes: names in the order of the numbers, for another numbering of names, or to name numbers; may name classes
            that the source lacks.

    Returns:
        An `ImageSet`; what could not be read is in its ``skipped``.

    Raises:
        InputError: images without a class, classes that cannot be numbered, fewer than two classes, a split that is
            missing or not there; and what `read_images` raises.
    """
    path = Path(path)
    check_split(split)
    if split is None and has_splits(path):
        raise InputError(f"{path} has a training and a test part; give split='train' or split='test'")
    given = _checked(classes)
    found = _without_copies(read_images(path, preprocess, limit, seed, progress, split=split, order=order))
    names, targets = _by_name(found, given) if found.targets is None else _by_number(found, found.targets, given)
    if len(names) < 2:
        raise InputError(f"every image of {path} has the class {names[0]!r}; expected two classes or more")
    return replace(found, targets=targets, labels=tuple(names[i] for i in targets.tolist()), classes=names)


def _without_copies(found: ImageSet) -> ImageSet:
    """Without the folder that zip files made on a Mac bring along."""
    kept = [i for i, label in enumerate(found.labels) if label != COPIES]
    if found.classes is None or COPIES not in found.classes or not kept:
        return found
    return replace(found.take(kept), classes=tuple(name for name in found.classes if name != COPIES))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


def _checked(classes: Sequence[str] | None) -> tuple[str, ...] | None:
    if classes is None:
        return None
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        raise InputError(f"classes={classes!r}: expected the names of the classes, such as ('cat', 'dog')")
    names = tuple(classes)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"classes names {twice[0]!r} twice; expected every name once")
    return names


def _by_name(found: ImageSet, given: tuple[str, ...] | None) -> tuple[tuple[str, ...], Tensor]:
    names = given if given is not None else found.classes
    bare = [name for name, label in zip(found.names, found.labels, strict=True) if label is None]
    if bare or names is None:
        raise InputError(
            f"{found.source} has no class for {len(bare)} of {len(found)} images ({bare[0]}); expected one folder per "
            "class (cat/1.png, dog/2.png), or a stack with labels: numpy.savez('x.npz', images=..., labels=...)"
        )
    number = {name: i for i, name in enumerate(names)}
    known = {*(found.classes or ()), *(label for label in found.labels if label is not None)}
    if strange := sorted(known - set(number)):
        raise InputError(
            f"{found.source} has the class {strange[0]!r}, which is not one of classes=({_some(names)}); add "
            "it (--class-names: all names in the order of the outputs), or leave its images out"
        )
    return names, torch.tensor([number[str(label)] for label in found.labels], dtype=torch.int64)


def _by_number(found: ImageSet, targets: Tensor, given: tuple[str, ...] | None) -> tuple[tuple[str, ...], Tensor]:
    names, (low, high) = given if given is not None else found.classes, _range(found)
    if names is None:
        raise InputError(
            f"the class numbers in {found.source} go from {low} to {high} and not from 0 without gaps; number them from "
            "0, or give classes= (--class-names) with a name for every number from 0"
        )
    if low < 0 or high >= len(names):
        raise InputError(
            f"{found.source} has class numbers from {low} to {high}, but classes has {len(names)} names; expected one "
            "for every number from 0"
        )
    if found.classes is not None and names != found.classes and set(names) == set(found.classes):
        raise InputError(
            f"classes={names!r} is another order than {found.source} has: its numbers stand for {found.classes!r}"
        )
    return names, targets


def _range(found: ImageSet) -> tuple[int, int]:
    """The least and the greatest class number of the whole source, whatever was read of it."""
    if found.classes is not None:
        return 0, len(found.classes) - 1
    labels = np.asarray(load_stack(Path(found.source))[1])  # only a stack has numbers without classes
    return int(labels.min()), int(labels.max())
