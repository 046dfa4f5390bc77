"""Spearman rank correlation of maps, with average ranks for ties (Sanity Checks, arXiv:1810.03292, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from .maps import check_pair, in_chunks, or_nan, per_pixel, usable


def spearman(a: Tensor, b: Tensor, absolute: bool = False) -> Tensor:
    """Rank correlation of two stacks of maps, sample by sample. ``(B, C, H, W) or (B, 1, H, W) -> (B,)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4; ties as in `scipy.stats.spearmanr`; deviations: none.

    Args:
        a: maps, raw and signed, in any unit: ranks do not see the scale.
        b: maps to compare with; C may be 1 in one of the two.
        absolute: rank ``sum_c |m|`` instead of ``sum_c m``. Two unrelated maps that share z of N pixels at zero reach
            about ``3 z N / (3 z N + m^2 - 1)`` with m = N - z: read it beside `support_spearman` and `zero_share`.

    Returns:
        float64 in [-1, 1]; exactly 1 for equal maps, exactly -1 for signed ``m`` and ``-m``; NaN where either map is
        constant or not finite.

    Raises:
        InputError: two stacks that cannot be compared.

    Example:
        >>> import torch
        >>> spearman(torch.tensor([[[[1.0, 2.0, 2.0, 3.0]]]]), torch.tensor([[[[1.0, 2.0, 3.0, 4.0]]]]))
        tensor([0.9487], dtype=torch.float64)
    """
    a, b = check_pair(a, b, "spearman")
    x, y = (per_pixel(maps, absolute).flatten(1) for maps in (a, b))
    return or_nan(in_chunks(rank_correlation, x, y), usable(x, y), a)


def support_spearman(a: Tensor, b: Tensor) -> Tensor:
    """Absolute rank correlation over the pixels where either map is nonzero. ``(B, C, H, W) -> (B,)``.

    A shared background of zeros makes any two maps agree; this leaves it out (semantics.md, 3.S1.13).

    Args:
        a: maps, raw and signed.
        b: maps to compare with; C may be 1 in one of the two.

    Returns:
        float64 in [-1, 1]; exactly 1 for equal maps; NaN where either map is constant on those pixels or not finite.

    Raises:
        InputError: two stacks that cannot be compared.
    """
    a, b = check_pair(a, b, "support_spearman")
    x, y = (per_pixel(maps, absolute=True).flatten(1) for maps in (a, b))
    return or_nan(in_chunks(_support_correlation, x, y), usable(x, y), a)


def zero_share(a: Tensor, b: Tensor) -> Tensor:
    """Share of the pixels that are zero in both maps, in all channels. ``(B, C, H, W) -> (B,)`` in [0, 1].

    Args:
        a: maps, raw and signed.
        b: maps to compare with; C may be 1 in one of the two.

    Returns:
        float64; NaN where either map is not finite. A map of zeros is no exception: two of them share all pixels.

    Raises:
        InputError: two stacks that cannot be compared.
    """
    a, b = check_pair(a, b, "zero_share")
    x, y = (per_pixel(maps, absolute=True).flatten(1) for maps in (a, b))
    share = ((x == 0) & (y == 0)).sum(1).double() / x.shape[1]
    return or_nan(share, (x.isfinite() & y.isfinite()).all(1), a)


def zero_pattern_null(a: Tensor, b: Tensor) -> Tensor:
    """Absolute rank correlation that the zeros of two maps give by themselves. ``(B, C, H, W) -> (B,)``.

    What `spearman` with absolute=True is in the mean when the magnitudes of the nonzero pixels are independent of each
    other: with n of N pixels nonzero in both maps and m_a, m_b in each, average ranks for the zeros give
    ``(N^2 / 4) (n - m_a m_b / N) / sqrt(V_a V_b)`` with ``V = (N^3 - N - z^3 + z) / 12``, z = N - m.

    Source: derived here; with the same zeros in both it is ``3 z N / (3 z N + m^2 - 1)`` (semantics.md, 0.5).

    Returns:
        float64 in [-1, 1], negative where the supports avoid each other, 0 for a map without zeros; NaN where either map
        is constant or not finite.

    Raises:
        InputError: two stacks that cannot be compared.
    """
    a, b = check_pair(a, b, "zero_pattern_null")
    x, y = (per_pixel(maps, absolute=True).flatten(1) for maps in (a, b))
    pixels = float(x.shape[1])
    here, there = x != 0, y != 0
    both, m_a, m_b = ((s.sum(1).double()) for s in (here & there, here, there))
    v_a, v_b = ((pixels**3 - pixels - (pixels - m) ** 3 + (pixels - m)) / 12 for m in (m_a, m_b))
    value = pixels**2 / 4 * (both - m_a * m_b / pixels) / (v_a * v_b).sqrt()
    return or_nan(value, usable(x, y), a)


def rank_correlation(x: Tensor, y: Tensor, outside: Tensor | int = 0) -> Tensor:
    """Pearson correlation of average ranks, row by row, NaN for constant rows. ``(B, N), (B, N) -> (B,)`` float64.

    Only y is put into the order of x, and x into the order of y within it: two sorts and two gathers, no scatter.

    Args:
        x: finite values.
        y: finite values.
        outside: ``(B, 1)`` number of lowest values, the same pixels in x and y, that are left out; 0 for none.
    """
    first, order = _keys(x).sort(1)
    second, within = _keys(y).gather(1, order).sort(1)
    ranks_x, ranks_y = _centred_ranks(first, outside), _centred_ranks(second, outside)
    together = (ranks_x.gather(1, within) * ranks_y).sum(1)
    return together / (ranks_x.square().sum(1) * ranks_y.square().sum(1)).sqrt()


def _support_correlation(x: Tensor, y: Tensor) -> Tensor:
    """`rank_correlation` of values not below 0, over the places where not both are 0."""
    outside = (x == 0) & (y == 0)
    # -1 is below all others, so that the places left out are the lowest of both
    return rank_correlation(x.masked_fill(outside, -1.0), y.masked_fill(outside, -1.0), outside.sum(1, keepdim=True))


def _keys(values: Tensor) -> Tensor:
    """Integers that sort as the floating-point values do, ties included; integers sort twice as fast."""
    integer, top = (torch.int32, 31) if values.dtype == torch.float32 else (torch.int64, 63)
    bits = (values + 0.0).view(integer)  # adding 0 makes -0.0 equal to 0.0
    # the bits of negative numbers count downwards: turn them round
    return bits ^ ((bits >> top) & torch.iinfo(integer).max)


def _centred_ranks(ordered: Tensor, outside: Tensor | int) -> Tensor:
    """Twice the average ranks minus their mean, whole numbers, of rows in ascending order. ``(B, N) -> (B, N)`` float64.

    Sums of their squares stay below 2^53 up to 300,000 pixels: exact, in whatever order a machine adds them.
    """
    count, size = ordered.shape
    fresh = torch.ones_like(ordered, dtype=torch.bool)
    torch.ne(ordered[:, 1:], ordered[:, :-1], out=fresh[:, 1:])
    starts = fresh.flatten().nonzero().squeeze(1)
    lengths = starts.diff(append=starts.new_tensor([count * size]))
    # a group of ties from place s to place e, counted from 0, has twice the average place s + e = 2 s + length - 1
    places = (2 * starts + lengths).repeat_interleave(lengths, output_size=count * size).view(count, size)
    row = torch.arange(count, device=ordered.device)[:, None] * (2 * size)
    centred = (places - (row + size + outside)).double()
    if isinstance(outside, Tensor):
        centred.masked_fill_(torch.arange(size, device=ordered.device) < outside, 0.0)
    return centred
