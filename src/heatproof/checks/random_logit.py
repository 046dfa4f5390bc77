"""The random-logit test: does a map change with the class that it explains? (Sixt, Granz, Landgraf 2020)"""

from __future__ import annotations

from dataclasses import replace

import torch

from ..engine.chunks import generator, whole_seed
from .chain import original_maps
from .class_count import outputs_by_class
from .compared import compare
from .explained import explain_all
from .subject import Record, Subject

CHECK = "random_logit"


def random_logit(subject: Subject, shard: list[int], seed: int) -> Record:
    """Similarity of each map of the explained class to that of another class, drawn at random, of the same network.

    Source: Sixt, Granz and Landgraf, ICML 2020, arXiv:1912.09818, section 4. Deviations: every metric of the subject, on
    raw maps, where the paper takes SSIM; the other class is drawn for each image from (seed, place in the data set), so
    that batch mates do not matter; the noise of a control is drawn anew for the other class, as for another network.

    Args:
        shard: places of the images in the data set, at most one chunk.
        seed: decides the other class, together with the subject's own seed.

    Returns:
        Rows of check "random_logit", stage 1: similarity in [-1, 1], low for a method that sees the class; and under
        "(model)" the metric "other_class", the class that was drawn.

    Raises:
        InputError: fewer than two classes, or a score without classes.
    """
    _, count = outputs_by_class(subject, shard, CHECK)
    seed = whole_seed(seed)
    drawn = [_other(int(subject.targets[i]), count, (subject.seed, seed, i)) for i in shard]
    targets = subject.targets.clone()
    targets[shard] = torch.tensor(drawn, device=targets.device)
    fixed = replace(subject, targets=targets, classes="fixed")  # "predicted" would take the drawn class away
    original = original_maps(subject, shard)
    other = explain_all(fixed, subject.model, shard, f"{CHECK}/{seed}")  # another variant: controls draw new noise
    record = Record()
    for i, c in zip(shard, drawn, strict=True):
        record.rows.append(("(model)", CHECK, 1, "other_class", i, seed, float(c), "ok", ""))
    record.rows += compare(subject, original, other, shard, CHECK, 1, seed)
    return record


def _other(target: int, count: int, key: tuple[int, int, int]) -> int:
    """A class other than the target, each with probability 1 / (count - 1)."""
    draw = int(torch.randint(count - 1, (1,), generator=generator(CHECK, *key)))
    return draw + (draw >= target)
