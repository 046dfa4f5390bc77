"""The contest of the CGI paper (Gupta, Arora 2019, arXiv:1905.12152, algorithm 1) over maps that come in chunks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..engine.chunks import chunk_slices
from ..perturb import wide

Rows = Callable[[Tensor], Tensor]
"""Maps of classes: int64 ``(k, B)`` -> ``(k, B, ...)``."""


@dataclass(frozen=True)
class Extremes:
    """Largest, smallest and summed map over the classes seen so far, each ``(B, ...)``; the sum in float32 at least."""

    top: Tensor
    bottom: Tensor
    total: Tensor

    def joined(self, maps: Tensor, summed: bool) -> Extremes:
        total = self.total
        for row in maps if summed else ():  # one by one, so that the sum does not depend on the chunk
            total = total + row
        return Extremes(torch.maximum(self.top, maps.amax(0)), torch.minimum(self.bottom, maps.amin(0)), total)


def contest(maps_of: Rows, target: Tensor, rivals: Tensor, chunk: int, center: bool) -> Tensor:
    """Maps of the targets with every value that another class beats set to 0. ``(K, B) -> (K, B, ...)``.

    Args:
        maps_of: the maps of classes, asked for `chunk` rows at a time; memory is that of a chunk and of the result.
        target: int64 ``(K, B)``; each takes part, also where it is not among the rivals.
        rivals: int64 ``(n,)``, the classes that compete.
        center: subtract the mean map over the classes that take part.
    """
    apart = ~torch.isin(target, rivals)
    lone = target[apart.any(1)]
    own: Tensor | None = None
    for part in chunk_slices(len(lone), chunk):
        own = _taken(own, maps_of(lone[part]), target, lone[part])
    extremes: Extremes | None = None
    for part in chunk_slices(len(rivals), chunk):
        rows = rivals[part, None].expand(-1, target.shape[1])
        maps = maps_of(rows)
        own = _taken(own, maps, target, rows)  # the very tensor that enters the extremes: recomputed, it might lose
        none = Extremes(maps[0], maps[0], torch.zeros_like(maps[0], dtype=wide(maps.dtype)))
        extremes = (extremes or none).joined(maps, center)
    if own is None or extremes is None:
        raise ValueError("a contest needs rivals")
    found = _winners(own, extremes, apart.reshape(*apart.shape, *[1] * (own.dim() - 2)), len(rivals), center)
    return found.to(own.dtype)


def _taken(own: Tensor | None, maps: Tensor, target: Tensor, rows: Tensor) -> Tensor:
    """Copies each target's map out of those rows that explain its class."""
    if own is None:
        own = maps.new_zeros(*target.shape, *maps.shape[2:])
    k, row, sample = (target[:, None] == rows[None]).nonzero(as_tuple=True)
    own[k, sample] = maps[row, sample]
    return own


def _winners(own: Tensor, extremes: Extremes, apart: Tensor, n: int, center: bool) -> Tensor:
    top, bottom = extremes.top, extremes.bottom
    if center:
        mean = (extremes.total + torch.where(apart, own, 0)) / (n + apart.to(extremes.total.dtype))
        own, top, bottom = own - mean, top - mean, bottom - mean
    keep = torch.where(own > 0, own >= top, own <= bottom)  # algorithm 1: s_y > 0: s_y >= all s_i; else: s_y <= all s_i
    undefined = own.isnan() | top.isnan()
    return torch.where(undefined, float("nan"), torch.where(keep, own, 0.0)) + 0.0  # -0.0 becomes +0.0
