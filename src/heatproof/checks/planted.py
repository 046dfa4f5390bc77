"""The planted-evidence control: two networks read two places of the same image, so a map that is any good must move."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor

from ..engine.chunks import chunk_slices
from ..errors import InputError
from ..score import logit
from ..types import Explain
from .compared import compare
from .explained import explain_all
from .gates import predictions
from .planted_pair import PlantedPair, planted_pair
from .planted_task import Planted, planted_task
from .subject import Maps, Record, Row, Subject

__all__ = ["Planted", "PlantedPair", "planted_job", "planted_pair", "planted_task"]

CHECK = "planted"


def planted_job(
    methods: Mapping[str, Explain],
    metrics: tuple[str, ...],
    pair: PlantedPair,
    images: int = 32,
    chunk: int = 8,
    seed: int = 0,
) -> Record:
    """Maps of network A, which reads the first patch, against maps of network B, which reads the second.

    Each network explains its own prediction, on images where both are right.

    Args:
        metrics: similarities, as for an audit.
        pair: of `planted_pair`.
        images: how many, taken in their order in the task.

    Returns:
        Rows of the check "planted", image = place in the task: the similarities of A's map to B's (stage 1); and for each
        network (stage 0 = A, stage 1 = B) "inside_own" and "inside_other", the share of sum_c |m| inside the patch that it
        reads and inside the other, with "chance", the share of the image that a patch covers. All in [0, 1]; NaN and
        "undefined" where a map is zero or not finite.

    Raises:
        InputError: fewer images than asked on which both networks are right.
    """
    a, b, task, _ = pair
    said = [predictions(network, task.pixels) for network in (a, b)]
    right = ((said[0] == task.first) & (said[1] == task.second)).nonzero().flatten().tolist()
    if not 1 <= images <= len(right) or chunk < 1:
        raise InputError(
            f"planted_job(images={images}, chunk={chunk}): both networks are right on {len(right)} images of the task; "
            "ask for 1 to that many, in chunks of at least 1"
        )
    one = Subject(a, task.pixels, said[0], methods, metrics, logit, (), task.pixels[:1], chunk=chunk, seed=seed)
    other = replace(one, model=b, targets=said[1])
    record = Record()
    for part in chunk_slices(images, chunk):
        shard = right[:images][part]
        maps = explain_all(one, a, shard, "original"), explain_all(other, b, shard, CHECK)
        record.rows += compare(one, *maps, shard, CHECK, 1, seed)
        record.rows += _inside(maps[0], task.masks_first, task.masks_second, shard, 0, seed)
        record.rows += _inside(maps[1], task.masks_second, task.masks_first, shard, 1, seed)
    return record


def share_inside(maps: Tensor, masks: Tensor) -> Tensor:
    """Share of ``sum_c |m|`` that lies inside a mask; NaN for a map of zeros. ``(B, C, H, W), (B, 1, H, W) -> (B,)``.

    Example:
        >>> import torch
        >>> m = torch.tensor([[[[3.0, -1.0], [0.0, 0.0]]]])
        >>> share_inside(m, torch.tensor([[[[True, False], [True, False]]]]))
        tensor([0.7500], dtype=torch.float64)
    """
    size = maps.detach().double().abs().sum(1, keepdim=True)
    return (size * masks.to(size.device)).sum((1, 2, 3)) / size.sum((1, 2, 3))


def _inside(found: Maps, own: Tensor, other: Tensor, shard: list[int], stage: int, seed: int) -> Iterator[Row]:
    """Rows of one network: shares inside its own patch and the other, and of pixels in a patch."""
    chance = own[shard].double().mean((1, 2, 3))
    for name, maps in found.maps.items():
        masks = {"inside_own": own[shard], "inside_other": other[shard]}
        shares = {metric: share_inside(maps, mask) for metric, mask in masks.items()} | {"chance": chance}
        for metric, values in shares.items():
            for i, value in zip(shard, values.tolist(), strict=True):
                status = "ok" if value == value else "undefined"
                yield name, CHECK, stage, metric, i, seed, value, status, ""
    for name, error in found.errors.items():
        for metric in ("inside_own", "inside_other", "chance"):
            yield from ((name, CHECK, stage, metric, i, seed, float("nan"), "failed", error) for i in shard)
