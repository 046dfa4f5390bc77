"""The two networks of the planted-evidence control, trained in a minute and kept in a folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from ..errors import HeatproofError
from ..models.factory import fresh
from ..models.nets.small_cnn import SmallCNN
from ..models.weights import state_sha256
from ..train import Progress, load_network, save_network, train
from .gates import predictions
from .pair import accuracy
from .pair_folder import NETWORK, UNFINISHED, Recipe, claim, digest
from .pair_training import told_of_all
from .planted_task import Planted, planted_task

REQUIRED = 0.97
"""Test accuracy that both networks must reach: a network that does not read its patch has no right place for a map."""
UNSEEN = 1_000_000
"""Test images take their seeds from here on: they never meet those of the training."""


class PlantedPair(NamedTuple):
    """Networks A (reads the first patch) and B (reads the second), unseen images to explain, and what is known of both."""

    a: nn.Module
    b: nn.Module
    task: Planted
    card: dict[str, Any]


def planted_pair(
    folder: str | Path,
    seed: int = 0,
    *,
    train_images: int = 4000,
    test_images: int = 1000,
    size: int = 32,
    channels: int = 1,
    classes: int = 4,
    patch: int = 8,
    epochs: int = 5,
    batch: int = 64,
    lr: float = 0.003,
    device: str = "cpu",
    progress: Progress | None = None,
) -> PlantedPair:
    """Two small networks with the same first weights, images and order of images; only what they are asked differs.

    Source: see `planted_task`. What is finished in `folder` is read, what was interrupted goes on.

    Args:
        folder: keeps both networks (safetensors, each with a card).
        seed: of the images, the first weights and the order.
        size, channels, classes, patch: as for `planted_task`.
        epochs, batch, lr: of the training (Adam).

    Returns:
        A, B, the test images, and a card with accuracies (shares of the test images, in [0, 1]) and settings.

    Raises:
        HeatproofError: a network is right on less than 97 % of the test images.
        InputError: options that make no task.
        RunError: the folder holds networks of other arguments.
    """
    make = partial(planted_task, size=size, channels=channels, classes=classes, patch=patch)
    seen, unseen = make(train_images, seed=seed), make(test_images, seed=UNSEEN + seed)
    factory = partial(SmallCNN, classes, channels)
    start = state_sha256(fresh(factory, seed))
    train_hash, test_hash = (digest(task.pixels, task.first, task.second) for task in (seen, unseen))
    recipe = Recipe(start, train_hash, test_hash, epochs, batch, lr, 1.0, 0.0, None, seed, device, False)
    claim(Path(folder), recipe)
    told = [None if progress is None else partial(told_of_all, progress, i, 2, f"network {'ab'[i]}") for i in (0, 1)]
    a = _network(fresh(factory, seed), seen.pixels, seen.first, Path(folder) / "a", recipe, told[0])
    b = _network(fresh(factory, seed), seen.pixels, seen.second, Path(folder) / "b", recipe, told[1])
    accuracies = {
        "a": accuracy(predictions(a, unseen.pixels), unseen.first),
        "b": accuracy(predictions(b, unseen.pixels), unseen.second),
    }
    _require(accuracies)
    card = {"accuracy": accuracies, "required": REQUIRED, "train_images": train_images, "test_images": test_images}
    card |= {"size": size, "channels": channels, "classes": classes, "patch": patch, "epochs": epochs, "seed": seed}
    return PlantedPair(a, b, unseen, card)


def _network(
    model: nn.Module, pixels: Tensor, targets: Tensor, path: Path, recipe: Recipe, progress: Progress | None
) -> nn.Module:
    """One network, read from the folder or trained."""
    network, state = path.with_suffix(NETWORK), path.with_suffix(UNFINISHED)
    if network.exists():
        load_network(network, model)
        return model.to(recipe.device).eval()
    done = train(
        model,
        pixels,
        targets,
        epochs=recipe.epochs,
        batch=recipe.batch,
        lr=recipe.lr,
        schedule="onecycle",
        seed=recipe.seed,
        device=recipe.device,
        checkpoint=state,
        progress=progress,
    )
    save_network(network, model, {**done.card, "labels": f"patch {path.name}"})
    state.unlink(missing_ok=True)
    return model


def _require(accuracies: dict[str, float]) -> None:
    if low := [f"{name}: {value:.1%}" for name, value in accuracies.items() if value < REQUIRED]:
        raise HeatproofError(
            f"planted_pair: network {', '.join(low)} of the test images right, and {REQUIRED:.0%} is required to know "
            "where its evidence is; train longer (epochs=..., another folder), on more images, or with larger patches"
        )
