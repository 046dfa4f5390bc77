"""The networks of the check labels, from the options of the command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..checks.labels import Pair, train_pair, user_pair
from ..data.folder import has_splits
from ..data.images import ImageSet
from ..data.labelled import labelled
from ..errors import InputError
from ..models.spec import load_model
from .console import bar, console
from .inputs import Inputs

TEST_LIMIT = 2000
"""Images on which accuracies are measured: enough to tell chance to within 2 %."""


@dataclass(frozen=True)
class Relabelled:
    """What was asked for: training images and how to train, or weights that were trained on permuted labels."""

    train: Path | None
    limit: int | None
    epochs: int | None
    lr: float | None
    weights: tuple[Path, ...]
    seed: int


def pair_from(
    asked: Relabelled, given: Inputs, model: str, images: Path, checks: Sequence[str], folder: Path, device: str
) -> Pair | None:
    """The pair of the check labels; None where it was not asked for.

    Raises:
        InputError: options that contradict each other, or training images without labels.
    """
    if "labels" not in checks:
        if asked.train or asked.weights:
            raise InputError("--train and --permuted-weights belong to the check labels; add --check labels")
        return None
    if asked.weights and not asked.train:
        return _checkpoints(asked, given, model, images, device)
    if asked.train and not asked.weights:
        return _trained(asked, asked.train, given, images, folder, device)
    raise InputError(
        "the check labels compares two networks: give --train with labelled training images, and both are trained; or "
        "--weights and --permuted-weights, two checkpoints of yours"
    )


def _trained(asked: Relabelled, train: Path, given: Inputs, images: Path, folder: Path, device: str) -> Pair:
    loaded = given.loaded
    if loaded.factory is None or loaded.trained:
        raise InputError(
            "with --train both networks of the check labels are trained from random weights: leave --weights out, and name "
            "a model that can be built (torchvision:NAME, package.module:factory)"
        )
    source = labelled(train, "train" if has_splits(train) else None, loaded.preprocess, asked.limit)
    targets = _targets(source, train)
    test, classes = _test(images, given, source.classes)
    _same_images(source.pixels, test)
    more: dict[str, Any] = {"epochs": asked.epochs, "lr": asked.lr}
    with bar("training on true and on permuted labels") as step:
        pair = train_pair(
            loaded.factory,
            source.pixels,
            targets,
            test,
            classes,
            folder / "labels",
            seed=asked.seed,
            device=device,
            dataset=str(train),
            progress=lambda done, total, info: step(done, total, None, info),
            **{k: v for k, v in more.items() if v is not None},
        )
    _told(pair)
    return pair


def _checkpoints(asked: Relabelled, given: Inputs, model: str, images: Path, device: str) -> Pair:
    if not given.loaded.trained:
        raise InputError("--permuted-weights needs --weights, the checkpoint trained on true labels, to compare with")
    networks = [load_model(model, path, device=device).model for path in asked.weights]
    pair = user_pair(given.loaded.model, networks, *_test(images, given, None))
    _told(pair)
    return pair


def _test(images: Path, given: Inputs, classes: Sequence[str] | None) -> tuple[Tensor, Tensor]:
    found = labelled(
        images, "test" if has_splits(images) else None, given.loaded.preprocess, TEST_LIMIT, classes=classes
    )
    return found.pixels, _targets(found, images)


def _targets(found: ImageSet, path: Path) -> Tensor:
    if found.targets is None:
        raise InputError(f"{path} has no labels; the check labels trains on them, and measures accuracies")
    return found.targets


def _same_images(train: Tensor, test: Tensor) -> None:
    if train.shape[1:] != test.shape[1:]:
        raise InputError(
            f"training images are {tuple(train.shape[1:])} and test images {tuple(test.shape[1:])}; give a size (--size)"
        )


def _told(pair: Pair) -> None:
    for gate in pair.gates["gates"]:
        holds = {True: "holds", False: "does not hold", None: "not measured"}[gate["holds"]]
        console.print(
            f"{gate['name']}: {_percent(gate['value'])} ({gate['rule']} {gate['limit']:.1%}): {holds}", markup=False
        )
    console.print(pair.gates["why"], style=None if pair.gates["concluded"] else "yellow", markup=False)


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1%}"
