"""How alike the maps of two networks are: rows of every method and metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ..similarity.comparison import Comparison, Reader
from ..similarity.maps import Pixels, check_pair
from ..similarity.metrics import Metric, metric_from_text
from ..similarity.spearman import SUPPORT, ZERO_PATTERN_NULL, ZERO_SHARE
from .subject import Maps, Row, Subject

DECIDING = ("spearman", "spearman_abs")
MANY_ZEROS = 0.2
"""Share of pixels that are zero in both maps of an image above which support-only Spearman joins the absolute one."""


def compare(subject: Subject, a: Maps, b: Maps, shard: list[int], check: str, stage: int, seed: int) -> Iterator[Row]:
    """Rows of the similarity of two variants' maps, every method and metric."""
    for name in subject.methods:
        error = a.errors.get(name) or b.errors.get(name)
        if error:
            yield from (
                (name, check, stage, m, i, seed, float("nan"), "failed", error) for m in subject.metrics for i in shard
            )
            continue
        left, right = check_pair(a.maps[name], b.maps[name], name)
        apart = left.shape[1] == right.shape[1]
        readers = _readers(subject.metrics)
        seen = a.features(name, readers, apart), b.features(name, readers, apart)
        gone = (seen[1][orderless] & ~seen[0][orderless]).tolist()
        for metric, values in _values(subject.metrics, *seen):
            for i, value, vanished in zip(shard, values.tolist(), gone, strict=True):
                if value != value and metric not in subject.metrics:
                    continue
                status = "ok" if value == value else ("vanished" if vanished else "undefined")
                yield (name, check, stage, metric, i, seed, value, status, "")


def orderless(pixels: Pixels) -> Tensor:
    """Which maps carry no order of pixels: the same value everywhere, or not finite. ``(B,)`` bool."""
    return ~(pixels.varied & pixels.varied_absolute)


def _readers(metrics: tuple[str, ...]) -> list[Reader]:
    readers = [orderless, *(measure(metric).comparison.features for metric in metrics)]
    return [*readers, ZERO_SHARE.features] if "spearman_abs" in metrics else readers


def _values(metrics: tuple[str, ...], a: Mapping[Reader, Any], b: Mapping[Reader, Any]) -> Iterator[tuple[str, Tensor]]:
    def value(comparison: Comparison[Any]) -> Tensor:
        return comparison.of_features(a[comparison.features], b[comparison.features])

    for metric in metrics:
        yield metric, value(measure(metric).comparison)
    if "spearman_abs" in metrics:
        zeros = value(ZERO_SHARE)
        yield "zeros", zeros
        yield "zeros_null", value(ZERO_PATTERN_NULL)
        many = zeros.nan_to_num() > MANY_ZEROS
        if many.any() and "spearman_support" not in metrics:
            yield "spearman_support", value(SUPPORT).masked_fill(~many, torch.nan)


@lru_cache(maxsize=64)
def measure(metric: str) -> Metric:
    """The similarity that a text names."""
    return metric_from_text(metric)
