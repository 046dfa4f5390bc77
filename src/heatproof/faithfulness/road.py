"""ROAD's linear imputation: removed pixels as the weighted mean of their neighbours, solved exactly, without iterating."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..engine.chunks import chunk_slices

DIRECT, DIAGONAL = 1 / 6, 1 / 12
"""Weights of the neighbours beside and across (Rong et al. 2022, section 5.1)."""
NUMBERS = 1 << 26
"""How many float64 one elimination may hold, 512 MiB: six images of 224 x 224 at a time."""


def road_imputed(images: Tensor, removed: Tensor) -> Tensor:
    """The images with removed pixels interpolated. ``(B, C, H, W), bool (B, 1, H, W) -> (B, C, H, W)``.

    Source: Rong et al. 2022 (arXiv:2202.00449), section 5.1, and the authors' code: each removed pixel is the mean of its
    8 neighbours, weighted 1/6 beside and 1/12 across; at the border the weights of the neighbours that are there sum to
    one. Deviations: an image without any pixel left becomes its own mean colour, where theirs has no solution; solved in
    float64 by elimination of one row of pixels after another, so that there is no tolerance to choose.

    Args:
        removed: which pixels are unknown; the others are returned as they are.

    Returns:
        In the images' units, without the noise that "road" in `fills` adds.

    Example:
        >>> road_imputed(torch.tensor([[[[0.0, 9.0, 9.0, 3.0]]]]), torch.tensor([[[[False, True, True, False]]]]))
        tensor([[[[0., 1., 2., 3.]]]])
    """
    empty = removed.flatten(1).all(1)[:, None, None, None]
    x, holes = (t.cpu() if images.device.type == "mps" else t for t in (images, removed & ~empty))
    at_once = max(1, NUMBERS // (x.shape[2] * x.shape[3] ** 2))
    solved = torch.cat([_solved(x[s].double(), holes[s]) for s in chunk_slices(len(x), at_once)])
    mean = images.mean((2, 3), keepdim=True)
    return torch.where(removed, torch.where(empty, mean, solved.to(images)), images)


def _solved(x: Tensor, holes: Tensor) -> Tensor:
    """Solution of ``(sum_j w_ij) x_i - sum_{j removed} w_ij x_j = sum_{j kept} w_ij x_j`` over the removed i; 0 elsewhere.

    A pixel has neighbours in its own row and the two beside it, so the matrix is block tridiagonal, a block for each row:
    ``D_k x_k - E_k x_(k+1) - E_(k-1)^T x_(k-1) = b_k``. It is eliminated downwards, ``x_k = L_k x_(k+1) + p_k``.
    """
    rows = _rows(x, holes)
    links: list[Tensor] = []
    parts: list[Tensor] = []
    for k, row in enumerate(rows):
        block, side = torch.diag_embed(row.weight) - DIRECT * (_apart(row, row) == 1).to(x), row.right
        if k:
            across = _between(rows[k - 1], row).mT
            block, side = block - across @ links[-1], side + across @ parts[-1]
        after = _between(row, rows[k + 1]) if k + 1 < len(rows) else block[..., :0]
        both = torch.cholesky_solve(torch.cat([after, side], -1), torch.linalg.cholesky(block))
        links.append(both[..., : after.shape[-1]])
        parts.append(both[..., after.shape[-1] :])
    found = [parts[-1]]
    for link, part in zip(links[-2::-1], parts[-2::-1], strict=True):
        found.append(part + link @ found[-1])
    solved = torch.zeros_like(x)
    for k, (row, values) in enumerate(zip(rows, reversed(found), strict=True)):
        solved[:, :, k].scatter_(2, row.column.unsqueeze(1).expand(-1, x.shape[1], -1), values.mT)
    return solved


@dataclass(frozen=True)
class _Row:
    """The n removed pixels of a row, in images with fewer filled up by kept ones, which are nobody's neighbours.

    column: ``(B, n)``. place: the same as float32, NaN where kept. weight: the diagonal, ``(B, n)``. right: ``(B, n, C)``.
    """

    column: Tensor
    place: Tensor
    weight: Tensor
    right: Tensor


def _rows(x: Tensor, holes: Tensor) -> list[_Row]:
    weight = torch.where(holes, _around(torch.ones_like(x[:, :1])), 1)[:, 0]
    right = (_around(x * ~holes) * holes).movedim(1, -1)
    hole = holes[:, 0]
    first = hole.to(torch.uint8).argsort(dim=-1, descending=True, stable=True)
    place = torch.where(hole.gather(2, first), first.float(), torch.nan)
    rows = []
    for k, n in enumerate(hole.sum(-1).amax(0).clamp(min=1).tolist()):
        column = first[:, k, :n]
        values = right[:, k].gather(1, column.unsqueeze(-1).expand(-1, -1, x.shape[1]))
        rows.append(_Row(column, place[:, k, :n], weight[:, k].gather(1, column), values))
    return rows


def _around(x: Tensor) -> Tensor:
    """Weighted sum over the neighbours that are there. ``(B, C, H, W)`` same."""
    wide = pad(x, (1, 1, 1, 1))
    pairs = wide[..., :-2, :] + wide[..., 2:, :]
    beside = wide[..., 1:-1, :-2] + wide[..., 1:-1, 2:] + pairs[..., 1:-1]
    return DIRECT * beside + DIAGONAL * (pairs[..., :-2] + pairs[..., 2:])


def _apart(row: _Row, other: _Row) -> Tensor:
    """Columns between removed pixels of two rows, NaN where either is kept. ``(B, n, m)``"""
    return (row.place[:, :, None] - other.place[:, None]).abs_()


def _between(row: _Row, after: _Row) -> Tensor:
    """Weights from the removed pixels of a row to those of the next. ``(B, n, m)``"""
    apart = _apart(row, after)
    return DIRECT * (apart == 0).to(row.weight) + DIAGONAL * (apart == 1).to(row.weight)
