"""What the jobs of an audit are given and what they leave: the subject, its maps under one network, and a job's record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ..data.streamed import Images
from ..similarity.comparison import Reader, read
from ..types import Explain, Score
from .blocks import Block

Row = tuple[str, str, int, str, int, int, float, str, str]
"""(method, check, stage, metric, image, seed, value, status, error), `results.COLUMNS` less model and dataset."""


@dataclass(frozen=True, eq=False)  # known by identity, so that what was found out of it can be kept beside it
class Subject:
    """What is audited: a private model, its images and targets, and how it is randomised.

    metrics are texts as `heatproof.similarity.metrics` reads them; black is a black pixel in the model's units, ``(C,)``,
    None for 0. noise: a method that averages over noise draws the same for every network ("shared"), or its own ("fresh").
    """

    model: nn.Module
    images: Images
    targets: Tensor
    methods: Mapping[str, Explain]
    metrics: tuple[str, ...]
    score: Score
    blocks: tuple[Block, ...]
    calibration: Tensor
    factory: Callable[[], nn.Module] | None = None
    init: str | Mapping[str, Tensor] = "original"
    std: float = 0.01
    batch_norm: str = "reestimate"
    classes: str = "fixed"
    chunk: int = 8
    seed: int = 0
    draws: str = "nested"
    black: Tensor | None = None
    noise: str = "shared"


@dataclass
class Record:
    """Rows of a job, and the raw maps that it keeps under "method|image|check|stage"; chunk: the images in one pass, where
    memory did not suffice for as many as were asked for."""

    rows: list[Row] = field(default_factory=list)
    maps: dict[str, Tensor] = field(default_factory=dict)
    chunk: int | None = None


@dataclass(frozen=True)
class Maps:
    """The maps of one variant: by method, or the error that a method raised; and what was read of them to compare them."""

    maps: dict[str, Tensor]
    errors: dict[str, str]
    _known: dict[tuple[str, bool], dict[Reader, Any]] = field(default_factory=dict, repr=False, compare=False)

    def features(self, name: str, readers: Iterable[Reader], apart: bool) -> Mapping[Reader, Any]:
        """What readers of comparisons read of a method's maps, kept for every pair that these maps are part of."""
        known = self._known.setdefault((name, apart), {})
        if missing := [reader for reader in readers if reader not in known]:
            known |= read(self.maps[name], missing, apart)
        return known
