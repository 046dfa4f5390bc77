"""Perturbations of images for infidelity: Gaussian noise, or the removal of a square."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..engine.chunks import normal_like, sample_generators
from ..errors import InputError
from .kind import Batch


@dataclass(frozen=True)
class Perturbing:
    """Options of the perturbations, and how maps are read."""

    perturbation: str = field(default="gaussian", metadata={"help": "gaussian noise, or removal of a random square"})
    samples: int = field(default=50, metadata={"help": "perturbations of each image"})
    sigma: float = field(default=0.15, metadata={"help": "gaussian: standard deviation, share of the image's range"})
    square: float = field(default=0.25, metadata={"help": "square: its side, share of the image's shorter side"})
    reading: str = field(
        default="gradient",
        metadata={"help": "gradient: output per input; attribution: times the input already (square only)"},
    )

    def __post_init__(self) -> None:
        if self.perturbation not in ("gaussian", "square") or self.reading not in ("gradient", "attribution"):
            raise InputError(
                f"perturbation={self.perturbation!r}, reading={self.reading!r}; expected gaussian or square, and "
                "gradient or attribution"
            )
        if self.reading == "attribution" and self.perturbation == "gaussian":
            raise InputError(
                "reading='attribution' sums the map where pixels are gone, and noise removes none; give "
                "perturbation='square', or reading='gradient'"
            )
        if self.samples < 2 or not 0 < self.sigma < float("inf") or not 0 < self.square <= 1:
            raise InputError(
                f"samples={self.samples}, sigma={self.sigma}, square={self.square}; expected at least 2 samples, sigma > 0 "
                "and a square in (0, 1]"
            )


def perturbed(batch: Batch, options: Perturbing, fill: Tensor, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """``x - I`` and the pixels that are gone, bool ``(B, 1, H, W)``, one perturbation after the other."""
    x, draws = batch.x, sample_generators(seed, batch.index, len(batch.x), "infidelity")
    flat = x.flatten(1)
    sigma = (options.sigma * (flat.amax(1) - flat.amin(1)))[:, None, None, None]
    for _ in range(options.samples):
        if options.perturbation == "gaussian":
            yield x - sigma * normal_like(x, draws), torch.ones_like(x[:, :1], dtype=torch.bool)
        else:
            gone = torch.stack([_square(x.shape[2], x.shape[3], options.square, g) for g in draws]).to(x.device)
            yield torch.where(gone, fill, x), gone


def _square(height: int, width: int, size: float, draw: torch.Generator) -> Tensor:
    side = max(1, round(size * min(height, width)))
    top, left = (int(torch.randint(0, full - side + 1, (1,), generator=draw)) for full in (height, width))
    gone = torch.zeros(1, height, width, dtype=torch.bool)
    gone[:, top : top + side, left : left + side] = True
    return gone
