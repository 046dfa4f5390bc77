"""Efficient MPRT: do maps become more complex once the network is random? (Hedström, Weber, Lapuschkin, Höhne 2023)"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from ..errors import InputError
from ..similarity.maps import per_pixel
from .chain import null_stage, original_maps
from .explained import explain_all, note_said
from .subject import Maps, Record, Row, Subject

CHECK = "efficient"
BINS = 100
"""Equal bins of a histogram, as in the paper."""


def efficient(subject: Subject, shard: list[int], networks: int, bins: int = BINS) -> Record:
    """Entropy of every map under the original and under fully randomised networks, and its relative rise.

    Source: Hedström et al. 2023, arXiv:2401.06465, "Efficient MPRT": (H(after) - H(before)) / H(before), H the entropy of
    a histogram of the map in 100 bins. Deviations: channels are summed first, and several random networks, those of the
    null, where the paper has one. No normalisation: bins span each map's own range, so that its scale does not matter.

    Args:
        shard: places of the images in the data set, at most one chunk.
        networks: random networks, 1 or more.
        bins: equal bins of every histogram, 2 or more.

    Returns:
        Rows of check "efficient": "entropy" in nats, at stage 0 (original, seed 0) and at stage 1 (seed: number of the
        network); "rise" at stage 1, positive where the map became more complex, which the paper calls good; NaN where
        the entropy was 0 before.

    Raises:
        InputError: networks or bins too few, or no whole number.
    """
    for name, value, least in (("networks", networks, 1), ("bins", bins, 2)):
        if type(value) is not int or value < least:
            raise InputError(f"efficient({name}={value!r}): expected a whole number of {least} or more")
    record = Record()
    original = original_maps(subject, shard)
    before = _entropies(original, bins)
    record.rows += _rows(subject, original, before, before, shard, "entropy", 0, 0)
    for number in range(1, networks + 1):
        stage = null_stage(subject, number)
        note_said(subject, f"null/{number}", stage.said)
        maps = explain_all(subject, stage.model, shard, f"null/{number}", record, CHECK, 1, number)
        after = _entropies(maps, bins)
        errors = Maps({}, original.errors | maps.errors)
        rise = {name: (after[name] - h) / h.where(h > 0, torch.nan) for name, h in before.items() if name in after}
        record.rows += _rows(subject, errors, before, after, shard, "entropy", 1, number)
        record.rows += _rows(subject, errors, before, rise, shard, "rise", 1, number)
    return record


def map_entropy(maps: Tensor, bins: int = BINS) -> Tensor:
    """Entropy of each map's histogram, in equal bins from its smallest to its largest pixel. ``(B, C, H, W) -> (B,)``.

    Returns:
        float64 in nats, 0 (a constant map) to log(bins); NaN where a map is not finite.

    Example:
        >>> round(map_entropy(torch.tensor([[[[0.0, 1.0, 2.0, 3.0]]]]), bins=2).exp().item(), 12)
        2.0
    """
    pixels = per_pixel(maps.detach()).flatten(1).double()
    finite = pixels.isfinite().all(1)
    pixels = torch.where(finite[:, None], pixels, 0.0)
    low, high = pixels.amin(1, keepdim=True), pixels.amax(1, keepdim=True)
    edges = low + torch.arange(bins + 1, device=pixels.device) * ((high - low) / bins)
    edges[:, -1:] = high  # the last bin is closed, and rounding must not leave its end out
    places = (torch.searchsorted(edges, pixels, right=True) - 1).clamp(max=bins - 1)
    counts = torch.zeros_like(edges[:, :-1]).scatter_add_(1, places, torch.ones_like(pixels))
    entropy: Tensor = torch.special.entr(counts / pixels.shape[1]).sum(1)
    return entropy.masked_fill(~finite, torch.nan)


def _entropies(maps: Maps, bins: int) -> dict[str, Tensor]:
    return {name: map_entropy(stack, bins) for name, stack in maps.maps.items()}


def _rows(
    subject: Subject,
    maps: Maps,
    before: dict[str, Tensor],
    values: dict[str, Tensor],
    shard: list[int],
    metric: str,
    stage: int,
    seed: int,
) -> Iterator[Row]:
    for name in subject.methods:
        if error := maps.errors.get(name):
            yield from ((name, CHECK, stage, metric, i, seed, float("nan"), "failed", error) for i in shard)
            continue
        for i, value, first in zip(shard, values[name].tolist(), before[name].tolist(), strict=True):
            status = "ok" if value == value else ("vanished" if first > 0 else "undefined")
            yield (name, CHECK, stage, metric, i, seed, value, status, "")
