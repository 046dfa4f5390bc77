"""Digit flipping (FullGrad paper, section 6; protocol of DeepLIFT): erase what speaks for one digit and against another."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor, nn

from ..checks.subject import Subject
from ..errors import InputError
from ..score import check_target, logit
from ..types import Explain, Score
from .fills import filler
from .kind import Batch
from .probe import alone, batches, logits_at, map_at
from .removal import Order


@dataclass(frozen=True)
class Flip:
    """Options of digit flipping."""

    pairs: tuple[str, ...] = field(default=("8-3",), metadata={"help": "classes from-to, such as 8-3, 8-6, 9-1, 9-4"})
    fraction: float = field(default=0.2, metadata={"help": "largest share of pixels erased"})
    steps: int = field(default=8, metadata={"help": "points of the curve"})

    def __post_init__(self) -> None:
        wrong = [p for p in self.pairs if not re.fullmatch(r"\d+-\d+", p) or len(set(classes_of(p))) < 2]
        if wrong or not self.pairs or len(set(self.pairs)) < len(self.pairs):
            raise InputError(f"pairs={self.pairs}; expected two different classes each, every pair once, such as 8-3")
        if not 0 < self.fraction <= 1 or self.steps < 1:
            raise InputError(
                f"fraction={self.fraction}, steps={self.steps}; expected a share in (0, 1], steps from 1 on"
            )

    @property
    def levels(self) -> tuple[float, ...]:
        return tuple(self.fraction * step / self.steps for step in range(1, self.steps + 1))


def classes_of(pair: str) -> tuple[int, int]:
    """The two classes of a pair such as "8-3"."""
    a, b = pair.split("-")
    return int(a), int(b)


@dataclass(frozen=True)
class DigitFlip:
    """change: ``(B, levels)``, log-odds of a against b before - after, nats, positive = moved from a to b. removed: share
    of pixels erased at the last level, ``(B,)``. levels: shares asked for."""

    change: Tensor
    removed: Tensor
    levels: tuple[float, ...]


def digit_flip(
    model: nn.Module,
    images: Tensor,
    explain: Explain,
    a: int,
    b: int,
    *,
    fraction: float = 0.2,
    steps: int = 8,
    fill: float | Tensor = 0.0,
    score: Score = logit,
    chunk: int = 8,
    seed: int = 0,
    index: Tensor | None = None,
) -> DigitFlip:
    """Change of ``log p_a - log p_b`` as the pixels that speak most for a and against b are erased. ``(B, C, H, W)``.

    Of each image the pixels with the largest ``sum_c (map_a - map_b)`` go, only those above 0, at most
    ``round(fraction * H * W)``. Source: Srinivas & Fleuret 2019 (FullGrad), section 6; protocol of Shrikumar et al. 2017
    (DeepLIFT), section 4.1; deviations: a curve up to the fraction. A method blind to the class has nothing to erase;
    random_map draws a map of its own for b, and so erases as many pixels at random.

    Args:
        images: of class a, in the model's units.
        a: class that is erased. b: class that it should turn into.
        fill: of erased pixels: a number or ``(C,)``, in the model's units (black).
        score: what the maps explain.
        chunk, seed, index: images per pass; of ties and of the method's own noise.

    Raises:
        InputError: equal classes, or none of the model's; options out of range. ModelError: the model returns no logits.

    Example:
        >>> from heatproof import gradient_x_input
        >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
        >>> linear[1].weight.data = torch.tensor([[3.0, 1.0, 0.0, 0.0], [0.0, 2.0, 1.0, 0.0]])
        >>> digit_flip(linear, torch.ones(1, 1, 2, 2), gradient_x_input, 0, 1, fraction=0.5, steps=1)
        DigitFlip(change=tensor([[3.]], dtype=torch.float64), removed=tensor([0.2500], dtype=torch.float64), levels=(0.5,))
    """
    options = Flip((f"{a}-{b}",), fraction, steps)
    subject = alone(model, explain, images, score, chunk, seed)
    parts = []
    given = torch.full((len(images),), a, device=images.device)
    for count, batch in batches(subject.model, images, given, score, chunk, index):
        other = replace(batch, target=torch.full_like(batch.target, b))
        map_a, map_b = map_at(subject, explain, batch), map_at(subject, explain, other, "flip")
        found = flipped(subject, batch, other.target, map_a, map_b, options.levels, fill)
        parts.append([v[:count] for v in found])
    change, removed = (torch.cat(column) for column in zip(*parts, strict=True))
    return DigitFlip(change, removed, options.levels)


def flipped(
    subject: Subject,
    batch: Batch,
    b: Tensor,
    map_a: Tensor,
    map_b: Tensor,
    levels: tuple[float, ...],
    fill: float | Tensor,
) -> tuple[Tensor, Tensor]:
    """Change of the log-odds ``(B, levels)`` and share of pixels erased ``(B,)``, NaN where a map is not finite."""
    finite = (map_a.isfinite() & map_b.isfinite()).flatten(1).all(1)
    difference = (map_a - map_b).nan_to_num(0, 0, 0).sum(1, keepdim=True)
    odds = partial(_log_odds, subject.model, a=batch.target, b=b)
    order, erased = Order(difference, "signed", "exact", subject.seed, batch.index), filler(fill, batch.x)
    gone = [order.removed(level, "most") & (difference > 0) for level in levels]
    change = odds(batch.x)[:, None] - torch.stack([odds(erased(pixels)) for pixels in gone], 1)
    share = gone[-1].double().flatten(1).mean(1)
    return change.masked_fill(~finite[:, None], torch.nan), share.masked_fill(~finite, torch.nan)


def _log_odds(model: nn.Module, x: Tensor, *, a: Tensor, b: Tensor) -> Tensor:
    """``log p_a - log p_b = z_a - z_b``: the normaliser cancels. ``(B,)`` float64, nats."""
    out = logits_at(model, x).double()
    a, b = (check_target(t, len(x), x.device, out.shape[1]) for t in (a, b))
    return logit(out, a) - logit(out, b)
