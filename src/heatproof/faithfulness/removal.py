"""Removing pixels in the order of a map and reading the output at every step: what the pixel measures share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError
from ..notebook import shows
from ..perturb import scores
from ..score import label_probability, probability, single_logit, value
from ..types import Score
from .fills import Filler
from .ranks import pixel_values, ranks, removed

ORDERS, RANKS, TIES = ("least", "most"), ("abs", "signed"), ("exact", "all")
FRACTIONS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""The grid of the FullGrad authors' code, .001 to .1 and .5, and what areas need."""
UNITS = ("probability", "score")
UNIT_HELP = "what areas are under: the probability of the class where outputs have one, else the score"
SMALLEST = 1e-6
"""Size of an output under which a change relative to it means nothing (semantics.md, 3.S2.17)."""


@dataclass(frozen=True)
class Perturbation:
    """What removal of pixels did to the output of each image.

    Attributes:
        fractions: F shares of pixels removed.
        score: of the class after removal, ``(F, B)``, score units.
        change: ``|f - f'| / |f|``, ``(F, B)``; NaN where ``|f| < 1e-6``.
        probability: of the class, ``(F, B)``; NaN where the output has no classes.
        area: under the probability, or the score where there is none, over fractions 0 to 1, ``(B,)``: the deletion
            area for "most", the insertion area for "least".
        change_area: the same of the change.
        ties: share of pixels whose value another pixel of the image has too, ``(B,)``.
        original: score before removal, ``(B,)``.
    """

    fractions: tuple[float, ...]
    score: Tensor
    change: Tensor
    probability: Tensor
    area: Tensor
    change_area: Tensor
    ties: Tensor
    original: Tensor

    _repr_html_ = shows("perturbation")


class Order:
    """Pixels of maps ``(B, C or 1, H, W)`` by rank, sorted once for all fractions; ties by (seed, index) as in `ranks`."""

    def __init__(self, maps: Tensor, rank: str, ties: str, seed: int, index: Tensor | None = None) -> None:
        self.ranks, self.ties = ranks(maps, rank, seed, index), ties
        self.values = pixel_values(maps, rank)

    def removed(self, fraction: float, which: str) -> Tensor:
        """Which pixels go when this share does: bool ``(B, 1, H, W)``; more under ties="all"."""
        most = which == "most"
        gone = removed(self.ranks, fraction, "roar") if most else removed(self.ranks, 1 - fraction, "kar")
        if self.ties == "exact" or not gone.any():
            return gone
        values = (self.values if most else -self.values)[:, None]
        return values >= values.masked_fill(~gone, torch.inf).amin((2, 3), keepdim=True)


def everything(x: Tensor) -> Tensor:
    """The mask that removes all pixels: bool ``(B, 1, H, W)``."""
    return torch.ones_like(x[:, :1], dtype=torch.bool)


def reading(out: Any, target: Tensor, score: Score) -> Tensor:
    """Score and probability of the class in an output, ``(2, B)``; NaN for the second where it has no classes."""
    found = scores(out, score, target)
    if unit_of(out, score) == "score":
        chance = torch.full_like(found, torch.nan)
    elif score is single_logit or score is label_probability:
        chance = found.sigmoid() if score is single_logit else found
    else:
        chance = probability(out.to(found.dtype), target)
    return torch.stack([found, chance])


def unit_of(out: Any, score: Score) -> str:
    """Which of `UNITS` the areas of a model with such outputs are in, for all of its images."""
    single = score is single_logit or score is label_probability
    many = score is not value and isinstance(out, Tensor) and out.dim() == 2 and out.shape[1] > 1
    return "probability" if single or many else "score"


def curve(
    read: Callable[[Tensor], Tensor],
    fills: Filler,
    order: Order,
    which: str,
    fractions: Sequence[float],
    original: Tensor,
    emptied: Tensor,
) -> Tensor:
    """Readings at 0, at the fractions between, and at 1. ``(F, 2, B)``"""
    between = [f for f in fractions if 0 < f < 1]
    return torch.stack([original, *(read(fills(order.removed(f, which))) for f in between), emptied])


def perturbation(found: Tensor, fractions: Sequence[float], ties: Tensor, unit: str) -> Perturbation:
    """What a `curve` of these fractions says; unit: as `unit_of` gives it."""
    grid = [0.0, *(f for f in fractions if 0 < f < 1), 1.0]
    at = [grid.index(f) for f in fractions]
    score, chance = found.unbind(1)
    size = score[0].abs()
    change = (score - score[0]).abs() / size.masked_fill(size < SMALLEST, torch.nan)
    area = _area(chance if unit == "probability" else score, grid)
    return Perturbation(tuple(fractions), score[at], change[at], chance[at], area, _area(change, grid), ties, score[0])


def check_options(fractions: Sequence[float], orders: Sequence[str], rank: str, ties: str) -> None:
    """Raise `InputError` for what is no order or no grid of fractions."""
    try:
        grid = [float(f) for f in fractions]
    except (TypeError, ValueError):
        raise InputError(f"fractions={fractions!r}; expected a tuple of shares of pixels, such as (0.1, 0.5)") from None
    if not grid or grid != sorted(set(grid)) or not all(0 <= f <= 1 for f in grid):
        raise InputError(f"fractions={tuple(grid)}; expected shares of pixels in [0, 1], ascending, such as (0.1, 0.5)")
    if not orders or len(set(orders)) < len(orders) or not set(orders) <= set(ORDERS):
        raise InputError(f"orders={tuple(orders)}; expected one or both of {', '.join(ORDERS)}")
    if rank not in RANKS or ties not in TIES:
        raise InputError(
            f"rank={rank!r}, ties={ties!r}; expected rank of {', '.join(RANKS)} and ties of {', '.join(TIES)}"
        )


def _area(values: Tensor, grid: list[float]) -> Tensor:
    return torch.trapezoid(values, torch.tensor(grid, dtype=values.dtype, device=values.device), dim=0)
