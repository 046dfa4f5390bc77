"""What every similarity needs: checked stacks of maps, reduced to one value per pixel, a few at a time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from ..errors import InputError

CHUNK = 600_000
"""Values worked on at once by each CPU: their temporaries stay in its cache (2 to 3 times faster than all at once)."""
CUDA_CHUNK = 10_000_000

F = TypeVar("F")


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


class Pixels:
    """Maps as features read them: each reduction to one value per pixel is done once, when it is first asked for.

    Attributes:
        maps: raw and signed, ``(B, C, H, W)``.
        apart: whether channels may be compared one by one; not where the other maps of a pair have another C.
    """

    def __init__(self, maps: Tensor, apart: bool = True) -> None:
        self.maps, self.apart = maps, apart
        self._read: dict[Any, Any] = {}

    def once(self, reader: Callable[[Pixels], F]) -> F:
        """What a reader reads of these maps, the first time it is asked for."""
        if reader not in self._read:
            self._read[reader] = reader(self)
        found: F = self._read[reader]
        return found

    @cached_property
    def signed(self) -> Tensor:
        return per_pixel(self.maps)

    @cached_property
    def absolute(self) -> Tensor:
        """`signed` itself where no value is negative, so that what was read of it is not read again."""
        return self.signed if (self.maps >= 0).all() else per_pixel(self.maps, absolute=True)

    @cached_property
    def varied(self) -> Tensor:
        """Whether `signed` is usable. ``(B,)`` bool."""
        return usable(self.signed)

    @cached_property
    def varied_absolute(self) -> Tensor:
        return self.varied if self.absolute is self.signed else usable(self.absolute)

    @property
    def channels(self) -> Tensor:
        """All channels as they are, by the rules of `per_pixel` on types and devices. ``(B, C, H, W)``."""
        return per_pixel(self.maps.flatten(0, 1)[:, None]).view(self.maps.shape)


def usable(*maps: Tensor) -> Tensor:
    """Whether a sample has a similarity: every value finite and no map constant. ``(B, ...) each -> (B,)`` bool."""
    verdicts = []
    for rows in maps:
        low, high = rows.flatten(1).amin(1), rows.flatten(1).amax(1)  # much faster than aminmax
        # NaN and infinity reach the two ends; a range that overflows cannot be normalised either
        verdicts.append((high > low) & (high - low).isfinite())
    return torch.stack(verdicts).all(0)


def in_chunks(function: Callable[..., F], *stacks: Any) -> F:
    """``function`` over a few samples at a time, its tensors put together again. The cut changes no digit.

    Args:
        function: from stacks to a tensor of one value or row per sample, or to a tuple of such.
        stacks: tensors ``(B, ...)``, or tuples of them, all of the same B.
    """
    count, values, device = _extent(stacks)
    many = CUDA_CHUNK if device.type == "cuda" else CHUNK * max(1, torch.get_num_threads() // 4)
    size = max(1, many // values)
    parts = [slice(start, start + size) for start in range(0, count, size)]
    joined: F = _joined([function(*(_cut(stack, part) for stack in stacks)) for part in parts])
    return joined


def _extent(stack: Any) -> tuple[int, int, torch.device]:
    """Samples of a stack, values per sample in its largest tensor, device."""
    if isinstance(stack, Tensor):
        return len(stack), stack[0].numel(), stack.device
    return max((_extent(one) for one in stack), key=lambda extent: extent[1])


def _cut(stack: Any, part: slice) -> Any:
    return stack[part] if isinstance(stack, Tensor) else _like(stack, [_cut(one, part) for one in stack])


def _joined(parts: list[Any]) -> Any:
    if len(parts) == 1:
        return parts[0]
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return _like(parts[0], [_joined(list(column)) for column in zip(*parts, strict=True)])


def _like(old: Any, new: list[Any]) -> Any:
    """A tuple, or a named tuple of the kind of another."""
    return type(old)(*new) if hasattr(old, "_fields") else tuple(new)


def row_sums(rows: Tensor) -> Tensor:
    """Sums over all but the first dimension, each row by itself. ``(B, ...) -> (B,)``."""
    rows = rows.flatten(1)
    # torch cuts the sum of a lone row into one part per thread, which rounds differently
    return rows.expand(2, -1).sum(1)[:1] if len(rows) == 1 else rows.sum(1)


def or_nan(value: Tensor, valid: Tensor) -> Tensor:
    """``value`` in [-1, 1] where ``valid``, NaN elsewhere. ``(B,)``."""
    return value.clamp(-1.0, 1.0).masked_fill(~valid, float("nan"))
