"""DeepLIFT rule of a maximum: each window's change goes to its winner at the input and its winner at the reference."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.interpose import Call
from .redirect import Rule, Surrogate, arguments

_WINDOW = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_POOLS = {f"max_pool{d}d{suffix}": (d, _WINDOW) for d in (1, 2, 3) for suffix in ("", "_with_indices")}
_ADAPTIVE = {
    f"adaptive_max_pool{d}d{suffix}": (d, ("input", "output_size", "return_indices"))
    for d in (1, 2, 3)
    for suffix in ("", "_with_indices")
}


def _maximum(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    """y - y0 = (max(y, y0) - y0) at the winner of the input + (y - max(y, y0)) at the winner of the reference.

    No quotient exceeds 1: the input's winner has risen by at least y - y0, the reference's has fallen by at least y0 - y.
    Windows may overlap: a gather's backward adds up what its places get.
    """
    windows, places = _windows(call, operands[0])
    before, places0 = _windows(call, held[0])
    y, y0 = (w.detach().gather(-1, p) for w, p in ((windows, places), (before, places0)))
    top = torch.maximum(y, y0)
    rise = y - before.gather(-1, places)
    fall = windows.detach().gather(-1, places0) - y0
    to_now = torch.where(rise == 0, (y == y0).to(y), (top - y0) / torch.where(rise == 0, 1, rise))
    to_then = (y - top) / torch.where(fall == 0, 1, fall)
    surrogate = to_now * windows.gather(-1, places) + to_then * windows.gather(-1, places0)
    return surrogate.reshape(value.shape), None


def _windows(call: Call, x: Tensor) -> tuple[Tensor, Tensor]:
    """The values that are compared in the last dimension, and the places of the winners among them."""
    if call.op in ("amax", "max"):
        dims = _dims(call)
        last = x.movedim(dims, tuple(range(-len(dims), 0))).flatten(-len(dims))
        return last, last.detach().argmax(-1, keepdim=True)
    dimensions, names = {**_POOLS, **_ADAPTIVE}[call.op]
    given = {**arguments(call, *names), "return_indices": True}
    given.pop("input", None), given.pop("self", None)
    pool: Any = getattr(F, call.op.removesuffix("_with_indices"))
    places: Tensor = pool(x.detach(), **given)[1]
    return x.flatten(-dimensions), places.flatten(-dimensions)


def _dims(call: Call) -> tuple[int, ...]:
    x = next(call.tensors())
    dim = arguments(call, "input", "dim").get("dim")
    chosen = (dim,) if isinstance(dim, int) else tuple(dim or range(x.dim()))
    return tuple(d % x.dim() for d in chosen)


def _takes(call: Call, operands: tuple[Tensor, ...]) -> bool:
    """Not the elementwise maximum of two tensors."""
    return len(operands) == 1 and len(list(call.tensors())) == 1


POOL_RULES = dict.fromkeys((*_POOLS, *_ADAPTIVE, "amax", "max"), Rule(_takes, _maximum))
