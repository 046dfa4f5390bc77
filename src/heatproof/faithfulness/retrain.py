"""Networks trained anew on images without the pixels that a map calls salient (ROAR), or with them alone (KAR)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..checks.subject import Record
from ..engine.chunks import chunk_slices, padded
from ..models.factory import fresh
from ..train import train
from ..training.stacked import train_stacked
from .ranks import count_of, gone
from .retrain_data import PARTS, modified, replaced
from .retrain_task import ACCURACY, Ranks, Task, Variant, row

BATCH = 256
"""Test images in one pass."""


def retrain(task: Task, variants: Sequence[Variant], stored: Ranks | None) -> list[Record]:
    """Networks trained on modified images and tested on modified images: accuracy, and the hits of every test image.

    Source: Hooker et al. 2019, arXiv:1806.10758, section 3; deviations: exact counts, several networks that are the same
    for all entries and fractions (first weights and order of the data), the removed pixels' fill from the training images.

    Args:
        variants: of one entry and direction, trained at once where there are several.
        stored: the entry's ranks; None for unchanged images.
    """
    networks = _trained(task, variants, stored)
    return [_tested(task, v, stored, network) for v, network in zip(variants, networks, strict=True)]


def hits(model: nn.Module, pixels: Tensor, targets: Tensor) -> Tensor:
    """Which images have their largest logit at their target: uint8 ``(N,)``; every pass has as many images."""
    found = []
    with torch.no_grad():
        for rows in chunk_slices(len(pixels), BATCH):
            out = model(padded(pixels[rows], BATCH)).argmax(1)
            found.append(out[: len(targets[rows])] == targets[rows])
    return torch.cat(found).to("cpu", torch.uint8)


def _trained(task: Task, variants: Sequence[Variant], stored: Ranks | None) -> list[nn.Module]:
    """One network by itself, or several at once."""
    networks = [fresh(task.factory, v.seed) for v in variants]
    r = task.recipe
    options: dict[str, Any] = {
        "epochs": r.epochs, "batch": r.batch, "lr": r.lr, "optimizer": r.optimizer, "weight_decay": r.weight_decay,
        "schedule": r.schedule, "device": r.device, "bf16": r.bf16,
    }  # fmt: skip
    if len(variants) == 1:
        seen = _images(task, "train", variants[0], stored)
        train(networks[0], seen, task.train[1], seed=variants[0].seed, **options)
        return networks
    inputs = _stacked_inputs(task, variants, stored)
    train_stacked(
        networks, inputs, task.train[1], seeds=[v.seed for v in variants], decayed=None, progress=None, **options
    )
    return networks


def _tested(task: Task, variant: Variant, stored: Ranks | None, network: nn.Module) -> Record:
    found = hits(network, _images(task, "test", variant, stored), task.test[1])
    accuracy = float(found.double().mean())
    measured = row(variant.entry.name, variant.direction, variant.place, ACCURACY, -1, variant.seed, accuracy)
    return Record([measured], {"hits": found})


def _images(task: Task, part: str, variant: Variant, stored: Ranks | None) -> Tensor:
    """The images of a part as a variant's network sees them, all at once."""
    pixels = task.part(part)[0]
    if stored is None or variant.fraction is None:
        return pixels
    return modified(
        pixels, stored[PARTS.index(part)], variant.fraction, variant.direction, task.colours, variant.entry.picture
    )


def _stacked_inputs(task: Task, variants: Sequence[Variant], stored: Ranks | None) -> Callable[[Tensor], Tensor]:
    """``(K, b) places -> (K, b, C, H, W)``, made on the device from pixels and ranks: a few operations for all networks."""
    pixels, first = task.train[0], variants[0]
    if stored is None:
        return lambda rows: pixels[rows]
    ranks, area = stored[0], pixels.shape[-2:].numel()
    counts = [count_of(area, v.fraction, v.direction) for v in variants if v.fraction is not None]
    each = torch.tensor(counts, dtype=ranks.dtype, device=ranks.device).view(-1, 1, 1, 1)

    def inputs(rows: Tensor) -> Tensor:
        return replaced(pixels[rows], gone(ranks[rows], each, first.direction), task.colours, first.entry.picture)

    return inputs


def failed(variant: Variant, error: str) -> Record:
    """The row of a network that cannot be trained, since its entry has no ranks."""
    v = variant
    return Record([row(v.entry.name, v.direction, v.place, ACCURACY, -1, v.seed, float("nan"), error)])
