"""The networks that claims are measured on: trained once, and kept under a name that holds their configuration."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.labels import Pair, train_pair
from ..errors import InputError
from ..faithfulness.patch import random_patch, with_patch
from ..models.nets.adebayo import CNN_DECAYED, AdebayoCNN, AdebayoMLP
from ..models.nets.alexnet import SmallAlexNet
from ..models.nets.demo_net import demo_network
from ..models.nets.rectgrad_cnn import RectGradCNN
from ..train import Progress, has_bf16, seeded
from ..training.kept import kept_network
from .data import labelled

NETS: dict[str, Callable[[], nn.Module]] = {
    "AdebayoCNN": AdebayoCNN,
    "AdebayoMLP": AdebayoMLP,
    "AlexNet/4": partial(SmallAlexNet, width=0.25, dropout=0.0),
    "RectGradCNN": RectGradCNN,
}
PAIR_TEST = 2000
"""Test images whose accuracy judges a pair."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained, by Adam. labels: "true", or "pair": one network on true and one on permuted labels.

    images: so many, evenly from all; None = all. skipped: the first images, which validate in the authors' code.
    """

    net: str
    data: str
    epochs: int
    batch: int = 100
    lr: float = 1e-3
    schedule: str | None = "onecycle"
    weight_decay: float = 0.0
    labels: str = "true"
    patched: bool = False
    images: int | None = None
    skipped: int = 0


AUTHORS = {"batch": 50, "lr": 1e-4, "schedule": None, "skipped": 5000}
"""Of the MNIST networks (code of Adebayo et al.): 55 thousand steps; 18 epochs are the 20 thousand of the paper."""
CNN = Recipe("AdebayoCNN", "MNIST", 18, **AUTHORS, weight_decay=1e-3)  # type: ignore[arg-type]
MLP = Recipe("AdebayoMLP", "MNIST", 18, **AUTHORS)  # type: ignore[arg-type]
CIFAR = Recipe("RectGradCNN", "CIFAR10", 20)
PAIR = Recipe("AdebayoCNN", "MNIST", 300, 128, 3e-4, None, labels="pair", images=6000)

TRAINED: dict[str, Recipe] = {
    "mnist-cnn": CNN,
    "mnist-mlp": MLP,
    "fashion-cnn": replace(CNN, data="FashionMNIST"),
    "cifar-clean": CIFAR,
    "cifar-patched": replace(CIFAR, patched=True),
    "labels-mnist-cnn": PAIR,
    "labels-mnist-mlp": replace(PAIR, net="AdebayoMLP"),
    "labels-fashion-cnn": replace(PAIR, data="FashionMNIST"),
    "labels-fashion-mlp": replace(PAIR, net="AdebayoMLP", data="FashionMNIST"),
    "labels-mnist-alexnet": replace(PAIR, net="AlexNet/4"),
    "scenes": Recipe("SmallCNN", "digits", 2, 64, 0.01),
}
"""Networks of the budget "full", which are those of the papers but for the number of steps of the MNIST networks."""
SHORT = {"mnist-cnn": replace(CNN, epochs=2, batch=100, lr=1e-3, schedule="onecycle"),
         "mnist-mlp": replace(MLP, epochs=2, batch=100, lr=5e-4, schedule="onecycle")}  # fmt: skip
"""What "quick" trains in their place."""
LONG = {name: replace(recipe, epochs=50) for name, recipe in TRAINED.items() if recipe.skipped} | {
    name: replace(recipe, images=None) for name, recipe in TRAINED.items() if recipe.labels == "pair"
}
"""What a GPU trains in their place: the authors' 55 thousand steps, and pairs on all images."""


MINUTES: dict[str, tuple[float, float]] = {
    "mnist-cnn": (1.5, 12), "mnist-mlp": (1, 10), "fashion-cnn": (12, 12), "scenes": (1.5, 1.5), "cifar-clean": (18, 18),
    "cifar-patched": (18, 18), "labels-mnist-cnn": (5, 5), "labels-mnist-mlp": (8, 8), "labels-fashion-cnn": (7, 7),
    "labels-fashion-mlp": (8, 8), "labels-mnist-alexnet": (8, 8),
}  # fmt: skip
"""Of one core, of (quick, full), to plan with."""


