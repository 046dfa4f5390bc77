"""What methods that change the image share: what it is replaced by, and the scores of what comes out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .errors import InputError
from .score import check_target, classes, predicted
from .types import Score


def wide(dtype: torch.dtype) -> torch.dtype:
    """The dtype itself, or float32 where it holds fewer digits."""
    return torch.promote_types(dtype, torch.float32)


def chosen(out: Any, score: Score, target: Tensor | None, rows: slice) -> Tensor:
    """The classes of these rows, which `out` is for: those of the target, checked, or the predicted ones."""
    if target is None:
        return predicted(out, score)
    part = target[..., rows]
    return check_target(part, part.shape[-1], part.device, classes(out, score))


@torch.no_grad()
def scores(out: Any, score: Score, target: Tensor) -> Tensor:
    """The scores of an output for targets ``(B,)`` or ``(K, B)``, in their shape; float32 at least."""
    rows = target[None] if target.dim() == 1 else target
    found = [score(out, row) for row in rows]
    if not all(isinstance(s, Tensor) and s.shape == row.shape for s, row in zip(found, rows, strict=True)):
        got = tuple(found[0].shape) if isinstance(found[0], Tensor) else type(found[0]).__name__
        raise InputError(
            f"score={getattr(score, '__name__', score)} returned {got}; expected one number for each of {len(rows[0])} "
            f"samples, ({len(rows[0])},)"
        )
    return torch.stack(found).detach().to(wide(found[0].dtype)).reshape(target.shape)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur in pixels; at the border the weights of the pixels that are there sum to one. ``(B, C, H, W)`` same;
    float32 of whole numbers."""
    exact = x.to(wide(x.dtype))
    down, across = (_gaussian(side, sigma, exact) for side in x.shape[2:])
    out = down @ exact @ across.T
    return out.to(x.dtype) if x.is_floating_point() else out


def _gaussian(side: int, sigma: float, like: Tensor) -> Tensor:
    places = torch.arange(side, dtype=like.dtype, device=like.device)
    weights = torch.exp(-((places[:, None] - places) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def moved(x: Tensor, shifts: Tensor) -> Tensor:
    """Each image moved by its own (down, across), the border repeated. ``(B, C, H, W), (B, 2) -> (B, C, H, W)``."""
    rows, columns = (
        (torch.arange(side, device=x.device) - shift[:, None]).clamp(0, side - 1)
        for side, shift in zip(x.shape[2:], shifts.unbind(1), strict=True)
    )
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return x[image, :, rows[:, :, None], columns[:, None, :]].movedim(-1, 1)


def circle(radius: float, like: Tensor) -> Tensor:
    """A mask that is 0 in a centred disc and 1 outside; radius 1 reaches the corners, 0 is no disc. ``(1, 1, h, w)``."""
    y, x = ((torch.arange(side, dtype=like.dtype, device=like.device) * 2 + 1) / side - 1 for side in like.shape[2:])
    return ((y[:, None] ** 2 + x**2) > 2 * radius**2).to(like.dtype)[None, None]


PLACES = 28
"""Places of the mask along a side in Fong & Vedaldi 2017, for which their weights hold."""


def total_variation(mask: Tensor, beta: float) -> Tensor:
    """Mean over places of the slopes down and across, to the power beta. ``(B, 1, h, w) -> (B,)``, per 1/28 of the side, so
    that a mask of fewer places is no rougher."""
    scale = min(mask.shape[2:]) / PLACES
    slopes = [mask.diff(dim=dim).mul(scale).abs().pow(beta).flatten(1).sum(1) for dim in (-2, -1)]
    return (slopes[0] + slopes[1]) / mask[0].numel()
