"""Similarity of maps by histograms of oriented gradients (Dalal and Triggs 2005)."""

from __future__ import annotations

from functools import partial
from math import pi

import torch
from torch import Tensor

from ..errors import InputError
from .comparison import Comparison
from .correlation import Rows, deviations, ranks
from .correlation import correlation as correlate
from .maps import Pixels, check_pair
from .normalise import check_normalise, without_outliers

ORIENTATIONS = 9
EPSILON = 1e-5
CLIP = 0.2
FINE = 2.0**40
CORRELATIONS = {"pearson": deviations, "spearman": ranks}


def hog_similarity(
    a: Tensor, b: Tensor, *, cells: int | None = None, correlation: str = "pearson", normalise: str = "minmax"
) -> Tensor:
    """Correlation of the HOG features of two stacks of maps. ``(B, C, H, W) -> (B,)``.

    Source: Adebayo et al. 2018, arXiv:1810.03292, section 4, on features as `hog_features` computes them from the signed
    channel sum. It does not see the sign of a map (``HOG(-m) = HOG(m)``) and mostly measures sparsity (two unrelated
    maps with 2 % nonzero pixels at 224 px reach .88): read it beside its null floor.

    Args:
        a: maps, raw and signed, in any unit.
        b: maps to compare with; C may be 1 in one of the two.
        cells: side of a cell in pixels; None = 16 for maps of 48 px and more, else ``min(16, side // 4)``.
        correlation: ``"pearson"`` (the paper) or ``"spearman"`` (its code).
        normalise: ``"percentile"`` clips ``m`` at plus and minus the 99th percentile of ``|m|``; ``"minmax"`` and
            ``"second_moment"`` are one and the same here: HOG sees neither the scale nor the offset of a map.

    Returns:
        float64 in [-1, 1]; exactly 1 for equal maps; NaN where either map is constant or not finite, or has no gradient
        within the cells (a chessboard of single pixels has none: its central differences are zero), also where that is so
        only after the clip.

    Raises:
        InputError: two stacks that cannot be compared, maps too small for the cells, or an unknown option.

    Example:
        >>> import torch
        >>> maps = torch.arange(784.0).remainder(31).reshape(1, 1, 28, 28)
        >>> hog_similarity(maps, maps)
        tensor([1.], dtype=torch.float64)
    """
    return hog_comparison(cells, correlation, normalise).of_maps(*check_pair(a, b, "hog_similarity"))


def hog_comparison(
    cells: int | None = None, correlation: str = "pearson", normalise: str = "minmax"
) -> Comparison[Rows]:
    """`hog_similarity` in two halves.

    Raises:
        InputError: an unknown option.
    """
    if correlation not in CORRELATIONS:
        raise InputError(f"hog_similarity got correlation={correlation!r}; expected one of {', '.join(CORRELATIONS)}")
    if cells is not None and (type(cells) is not int or cells < 1):
        raise InputError(f"hog_similarity got cells={cells!r}; expected None or the side of a cell in whole pixels")
    check_normalise("hog_similarity", normalise)
    return Comparison(partial(_rows, cells=cells, correlation=correlation, normalise=normalise), correlate)


def _rows(pixels: Pixels, cells: int | None, correlation: str, normalise: str) -> Rows:
    maps, valid = without_outliers(pixels.signed, normalise)
    return CORRELATIONS[correlation](hog_features(maps, cells), valid)