def training_minutes(name: str, budget: str) -> float:
    """Minutes of one core that a training takes."""
    return MINUTES[name][0 if budget == "quick" else 1]


def recipe_of(name: str, budget: str) -> Recipe:
    """How a network is trained in a budget: "quick", "full" or "unreduced"."""
    if name not in TRAINED:
        raise InputError(f"there is no trained network {name!r}; there are {', '.join(TRAINED)}")
    return {"quick": SHORT, "unreduced": LONG}.get(budget, {}).get(name, TRAINED[name])


def place_of(name: str, recipe: Recipe, folder: Path, device: str = "cpu") -> Path:
    """Where a network is kept: a file, and for a pair a folder; another for each kind of device and of arithmetic."""
    where = torch.device(device)
    about = {**asdict(recipe), "device": where.type, "bf16": has_bf16(where)}
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:8]
    return folder / f"{name}-{digest}{'' if recipe.labels == 'pair' else '.safetensors'}"


def is_kept(name: str, budget: str, folder: Path, device: str = "cpu") -> bool:
    """Whether a network, or both of a pair, are trained."""
    recipe = recipe_of(name, budget)
    place = place_of(name, recipe, folder, device)
    return (place / "permuted-1.safetensors").exists() if recipe.labels == "pair" else place.exists()


def train_network(
    name: str, recipe: Recipe, data: Path, folder: Path, device: str, progress: Progress | None = None
) -> tuple[nn.Module, Mapping[str, Any]]:
    """A trained network in evaluation mode and its card; read where it is kept, trained and kept there else."""
    path = place_of(name, recipe, folder, device)
    if recipe.net == "SmallCNN":
        path.parent.mkdir(parents=True, exist_ok=True)
        network, card = demo_network(path, 0, progress)
        return network.to(device).eval(), card
    pixels, targets, test, test_targets = _data(recipe, data)
    model = seeded(NETS[recipe.net], 0)
    decayed = CNN_DECAYED if recipe.weight_decay else None
    card = kept_network(
        path, model, pixels, targets, epochs=recipe.epochs, batch=recipe.batch, lr=recipe.lr,
        schedule=recipe.schedule, weight_decay=recipe.weight_decay, decayed=decayed, bf16="auto", seed=0,  # type: ignore[arg-type]
        device=device, facts={"dataset": recipe.data}, test=(test, test_targets), progress=progress,
    )  # fmt: skip
    return model.eval(), card


def train_networks(
    name: str, recipe: Recipe, data: Path, folder: Path, device: str, progress: Progress | None = None
) -> Pair:
    """A network and its twin that was trained on permuted labels, judged by their gates."""
    pixels, targets = labelled(data, recipe.data, "train")
    every = slice(None, None, len(pixels) // (recipe.images or len(pixels)))
    test, test_targets = labelled(data, recipe.data, "test", PAIR_TEST)
    return train_pair(
        NETS[recipe.net], pixels[every], targets[every], test, test_targets, place_of(name, recipe, folder, device),
        epochs=recipe.epochs, batch=recipe.batch, lr=recipe.lr, device=device, dataset=recipe.data, progress=progress,
    )  # fmt: skip


def _data(recipe: Recipe, data: Path) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Training and test images in the network's units."""
    pixels, targets = labelled(data, recipe.data, "train")
    test, test_targets = labelled(data, recipe.data, "test")
    if recipe.data != "CIFAR10":
        return pixels[recipe.skipped :], targets[recipe.skipped :], test, test_targets
    if recipe.patched:
        patch = random_patch(3) * 2 - 1
        pixels, test = with_patch(pixels, patch), with_patch(test, patch)
    return pixels, targets, test, test_targets
