"""Spearman rank correlation of maps, with average ranks for ties (Sanity Checks, arXiv:1810.03292, section 4)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from .comparison import Comparison
from .correlation import Rows, correlation, ranks
from .maps import Pixels, check_pair, or_nan, row_sums


class Support(NamedTuple):
    """Where a map is nonzero.

    Attributes:
        nonzero: in any channel, ``(B, N)`` bool.
        finite: whether all its values are, ``(B,)`` bool.
        varied: whether ``sum_c |m|`` has an order of pixels, ``(B,)`` bool.
    """

    nonzero: Tensor
    finite: Tensor
    varied: Tensor


class Absolute(NamedTuple):
    """Ranks of ``sum_c |m|``, and where it is nonzero."""

    ranks: Rows
    support: Support


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
    return ABSOLUTE.of_maps(a, b) if absolute else SIGNED.of_maps(a, b)


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
    return SUPPORT.of_maps(*check_pair(a, b, "support_spearman"))


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
    return ZERO_SHARE.of_maps(*check_pair(a, b, "zero_share"))


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
    return ZERO_PATTERN_NULL.of_maps(*check_pair(a, b, "zero_pattern_null"))


def _signed_ranks(pixels: Pixels) -> Rows:
    return pixels.once(_ranks_of_signed)


def _absolute_ranks(pixels: Pixels) -> Absolute:
    if pixels.absolute is pixels.signed:
        return Absolute(pixels.once(_ranks_of_signed), _support(pixels))
    return Absolute(ranks(pixels.absolute.flatten(1)), _support(pixels))


def _ranks_of_signed(pixels: Pixels) -> Rows:
    return ranks(pixels.signed.flatten(1))


def _support(pixels: Pixels) -> Support:
    rows = pixels.absolute.flatten(1)
    # NaN and infinity are the largest of values that are not negative
    return Support(rows != 0, rows.amax(1).isfinite(), pixels.varied_absolute)


def _absolute_correlation(a: Absolute, b: Absolute) -> Tensor:
    return correlation(a.ranks, b.ranks)


def _support_correlation(a: Absolute, b: Absolute) -> Tensor:
    """The correlation of the ranks among the pixels where not both are zero: whole numbers, without a second sort."""
    outside = ~(a.support.nonzero | b.support.nonzero)
    x, y = (_ranks_without(side, outside) for side in (a, b))
    value = row_sums(x * y) / (row_sums(x * x) * row_sums(y * y)).sqrt()
    return or_nan(value, a.ranks.valid & b.ranks.valid)


def _ranks_without(side: Absolute, outside: Tensor) -> Tensor:
    """Centred ranks where some of the zeros are left out. ``(B, N)`` float64.

    With n zeros out, twice the average place falls by 2 n above the zeros and by n in the zeros that stay, and its mean
    by n.
    """
    fall = outside.sum(1, keepdim=True) * side.support.nonzero
    return (side.ranks.values.double() - fall).masked_fill_(outside, 0.0)


def _zero_share(a: Support, b: Support) -> Tensor:
    both = (~(a.nonzero | b.nonzero)).sum(1)
    return or_nan(both.double() / a.nonzero.shape[1], a.finite & b.finite)


def _zero_pattern_null(a: Support, b: Support) -> Tensor:
    pixels = float(a.nonzero.shape[1])
    both, m_a, m_b = (s.sum(1).double() for s in (a.nonzero & b.nonzero, a.nonzero, b.nonzero))
    v_a, v_b = ((pixels**3 - pixels - (pixels - m) ** 3 + (pixels - m)) / 12 for m in (m_a, m_b))
    value = pixels**2 / 4 * (both - m_a * m_b / pixels) / (v_a * v_b).sqrt()
    return or_nan(value, a.varied & b.varied)


SIGNED = Comparison(_signed_ranks, correlation)
ABSOLUTE = Comparison(_absolute_ranks, _absolute_correlation)
SUPPORT = Comparison(_absolute_ranks, _support_correlation)
ZERO_SHARE = Comparison(_support, _zero_share)
ZERO_PATTERN_NULL = Comparison(_support, _zero_pattern_null)
