"""The proportional redistribution rule of max pooling (RectGrad, arXiv:1902.04893, appendix C.2 and listing 3).

The gradient of a window goes to all of its cells in proportion to their values, instead of to the winner alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import pad

from ..engine.interpose import Call
from ..errors import EscapedOp, NotApplicable

EPSILON = 1e-10
"""The constant of listing 3, absolute: where all activations of a window are as small, part of its gradient is lost."""

_NAMES = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_NO_RULE = ("adaptive_max_pool", "fractional_max_pool", "amax", "max")


@dataclass(frozen=True)
class Windows:
    """The windows of a pooling; each field but the last has one number a spatial dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    ceil_mode: bool = False

    def maxima(self, x: Tensor, return_indices: bool = False) -> Any:
        pool = getattr(functional, f"max_pool{len(self.kernel)}d")
        return pool(x, self.kernel, self.stride, self.padding, self.dilation, self.ceil_mode, return_indices)

    def margins(self, size: torch.Size, count: torch.Size) -> list[int]:
        """Cells to add before and after each dimension so that `count` windows fill it exactly, as `pad` takes them."""
        found: list[int] = []
        for n, many, k, s, p, d in zip(size, count, self.kernel, self.stride, self.padding, self.dilation, strict=True):
            found = [p, (many - 1) * s + (k - 1) * d + 1 - n - p, *found]
        return found

    def cells(self, count: torch.Size) -> Iterator[tuple[Any, ...]]:
        """For each cell of a window, the index that takes this cell of every window."""
        for offset in product(*map(range, self.kernel)):
            starts = [o * d for o, d in zip(offset, self.dilation, strict=True)]
            steps = zip(starts, count, self.stride, strict=True)
            yield (..., *(slice(start, start + (many - 1) * s + 1, s) for start, many, s in steps))


class ProportionalMaxPool(torch.autograd.Function):
    """Max pooling; its gradient is shared out over the window in proportion to the activations (listing 3)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, windows: Windows) -> Tensor:
        out: Tensor = windows.maxima(x)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Windows], output: Tensor) -> None:
        del output
        ctx.windows = inputs[1]
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return redistributed(x, grad, ctx.windows), None


def redistributed(x: Tensor, grad: Tensor, windows: Windows) -> Tensor:
    """Listing 3, in float32 at least; the averages of windows over the edge are over the cells inside."""
    dims = len(windows.kernel)
    count = grad.shape[-dims:]
    margins = windows.margins(x.shape[-dims:], count)
    wide = torch.promote_types(x.dtype, torch.float32)
    a = pad(x.to(wide), margins)
    inside = pad(x.new_ones(x.shape[-dims:], dtype=wide), margins)
    cells = list(windows.cells(count))
    valid = torch.stack([inside[cell] for cell in cells]).sum(0)
    z = torch.stack([a[cell] for cell in cells]).sum(0) / valid + EPSILON  # listing 3, line 8
    s = grad.to(wide) / z  # listing 3, line 10
    c = s.new_zeros(a.shape)
    for cell in cells:
        c[cell] += s / valid  # listing 3, line 11: the gradient of the average
    return pad(a * c, [-m for m in margins]).to(grad.dtype)  # listing 3, line 14


def answer_max_pool(call: Call) -> Any:
    """Answers max pooling in every spelling by its proportional rule; other maxima over the map are an error."""
    name = call.op.removesuffix("_with_indices")
    given = dict(zip(_NAMES, call.args, strict=False)) | call.kwargs
    x = given.get("input", given.get("self"))
    if not isinstance(x, Tensor) or not x.requires_grad:
        return NotImplemented
    if name not in ("max_pool1d", "max_pool2d", "max_pool3d"):
        if name.startswith(_NO_RULE[:2]) or name in _NO_RULE:
            raise EscapedOp(f"rectgrad(prr=True) has no rule for {call}; use max_pool2d there, or prr=False")
        return NotImplemented
    if (x < 0).any():
        raise NotApplicable(
            f"rectgrad(prr=True) shares a gradient out in proportion to activations, and {call} pools values as low as "
            f"{x.min().item():.3g}; it needs pooling after the ReLU: use prr=False"
        )
    windows = _windows(given, int(name[-2]))
    out = ProportionalMaxPool.apply(x, windows)  # type: ignore[no-untyped-call]
    with_indices = name != call.op or given.get("return_indices")
    return (out, windows.maxima(x.detach(), return_indices=True)[1]) if with_indices else out


def _windows(given: dict[str, Any], dims: int) -> Windows:
    def each(value: Any) -> tuple[int, ...]:
        many = tuple(value) if isinstance(value, (tuple, list)) else (value,)
        return many * dims if len(many) == 1 else many

    kernel = each(given["kernel_size"])
    stride = each(given.get("stride") or kernel)
    return Windows(
        kernel, stride, each(given.get("padding", 0)), each(given.get("dilation", 1)), bool(given.get("ceil_mode"))
    )
