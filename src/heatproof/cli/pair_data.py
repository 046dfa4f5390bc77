"""The images and class numbers of the check labels, with one numbering for training, tests and names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.unseen import seen
from ..data.choice import Split
from ..data.folder import has_splits
from ..data.images import ImageSet
from ..data.labelled import labelled
from ..errors import InputError
from ..models.spec import LoadedModel
from ..training.trial import class_count
from .console import bar
from .inputs import Inputs, about

TEST_LIMIT = 2000
"""Images on which accuracies are measured: enough to tell chance to within 2 %."""


@dataclass(frozen=True)
class TrainingData:
    """What both networks are trained and tested on.

    Attributes:
        factory: makes the network with random weights.
        pixels, targets, test_pixels, test_targets: as for `train_pair`.
        classes: names in the order of the outputs.
    """

    factory: Callable[[], nn.Module]
    pixels: Tensor
    targets: Tensor
    test_pixels: Tensor
    test_targets: Tensor
    classes: tuple[str, ...]

    def warnings(self, images: ImageSet) -> list[str]:
        """What to say of audited images that are trained on."""
        if not (count := seen(self.pixels, images.pixels)):
            return []
        return [
            f"{count} of the {len(images)} audited images were trained on: their maps are of labels learned by heart"
        ]


def training_data(train: Path, limit: int | None, given: Inputs, images: Path) -> TrainingData:
    """Images of both sides.

    Raises:
        InputError: a network that cannot be trained here, images without labels, two sources that do not go together,
            class names that are not those of the training images.
    """
    loaded = given.loaded
    factory, reason = loaded.factory, _not_trainable(loaded)
    if factory is None or reason:
        raise InputError(f"--train trains networks of this kind from random weights: {reason}")
    part: Split | None = "train" if has_splits(train) else None
    one = labelled(train, part, loaded.preprocess, 1)
    own = one.classes or ()
    _check_shapes(one.pixels, given.images.pixels)
    _check_names(own, given, train, images)
    with bar("reading training images") as step:
        source = labelled(train, part, loaded.preprocess, limit, classes=given.listed, progress=step)
    test = _test(images, given, source.classes)
    return TrainingData(factory, source.pixels, _targets(source), test.pixels, _targets(test), source.classes or own)


def own_test_images(images: Path, given: Inputs) -> tuple[Tensor, Tensor]:
    """Images and class numbers for networks of the user, whose numbering is that of their class names.

    Raises:
        InputError: folder names that are no class names, or, without class names, are not as many as the outputs.
    """
    names = given.listed or given.loaded.categories
    found = _test(images, given, names)
    if names is None and given.images.targets is None:
        outputs = class_count(given.loaded.model, found.pixels, f"--images {images}")
        if found.classes is not None and len(found.classes) != outputs:
            raise InputError(
                f"{images} has {len(found.classes)} classes and the network {outputs} outputs, so the numbers of the "
                "classes are unknown; give --class-names, a file with the name of every output in its order"
            )
    return found.pixels, _targets(found)


def about_training(given: Inputs, data: TrainingData | None) -> dict[str, Any]:
    """What the report says of model and images; random weights are no news where networks are trained from them."""
    facts = about(given)
    if data:
        facts["warnings"] = [w for w in facts["warnings"] if "random weights" not in w] + data.warnings(given.images)
    return facts


def _test(images: Path, given: Inputs, classes: tuple[str, ...] | None) -> ImageSet:
    part: Split | None = "test" if has_splits(images) else None
    return labelled(images, part, given.loaded.preprocess, TEST_LIMIT, classes=classes)


def _targets(found: ImageSet) -> Tensor:
    return torch.zeros(0, dtype=torch.int64) if found.targets is None else found.targets  # `labelled` always has them


def _check_names(own: tuple[str, ...], given: Inputs, train: Path, images: Path) -> None:
    names, said = given.listed or given.loaded.categories, given.images.classes
    if names is not None and len(names) != len(own):
        whose = "--class-names" if given.listed else given.loaded.name
        raise InputError(
            f"{whose} names {len(names)} classes, and {train} has {len(own)}; give a name for each class of the training "
            "images, and a model with as many outputs"
        )
    if given.images.targets is not None and said is not None and not set(said) <= set(own):
        raise InputError(
            f"{train} has the classes {', '.join(own[:3])}, ... and {images} has {', '.join(said[:3])}, ...; give training "
            "and test images of one data set, with the same class names"
        )


def _check_shapes(train: Tensor, test: Tensor) -> None:
    if train.shape[1] != test.shape[1]:
        raise InputError(
            f"training images have {train.shape[1]} channels and test images {test.shape[1]}; give both grey or both in "
            "colour, as the model takes them"
        )
    if train.shape[2:] != test.shape[2:]:
        raise InputError(
            f"training images are {tuple(train.shape[2:])} pixels and test images {tuple(test.shape[2:])}; give a size "
            "(--size)"
        )


def _not_trainable(loaded: LoadedModel) -> str:
    """Why no network can be trained from the model's factory, and what to do; "" where one can."""
    if loaded.trained:
        return "leave --weights out"
    if loaded.factory is not None:
        return ""
    if loaded.weights is not None:
        return "a program brings its weights; name a model that can be built (torchvision:NAME, package.module:factory)"
    return "the factory makes the same weights whatever the seed; let it neither load any nor call torch.manual_seed"
