"""Max-sensitivity (Yeh et al. 2019): how far a map moves at most when its image moves a little."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.subject import Record
from ..engine.chunks import sample_generators
from ..errors import InputError
from ..score import logit
from ..types import Explain, Score
from .kind import Batch, Bench, Kind, Measure, batch_of
from .probe import alone, batches, finite_or_nan, map_at, maps_at, recorded


@dataclass(frozen=True)
class Ball:
    """Options of the ball around an image."""

    radius: float = field(default=0.02, metadata={"help": "largest change of a value, in the model's units"})
    samples: int = field(default=10, metadata={"help": "points of the ball for each image"})

    def __post_init__(self) -> None:
        if not (isfinite(self.radius) and self.radius > 0) or self.samples < 1:
            raise InputError(
                f"radius={self.radius}, samples={self.samples}; expected a radius > 0 and samples from 1 on"
            )


def max_sensitivity(
    model: nn.Module,
    images: Tensor,
    explain: Explain,
    targets: Any = None,
    *,
    radius: float = 0.02,
    samples: int = 10,
    score: Score = logit,
    chunk: int = 8,
    seed: int = 0,
    index: Tensor | None = None,
) -> Tensor:
    """``max_d |Phi(x + d) - Phi(x)| / |Phi(x)|`` over random d of a ball, Euclidean norms. ``(B, C, H, W) -> (B,)``.

    d is uniform in the cube of half-side `radius` (a ball of the maximum norm). The class stays that of the clean image,
    and the method's own noise stays the same. Source: Yeh et al. 2019, arXiv:1901.09392, definition 3.1, divided by the
    norm as in Captum's ``sensitivity_max``; deviation: a map that is all zero has no value, instead of a division by 1.

    Args:
        targets: int64 ``(B,)``; None = the predicted class of the clean image.
        radius: in the model's units. samples: points of the ball.
        chunk, seed, index: images per pass; points and the method's noise come from (seed, index).

    Returns:
        float64, 0 and up, lower = more stable (a map that ignores the image has 0: low is necessary, never sufficient).

    Raises:
        InputError: options or targets out of range.

    Example:
        >>> from heatproof import gradient
        >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
        >>> max_sensitivity(linear, torch.rand(1, 1, 2, 2), gradient)
        tensor([0.], dtype=torch.float64)
    """
    options, subject = Ball(radius, samples), alone(model, explain, images, score, chunk, seed)
    worst = []
    for count, batch in batches(subject.model, images, targets, score, chunk, index):
        maps = map_at(subject, explain, batch)
        moves = [
            moved(maps, map_at(subject, explain, near, f"ball/{k}"))
            for k, near in enumerate(neighbours(batch, options, seed))
        ]
        worst.append(torch.stack(moves).amax(0)[:count])
    return torch.cat(worst)


def neighbours(batch: Batch, options: Ball, seed: int) -> Iterator[Batch]:
    """The batch at random points of the ball around each image."""
    draws = sample_generators(seed, batch.index, len(batch.x), "ball")
    for _ in range(options.samples):
        cube = torch.stack([torch.rand(batch.x.shape[1:], generator=g) for g in draws]).to(batch.x) * 2 - 1
        yield replace(batch, x=batch.x + options.radius * cube)


def moved(maps: Tensor, near: Tensor) -> Tensor:
    """``|near - maps| / |maps|``, ``(B,)`` float64; NaN where maps are all zero, or one is not finite."""
    a, b = maps.double().flatten(1), near.double().flatten(1)
    return finite_or_nan((b - a).norm(dim=1) / a.norm(dim=1))


def work(bench: Bench, shard: list[int]) -> Record:
    subject, batch = bench.subject, batch_of(bench, shard)
    clean = maps_at(subject, batch)
    errors, worst = dict(clean.errors), {name: torch.zeros(len(batch.x)).to(batch.x).double() for name in clean.maps}
    for k, near in enumerate(neighbours(batch, bench.options, subject.seed)):
        maps = maps_at(subject, near, f"ball/{k}")
        errors = {**maps.errors, **errors}
        for name in maps.maps.keys() & clean.maps.keys():
            worst[name] = torch.maximum(worst[name], moved(clean.maps[name], maps.maps[name]))  # NaN stays
    found = {name: {("max_sensitivity", 0): value} for name, value in worst.items()}
    return recorded(bench, shard, found, errors)


def measures(options: Ball) -> dict[str, Measure]:
    del options
    return {"max_sensitivity": Measure("largest relative change of the map", "lower")}


KIND = Kind(
    name="sensitivity",
    title="Max-sensitivity",
    about="Images move a little at random, and the map of the same class should not move much. Low is necessary, never "
    "sufficient: a map that ignores the image (the edge map nearly, a constant fully) is the most stable of all.",
    source="Yeh et al. 2019, definition 3.1",
    work=work,
    options=Ball,
    measures=measures,
)
