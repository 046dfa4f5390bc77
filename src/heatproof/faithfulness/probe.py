"""What benches share that run or explain a model at images of their own making: full chunks, one noise, errors as rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks.explained import maps_of, one_map
from ..checks.subject import Maps, Record, Subject
from ..engine.chunks import chunk_slices, padded, sample_places
from ..engine.model import output, own
from ..errors import InputError, ModelError
from ..score import check_target, classes, predicted
from ..types import Explain, Score
from .kind import Batch, Bench, Found, batch_of, failed, rows
from .option_types import check_chunk


def alone(model: nn.Module, explain: Explain, images: Tensor, score: Score, chunk: int, seed: int) -> Subject:
    """One method on a model, as the functions of a bench take it; targets come with its batches."""
    nothing = torch.zeros(0, dtype=torch.int64)
    return Subject(own(model), images, nothing, {"map": explain}, (), score, (), images[:1], chunk=chunk, seed=seed)


def batches(
    model: nn.Module,
    images: Tensor,
    targets: Any,
    score: Score,
    chunk: int,
    index: Any = None,
    masks: Tensor | None = None,
) -> Iterator[tuple[int, Batch]]:
    """Full chunks of the images, each with how many of its rows count; target None = the predicted class.

    Raises:
        InputError: targets, index, masks or chunk that do not fit the images.
    """
    check_chunk(chunk)
    private, places = own(model), sample_places(index, len(images))
    given = None if targets is None else check_target(targets, len(images), images.device, None)
    if given is not None and given.dim() != 1:
        raise InputError(f"targets have shape {tuple(given.shape)}; expected ({len(images)},), one class an image")
    for part in chunk_slices(len(images), chunk):
        x = padded(images[part].detach(), chunk)
        out = output(private, x, score)
        target = predicted(out, score) if given is None else padded(given[part], chunk)
        target = check_target(target, len(x), x.device, classes(out, score))
        shown = None if masks is None else padded(masks[part].to(x.device), chunk)
        yield part.stop - part.start, Batch(padded(places[part], chunk), x, target, shown)


def check_masks(masks: Any, images: Tensor) -> Tensor:
    """Masks as a bool tensor ``(N, 1, H, W)``; a NumPy array is taken for one.

    Raises:
        InputError: another type or shape.
    """
    expected = (len(images), 1, *images.shape[2:])
    if not isinstance(masks, (Tensor, np.ndarray)):
        got = f"a {type(masks).__name__}"
    elif masks.dtype in (torch.bool, np.bool_) and tuple(masks.shape) == expected:
        return torch.as_tensor(masks)
    else:
        got = f"{masks.dtype} {tuple(masks.shape)}"
    raise InputError(f"masks are {got}; expected a torch.bool tensor {expected}, True on the object")


def logits_at(model: nn.Module, x: Tensor) -> Tensor:
    """Outputs of a full chunk, which must be a number for each class. ``(B, C, H, W) -> (B, classes)``.

    Raises:
        ModelError: another output.
    """
    out = output(model, x, _any)
    if not isinstance(out, Tensor) or out.dim() != 2 or out.shape[1] < 2:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise ModelError(f"the model returned {got}; this measure compares classes and needs logits (B, 2 or more)")
    return out


def _any(out: Any, target: Tensor) -> Tensor:
    """A score that says nothing of the output: its shape is checked by who asks."""
    del target
    return torch.as_tensor(out)


def map_at(subject: Subject, explain: Explain, batch: Batch, variant: str = "original") -> Tensor:
    """Maps of one method at the batch's images, with the noise of their places.

    A control that redraws its noise for every variant (random_map) does so for each `variant` but "original".
    """
    return one_map(explain, subject.model, batch.x, batch.target, batch.index, subject, variant).detach()


def maps_at(subject: Subject, batch: Batch, variant: str = "original") -> Maps:
    """`map_at` for every method, from shared passes; what a method raises is kept in its place."""
    return maps_of(subject, subject.model, batch.x, batch.target, batch.index, variant)


def measured(bench: Bench, shard: list[int], measure: Callable[[str, Tensor, Batch], Found]) -> Record:
    """Rows of a measure of every method's maps under the model.

    A method that raises, and a map that is not finite, leave rows without a value that say so.

    Args:
        measure: ``(method, maps, batch) -> values``; maps are finite, ``(B, C, H, W)`` or ``(B, 1, H, W)``.
    """
    batch = batch_of(bench, shard)
    maps = maps_at(bench.subject, batch)
    found = {}
    for name, stack in maps.maps.items():
        finite = stack.isfinite().flatten(1).all(1)
        values = measure(name, stack.nan_to_num(0, 0, 0), batch)
        found[name] = {key: v.masked_fill(~finite, torch.nan) for key, v in values.items()}
    return recorded(bench, shard, found, maps.errors)


def recorded(bench: Bench, shard: list[int], found: Mapping[str, Found], errors: Mapping[str, str]) -> Record:
    """Rows of every method: its values, or what it raised."""
    record = Record()
    for name in bench.subject.methods:
        if name in errors:
            record.rows += failed(name, bench.kind, shard, errors[name])
        else:
            record.rows += rows(name, bench.kind, shard, found[name])
    return record


def finite_or_nan(values: Tensor) -> Tensor:
    return values.masked_fill(~values.isfinite(), torch.nan)
