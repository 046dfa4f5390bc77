"""Correlations of rows: each row is centred once, a pair of rows then costs one product."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .maps import or_nan, row_sums, usable

RADIX = 32_768
"""Values from which on torch sorts a vector of integers by radix, on CPUs: 3 times as fast as a row of a matrix."""


class Rows(NamedTuple):
    """Rows about their mean.

    Attributes:
        values: ``(B, N)``; float64, or float32 where they are whole numbers that it holds.
        square: sum of their squares, ``(B,)`` float64.
        valid: whether a row has a correlation: neither constant nor read of a map that is none, ``(B,)`` bool.
    """

    values: Tensor
    square: Tensor
    valid: Tensor


def deviations(rows: Tensor, valid: Tensor) -> Rows:
    """What Pearson's correlation reads of rows. ``(B, N)``."""
    rows = rows.double()
    values = rows - (row_sums(rows) / rows.shape[1])[:, None]
    return Rows(values, row_sums(values * values), valid & usable(rows))


def ranks(rows: Tensor, valid: Tensor | None = None) -> Rows:
    """What Spearman's correlation reads of rows: twice their average ranks, less the mean, whole numbers. ``(B, N)``.

    The numbers stay below N, which float32 holds up to 16 million pixels, and the sums of their squares below 2^53 up to
    300,000 pixels: exact, in whatever order a machine adds them.
    """
    ordered, places = _sorted(_keys(rows))
    centred = _twice_average_places(ordered).sub_(rows.shape[1] - 1).float()
    values = torch.empty_like(centred).scatter_(1, places, centred)
    ends = rows.gather(1, places[:, [0, -1]])  # least and largest; NaN is at one of the two
    varied = usable(ends)
    return Rows(values, row_sums(values.double().square_()), varied if valid is None else valid & varied)


def correlation(a: Rows, b: Rows) -> Tensor:
    """Correlation row by row, NaN where a row has none. ``(B,)`` float64.

    Equal rows give exactly 1: their three sums are the same number v, and ``sqrt(v * v)`` rounds to v.
    """
    together = row_sums(a.values.double() * b.values.double())
    return or_nan(together / (a.square * b.square).sqrt(), a.valid & b.valid)


def _keys(values: Tensor) -> Tensor:
    """Integers that sort as the floating-point values do, ties included; integers sort faster."""
    integer, top = (torch.int32, 31) if values.dtype == torch.float32 else (torch.int64, 63)
    bits = (values + 0.0).view(integer)  # adding 0 makes -0.0 equal to 0.0
    # the bits of negative numbers count downwards: turn them round
    return bits.bitwise_xor_((bits >> top).bitwise_and_(torch.iinfo(integer).max))


def _sorted(keys: Tensor) -> tuple[Tensor, Tensor]:
    """Each row in ascending order, and the places that its values had. ``(B, N)`` each."""
    values, places = torch.empty_like(keys), torch.empty_like(keys, dtype=torch.int64)
    if keys.is_cuda or keys.shape[1] < RADIX:
        torch.sort(keys, 1, out=(values, places))
        return values, places
    for row, value, place in zip(keys, values, places, strict=True):
        torch.sort(row, out=(value, place))
    return values, places


def _twice_average_places(ordered: Tensor) -> Tensor:
    """First plus last place, from 0 on, of the group of ties that each value of a row in order is in. int32 ``(B, N)``."""
    size = ordered.shape[1]
    place = torch.arange(size, dtype=torch.int32, device=ordered.device)
    first, last = (torch.ones_like(ordered, dtype=torch.bool) for _ in range(2))
    torch.ne(ordered[:, 1:], ordered[:, :-1], out=first[:, 1:])
    last[:, :-1] = first[:, 1:]
    starts = torch.where(first, place, 0).cummax(1).values
    ends = torch.where(last, place, size).flip(1).cummin(1).values.flip(1)
    return starts.add_(ends)