def layout(height: int, width: int, cells: int | None = None) -> tuple[int, int]:
    """Side of a cell in pixels and side of a block in cells: (16, 3) from 48 px on, the paper's; fewer below.

    Raises:
        InputError: the maps hold not one block.
    """
    side = min(height, width)
    block = 3 if side >= 48 else 2
    cell = cells if cells is not None else (16 if side >= 48 else min(16, side // 4))
    if cell < 1 or side // cell < block:
        raise InputError(
            f"hog_similarity(cells={cells}) got maps of {height} x {width} pixels; expected at least 4 x 4 pixels and, "
            f"with cells= given, {block} cells along each side: leave HOG out (metrics=) or choose smaller cells"
        )
    return cell, block


def hog_features(maps: Tensor, cells: int | None = None) -> Tensor:
    """Histograms of oriented gradients. ``(B, H, W) -> (B, features)``, float64; 324 features for 28 px.

    Source: `skimage.feature.hog`: central differences that are zero along the border, 9 unsigned orientations without
    interpolation, mean magnitude per cell, L2-Hys over overlapping blocks. Deviation: its epsilon of 1e-5 is absolute
    and would flatten small maps, so that each map is first divided by its largest absolute value.

    Args:
        maps: finite values, one per pixel.
        cells: side of a cell in pixels; None as in `hog_similarity`.

    Raises:
        InputError: the maps are too small.
    """
    cell, block = layout(maps.shape[1], maps.shape[2], cells)
    maps = maps.double()
    maps = maps / maps.abs().amax((1, 2), keepdim=True)
    histograms = _cell_histograms(*_gradient(maps), cell)
    blocks = histograms.unfold(1, block, 1).unfold(2, block, 1)  # (B, rows, columns, 9, block, block)
    return _l2_hys(blocks.permute(0, 1, 2, 4, 5, 3).flatten(3)).flatten(1)


def _gradient(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of the two neighbours along rows and along columns, zero at the border. ``(B, H, W)`` each."""
    down, right = torch.zeros_like(maps), torch.zeros_like(maps)
    torch.sub(maps[:, 2:], maps[:, :-2], out=down[:, 1:-1])
    torch.sub(maps[:, :, 2:], maps[:, :, :-2], out=right[:, :, 1:-1])
    return down, right


def _cell_histograms(down: Tensor, right: Tensor, cell: int) -> Tensor:
    """Mean magnitude per cell and orientation. ``(B, H, W) -> (B, H // cell, W // cell, 9)``.

    Magnitudes, at most 3, are added as whole multiples of 2^-40: exact in any order, so that equal maps stay equal
    where a device adds in random order, and finer than the float32 sums of scikit-image.
    """
    rows, columns = down.shape[1] // cell, down.shape[2] // cell
    down, right = (g[:, : rows * cell, : columns * cell] for g in (down, right))
    votes = torch.hypot(down, right).mul_(FINE).round_().long()
    row, column = (torch.arange(n * cell, device=down.device) // cell for n in (rows, columns))
    bins = ORIENTATIONS + 1
    place = _orientations(down, right).add_((row[:, None] * columns + column) * bins)
    sums = votes.new_zeros(len(down), rows * columns * bins)
    sums = sums.scatter_add_(1, place.flatten(1), votes.flatten(1)).view(-1, rows, columns, bins)
    sums[..., 0] += sums[..., ORIENTATIONS]  # half a turn is none
    return sums[..., :ORIENTATIONS].double() / (FINE * cell**2)


def _orientations(down: Tensor, right: Tensor) -> Tensor:
    """Which of 9 equal parts of the half circle a gradient points to, its sign left out. int64, 0 to 8, 9 for its end."""
    # signs are taken off before the angle, so that a map and its negative fall into the same bins to the last bit
    angle = torch.atan2(down.abs(), right * down.sign())
    return angle.mul_(ORIENTATIONS / pi).long().clamp_(0, ORIENTATIONS)  # NaN has no whole number


def _l2_hys(blocks: Tensor) -> Tensor:
    """Length 1, no entry over 0.2, length 1 again. ``(..., features of a block)``."""
    blocks = blocks / (blocks.square().sum(-1, keepdim=True) + EPSILON**2).sqrt()
    blocks = blocks.clamp(max=CLIP)
    return blocks / (blocks.square().sum(-1, keepdim=True) + EPSILON**2).sqrt()
