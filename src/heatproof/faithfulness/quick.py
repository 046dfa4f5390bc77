"""A quick faithfulness score that stands beside each verdict: passing a randomisation test is necessary, not sufficient.

Gain of pixel perturbation over random order: how much more of the class's probability is lost when the most salient
pixels are replaced than when as many random ones are.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..checks.chain import original_maps
from ..checks.subject import Record, Row, Subject
from ..engine.chunks import generator, padded
from ..engine.model import output
from ..score import logit, probability
from .removal import Order

FRACTIONS = (0.05, 0.1, 0.2, 0.4)
ORDERS = 3
"""Random orders that each method is compared with."""
CHECK, METRIC = "faithfulness", "gain"


def quick_faithfulness(subject: Subject, shard: list[int]) -> Record:
    """One row for each image and method: mean over `FRACTIONS` of score(random removed) - score(most salient removed).

    Probability of the class for logits, else the score's own units; positive = better than random. Pixels are ranked by
    sum_c |m|, ties by the image's place in the data set, and filled with 0 in the model's units (the data set's mean
    colour for normalised inputs).
    """
    index = padded(torch.tensor(shard), subject.chunk)
    x = subject.images[index.to(subject.images.device)]
    target = subject.targets[index.to(subject.targets.device)].to(x.device)
    maps = original_maps(subject, shard)
    noise = [
        torch.stack([torch.rand(1, *x.shape[2:], generator=generator("order", subject.seed, o, int(i))) for i in index])
        for o in range(ORDERS)
    ]
    chance = torch.stack([_remaining(subject, x, target, n.to(x.device), index) for n in noise]).mean(0)
    record = Record()
    for name in subject.methods:
        if name in maps.errors:
            record.rows += _rows(name, shard, [float("nan")] * len(shard), "failed", maps.errors[name])
            continue
        full = padded(maps.maps[name], subject.chunk)
        finite = full.isfinite().flatten(1).all(1)
        left = _remaining(subject, x, target, full.nan_to_num(0, 0, 0), index)
        gain = torch.where(finite, chance - left, torch.nan)
        record.rows += _rows(name, shard, gain[: len(shard)].tolist(), "ok", "")
    return record


def _remaining(subject: Subject, x: Tensor, target: Tensor, maps: Tensor, index: Tensor) -> Tensor:
    """Mean score over the fractions after the most salient pixels are gone. ``(B,)``"""
    score = probability if subject.score is logit else subject.score
    order = Order(maps, "abs", "exact", subject.seed, index)
    left = [x.masked_fill(order.removed(f, "most"), 0.0) for f in FRACTIONS]
    return torch.stack([score(output(subject.model, part, subject.score), target) for part in left]).mean(0)


def _rows(name: str, shard: list[int], values: list[float], status: str, error: str) -> Iterator[Row]:
    for i, value in zip(shard, values, strict=True):
        yield name, CHECK, 0, METRIC, i, 0, value, status, error
