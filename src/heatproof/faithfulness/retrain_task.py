"""What the jobs of a remove-and-retrain run share, and what tells them apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from ..checks.subject import Row
from .retrain_data import Entry, Palette

ACCURACY, TIED = "accuracy", "tied_share"
SHARD = 512
"""Images of one rank job."""


@dataclass(frozen=True)
class Recipe:
    """How every network is trained, as in `heatproof.train.train`; part of the identity of each result.

    stack: networks trained at once. threads: of a job.
    """

    epochs: int
    batch: int
    lr: float
    optimizer: str
    weight_decay: float
    schedule: str | None
    bf16: bool
    device: str
    threads: int
    stack: int


@dataclass(frozen=True)
class Task:
    """All that the jobs of a run share; picklable where factory and methods are.

    Attributes:
        model: the explained network. train, test: pixels and targets, on the device of the recipe.
        methods: by the name of their ranks, controls among them. maps: precomputed, by name: of train and test images.
        rules: how each entry's maps are ranked. blurred: those that are ranked blurred as well.
        chunk: images explained in one pass.
    """

    model: nn.Module
    train: tuple[Tensor, Tensor]
    test: tuple[Tensor, Tensor]
    factory: Callable[[], nn.Module]
    methods: Mapping[str, Any]
    maps: Mapping[str, tuple[Tensor, Tensor]]
    rules: Mapping[str, str]
    blurred: tuple[str, ...]
    colours: Palette
    recipe: Recipe
    chunk: int
    seed: int

    def part(self, name: str) -> tuple[Tensor, Tensor]:
        return self.train if name == "train" else self.test


@dataclass(frozen=True)
class Variant:
    """One retrained network. place: of the fraction among all, from 1 on; 0 with fraction None is the unchanged data."""

    entry: Entry
    direction: str
    place: int
    fraction: float | None
    seed: int


Ranks = tuple[Tensor, Tensor]
"""Of train and test images, ``(N, H, W)``, on the device of the images."""


def row(name: str, check: str, stage: int, metric: str, image: int, seed: int, value: float, error: str = "") -> Row:
    return name, check, stage, metric, image, seed, value, "failed" if error else "ok", error
