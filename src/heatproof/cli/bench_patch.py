"""The command ``bench patch``: a network trained on images with a patch that means nothing, and maps inside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..experiment.folder import PATCHED
from ..faithfulness.patch import random_patch, with_patch
from ..models.factory import fresh
from ..progress import training_bar
from ..train import accuracy
from ..training.kept import kept_network
from .inputs import Inputs
from .pair_data import training_data
from .patch_training import PatchTraining


def patch_of(given: Inputs, size: int, seed: int) -> Tensor:
    """The patch in the model's units, ``(C, size, size)``.

    Raises:
        InputError: the units are unknown.
    """
    found = given.images
    if found.mean is None or found.std is None:
        raise InputError("bench patch draws a patch in pixel space, and the images' mean and std are unknown; give --mean "
                         "and --std")  # fmt: skip
    mean, std = (torch.tensor(v)[:, None, None] for v in (found.mean, found.std))
    return (random_patch(found.pixels.shape[1], size, seed) - mean) / std


def rehearsed(given: Inputs, training: PatchTraining, size: int) -> tuple[Inputs, dict[str, Any]]:
    """What `patched` gives, with the network untrained."""
    pixels = with_patch(given.images.pixels, patch_of(given, size, training.patch_seed))
    images = replace(given.images, held=pixels)
    return replace(given, images=images), {"patch": {"size": size, "seed": training.patch_seed}}


def patched(
    given: Inputs, images: Path, training: PatchTraining, size: int, folder: Path, device: str
) -> tuple[Inputs, dict[str, Any]]:
    """The network trained on patched images, the patched images to explain, and what the report says of it.

    Raises:
        InputError: neither training images nor weights.
    """
    seed = training.patch_seed
    patch = patch_of(given, size, seed)
    pixels = with_patch(given.images.pixels, patch)
    occluded = replace(given, images=replace(given.images, held=pixels))
    if not training.train:
        if not given.loaded.trained:
            raise InputError(
                "bench patch needs a network that was trained on patched images: give --train with labelled training "
                "images, and it is trained here; or --weights of one that was trained with the same --patch-seed"
            )
        note = "the network was not trained here: that its training images carried this patch is for you to know"
        return occluded, {"patch": {"size": size, "seed": seed}, "warnings": [note]}
    data = training_data(Path(training.train), training.train_limit or None, given, images)
    model = fresh(data.factory, seed)
    with training_bar("training on patched images") as told:
        card = kept_network(
            folder / PATCHED / "network.safetensors", model, with_patch(data.pixels, patch), data.targets,
            epochs=training.epochs, batch=100, lr=training.lr, bf16="auto", seed=seed, device=device,
            progress=told,
        )  # fmt: skip
    facts: Mapping[str, Any] = {
        "size": size,
        "seed": seed,
        "training_images": card["images"],
        "epochs": card["epochs"],
        "test_accuracy": round(accuracy(model, with_patch(data.test_pixels, patch), data.test_targets), 4),
    }
    loaded = replace(given.loaded, model=model, trained=True, weights=None)
    return replace(occluded, loaded=loaded), {"patch": dict(facts)}
