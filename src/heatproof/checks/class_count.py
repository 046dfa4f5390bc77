"""How many classes a check of classes can choose from, and what the model says about each."""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.chunks import padded
from ..engine.model import call_model, own
from ..errors import InputError
from ..score import classes
from .subject import Subject


@torch.no_grad()
def outputs_by_class(subject: Subject, shard: list[int], check: str) -> tuple[Tensor, int]:
    """What the model returns for a shard, filled up to the chunk, ``(B, ...)``, and its number of classes.

    Raises:
        InputError: fewer than two classes, or a score and an output whose classes nobody can count; names the check.
    """
    index = padded(torch.tensor(shard), subject.chunk).to(subject.images.device)
    out = call_model(own(subject.model), subject.images[index].clone())
    count = classes(out, subject.score)
    if isinstance(out, Tensor) and count is not None and count > 1:
        return out, count
    score = getattr(subject.score, "__name__", repr(subject.score))
    got = f"{count} class" if count is not None else "no (B, classes) tensor"
    raise InputError(
        f"check {check!r} compares the maps of several classes, but under score={score} this model has {got}; expected "
        "two or more: leave the check out, or choose a score of classes, such as logit"
    )
