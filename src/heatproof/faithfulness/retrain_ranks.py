"""Ranks of all pixels of a data set under every method: what remove and retrain removes by."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..checks.explained import explain_all
from ..checks.subject import Record, Subject
from ..engine.chunks import chunk_slices, padded
from ..engine.model import predict
from ..perturb import blurred
from ..score import logit
from .masking import tie_order
from .ranks import pixel_values, ranks, tied_share
from .retrain_data import PARTS
from .retrain_task import TIED, Task, row

BLUR = 16
"""A blurred map has a sigma of side / 16."""


def blurred_name(name: str) -> str:
    """The entry of a method's own map, blurred."""
    return f"{name}, blurred"


def rank_shard(task: Task, part: str, shard: Sequence[int]) -> Record:
    """Ranks of some images under every method, of the class that the explained network predicts: labels are never seen.

    Returns:
        Ranks by entry, for entries whose maps are all finite; rows with the share of ties, or with the error.
    """
    found: dict[str, list[Tensor]] = {}
    ties: dict[str, list[Tensor]] = {}
    errors: dict[str, str] = {}
    for rows in chunk_slices(len(shard), task.chunk):
        places = list(shard[rows])
        orders = tie_order(task.train[0][0, 0].numel(), _seed(task, part), torch.tensor(places), len(places))
        orders = orders.to(task.recipe.device)
        for name, maps in _maps(task, part, places, errors).items():
            if not maps.isfinite().all():
                errors.setdefault(
                    name, f"its map of {part} image {_first_bad(maps, places)} has NaN or infinite values"
                )
                continue
            rule = task.rules[name]
            ties.setdefault(name, []).append(tied_share(maps, rule).cpu())
            for own, ranked in _versions(task, name, maps):
                found.setdefault(own, []).append(ranks(ranked, rule, ties=orders).cpu())
    errors |= {blurred_name(name): error for name, error in errors.items() if name in task.blurred}
    shares = {name: float(torch.cat(parts).mean()) for name, parts in ties.items() if name not in errors}
    record = Record(maps={name: torch.cat(parts) for name, parts in found.items() if name not in errors})
    record.rows += [row(name, part, 0, TIED, shard[0], 0, share) for name, share in shares.items()]
    record.rows += [row(name, part, 0, "", shard[0], 0, float("nan"), error) for name, error in errors.items()]
    return record


def _maps(task: Task, part: str, places: list[int], errors: dict[str, str]) -> dict[str, Tensor]:
    """Maps of one chunk; those that were precomputed are cut out."""
    given = {name: pair[PARTS.index(part)][places] for name, pair in task.maps.items()}
    if not task.methods:
        return given
    pixels, targets = task.part(part)
    x = pixels[padded(torch.tensor(places), task.chunk).to(pixels.device)]
    subject = _subject(task, part, targets.clone())
    subject.targets[places] = predict(task.model, x, subject.score)[: len(places)]
    made = explain_all(subject, task.model, places, "original")
    for name, error in made.errors.items():
        errors.setdefault(name, error)
    return {**made.maps, **given}


def _subject(task: Task, part: str, targets: Tensor) -> Subject:
    pixels = task.part(part)[0]
    return Subject(
        task.model, pixels, targets, task.methods, (), logit, (), pixels[: task.chunk], chunk=task.chunk,
        seed=_seed(task, part),
    )  # fmt: skip


def _seed(task: Task, part: str) -> int:
    """Train and test images of one place share no noise."""
    return 2 * task.seed + PARTS.index(part)


def _versions(task: Task, name: str, maps: Tensor) -> list[tuple[str, Tensor]]:
    """The maps as they are, and blurred where that is a control."""
    if name not in task.blurred:
        return [(name, maps)]
    values = pixel_values(maps, task.rules[name])[:, None]
    return [(name, maps), (blurred_name(name), blurred(values, max(maps.shape[2:]) / BLUR))]


def _first_bad(maps: Tensor, places: Sequence[int]) -> int:
    return places[int((~maps.isfinite().flatten(1).all(1)).nonzero()[0])]
