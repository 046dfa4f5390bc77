"""The networks of the check labels, from the options of the command."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..checks.labels import Pair, train_pair, user_pair
from ..errors import InputError, RunError
from ..models.factory import fresh
from ..models.saved import read_card
from ..models.spec import load_model
from .console import console
from .inputs import Inputs
from .pair_data import TrainingData, own_test_images


@dataclass(frozen=True)
class Relabelled:
    """What was asked for: training images and how to train, or weights that were trained on permuted labels."""

    train: Path | None
    limit: int | None
    epochs: int | None
    lr: float | None
    weights: tuple[Path, ...]
    seed: int


def check_asked(asked: Relabelled, checks: Sequence[str]) -> None:
    """Raise `InputError` for options that contradict each other or would be ignored."""
    networks = {"--train": asked.train, "--permuted-weights": asked.weights}
    training = {"--train-limit": asked.limit, "--epochs": asked.epochs, "--lr": asked.lr}
    given = [name for name, value in (networks | training).items() if value not in (None, ())]
    if asked.lr is not None and not 0 < asked.lr < math.inf:
        raise InputError(f"--lr {asked.lr}: expected a learning rate over 0, such as 0.0003")
    if "labels" not in checks:
        if given:
            raise InputError(f"{', '.join(given)} belong to the check labels; add --check labels, or leave them out")
    elif asked.train and asked.weights:
        raise InputError(
            "--train makes both networks of the check labels, and --permuted-weights brings them; leave one of the two out"
        )
    elif not asked.train and not asked.weights:
        raise InputError(
            "the check labels compares two networks: give --train with labelled training images, and both are trained; or "
            "--weights and --permuted-weights, two checkpoints of yours"
        )
    elif not asked.train and (idle := [name for name in given if name in training]):
        raise InputError(f"{', '.join(idle)} belong to --train, and nothing is trained here; leave them out")


def untrained_pair(data: TrainingData, given: Inputs, seed: int, device: str) -> Pair:
    """Two networks to plan an audit with before the pair is trained."""
    return Pair(given.loaded.model, (fresh(data.factory, seed + 1).to(device),), {})


def own_pair(asked: Relabelled, given: Inputs, model: str, images: Path, device: str) -> Pair:
    """The pair of the user's checkpoints, judged as far as their cards and the test images go."""
    if not given.loaded.trained or given.loaded.weights is None:
        raise InputError("--permuted-weights needs --weights, the checkpoint trained on true labels, to compare with")
    networks = [load_model(model, path, device=device).model for path in asked.weights]
    files = [Path(given.loaded.weights), *asked.weights]
    cards = [read_card(file) if file.suffix == ".safetensors" else {} for file in files]
    pair = user_pair(given.loaded.model, networks, *own_test_images(images, given), cards=cards)
    _told(pair)
    return pair


def trained_pair(asked: Relabelled, data: TrainingData, given: Inputs, folder: Path, device: str) -> Pair:
    """Train both networks, or read what is finished.

    Raises:
        RunError: one of them has not learned its labels; nothing is audited then, so that the run folder stays free.
    """
    more: dict[str, Any] = {"epochs": asked.epochs, "lr": asked.lr}
    pair = train_pair(
        data.factory,
        data.pixels,
        data.targets,
        data.test_pixels,
        data.test_targets,
        folder / "labels",
        seed=asked.seed,
        device=device,
        dataset=str(asked.train),
        **{k: v for k, v in more.items() if v is not None},
    )
    _told(pair)
    if any(gate["holds"] is False and "training accuracy" in gate["name"] for gate in pair.gates["gates"]):
        raise RunError(
            "the networks have not learned their labels; nothing was audited. The same command with more --epochs goes on "
            f"from here (they are in {folder / 'labels'}); fewer images (--train-limit) are learned sooner (another --out)"
        )
    return pair


def _told(pair: Pair) -> None:
    for gate in pair.gates["gates"]:
        holds = {True: "holds", False: "does not hold", None: "not measured"}[gate["holds"]]
        console.print(
            f"{gate['name']}: {_percent(gate['value'])} ({gate['rule']} {gate['limit']:.1%}): {holds}", markup=False
        )
    console.print(pair.gates["why"], style=None if pair.gates["concluded"] else "yellow")


def _percent(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1%}"
