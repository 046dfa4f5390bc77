"""What every similarity needs: two checked stacks of maps, reduced to one value per pixel, and correlations of rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import InputError

CHUNK = 4
"""Maps worked on at once by each CPU: their temporaries stay in its cache (2 to 3 times faster than all at once)."""


def check_pair(a: Tensor, b: Tensor, call: str) -> tuple[Tensor, Tensor]:
    """Two stacks that can be compared, detached. ``(B, C, H, W)`` each, where C may be 1 in one of them.

    Raises:
        InputError: not two real tensors of four dimensions, no map, no pixel, or sizes that do not match.
    """
    for maps in (a, b):
        if not isinstance(maps, Tensor) or maps.dim() != 4 or maps.is_complex():
            what = f"{maps.dtype} {tuple(maps.shape)}" if isinstance(maps, Tensor) else type(maps).__name__
            raise InputError(f"{call} got {what}; expected two stacks of maps (B, C, H, W) of real numbers")
    sizes = f"{call} got maps of {tuple(a.shape)} and {tuple(b.shape)}"
    if not a.numel() or not b.numel():
        raise InputError(f"{sizes}; expected at least one map with at least one pixel in each")
    if len(a) != len(b) or a.shape[2:] != b.shape[2:]:
        raise InputError(f"{sizes}; B, H and W must be the same: compare maps of the same images at one size")
    if a.shape[1] != b.shape[1] and 1 not in (a.shape[1], b.shape[1]):
        raise InputError(f"{sizes}; C must be the same, or 1 in one of them: sum the channels of both first")
    if a.device != b.device:
        raise InputError(f"{call} got maps on {a.device} and {b.device}; move both to one device")
    return a.detach(), b.detach()


def per_pixel(maps: Tensor, absolute: bool = False) -> Tensor:
    """Channels reduced to one value: ``sum_c |m|`` or ``sum_c m``. ``(B, C, H, W) -> (B, H, W)``, contiguous.

    Returns:
        float64, in which the sum does not depend on how a machine orders it; float32 for maps of one channel in float32
        or less, which need no sum. On a device without float64 (mps) the result is on the CPU.
    """
    if maps.device.type == "mps":
        maps = maps.cpu()
    if maps.shape[1] == 1 and maps.dtype in (torch.float32, torch.float16, torch.bfloat16):
        value = maps[:, 0].float()
        return (value.abs() if absolute else value).contiguous()
    wide = maps.double().contiguous()
    return (wide.abs() if absolute else wide).sum(1)


def usable(*maps: Tensor) -> Tensor:
    """Whether a sample has a similarity: every value finite and no map constant. ``(B, ...) each -> (B,)`` bool."""
    verdicts = []
    for rows in maps:
        low, high = rows.flatten(1).amin(1), rows.flatten(1).amax(1)  # much faster than aminmax
        # NaN and infinity reach the two ends; a range that overflows cannot be normalised either
        verdicts.append((high > low) & (high - low).isfinite())
    return torch.stack(verdicts).all(0)


def in_chunks(measure: Callable[[Tensor, Tensor], Tensor], a: Tensor, b: Tensor) -> Tensor:
    """``measure`` over a few samples at a time. The cut changes no digit: every sample is summed in the same order."""
    size = 64 if a.is_cuda else CHUNK * max(1, torch.get_num_threads() // 4)
    if len(a) % size == 1:
        # torch cuts the sum of a lone row into one part per thread, which rounds differently
        a, b = torch.cat([a, a[-1:]]), torch.cat([b, b[-1:]])
        return in_chunks(measure, a, b)[:-1]
    parts = [slice(start, start + size) for start in range(0, len(a), size)]
    return torch.cat([measure(a[part], b[part]) for part in parts])


def or_nan(value: Tensor, valid: Tensor, like: Tensor) -> Tensor:
    """``value`` in [-1, 1] where ``valid``, NaN elsewhere, on the device of the maps ``like``."""
    value = value.clamp(-1.0, 1.0).masked_fill(~valid, float("nan"))
    return (value.float() if like.device.type == "mps" else value).to(like.device)


def pearson(x: Tensor, y: Tensor) -> Tensor:
    """Pearson correlation row by row, NaN where a row is constant. ``(B, N), (B, N) -> (B,)`` float64.

    Equal rows give exactly 1: their three sums are the same number v, and ``sqrt(v * v)`` rounds to v.
    """
    valid = usable(x, y)
    x, y = x.double(), y.double()
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    value = (x * y).sum(1) / ((x * x).sum(1) * (y * y).sum(1)).sqrt()
    return value.masked_fill(~valid, float("nan"))
