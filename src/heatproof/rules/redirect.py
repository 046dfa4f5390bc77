"""A value with the gradient of another: the one autograd Function of the rules that change multipliers (DeepLIFT)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import may_overwrite

Surrogate = tuple[Tensor, Tensor | None]
"""What the gradient goes to instead, and the factor that it is multiplied by on the way."""


@dataclass(frozen=True)
class Rule:
    """How an operation is answered.

    Attributes:
        takes: ``(call, operands)``; False where the call is linear, or is for the guard to refuse.
        multiply: ``(call, operands, their references, value)``.
    """

    takes: Callable[[Call, tuple[Tensor, ...]], bool]
    multiply: Callable[[Call, tuple[Tensor, ...], tuple[Tensor, ...], Tensor], Surrogate]


@dataclass(frozen=True)
class Pair:
    """A quantity at the input, with its graph, and at the reference, without."""

    now: Tensor
    then: Tensor

    def map(self, linear: Callable[[Tensor], Tensor]) -> Pair:
        return Pair(linear(self.now), linear(self.then))


class Redirect(torch.autograd.Function):
    """``value`` forward; backward the gradient, times `factor`, goes to `surrogate`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(surrogate: Tensor, value: Tensor, factor: Tensor | None) -> Tensor:
        del surrogate, factor
        return value

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.mark_dirty(output)  # the value itself becomes the output: no copy, and no view that refuses in-place calls
        ctx.save_for_backward(inputs[2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (factor,) = ctx.saved_tensors
        return grad if factor is None else grad * factor, None, None


def redirect(surrogate: Tensor, value: Tensor, factor: Tensor | None = None) -> Tensor:
    """`value`, a fresh tensor, that passes its gradient times `factor` to `surrogate`."""
    value = value if value._base is None else value.clone()  # einsum may give a view, which cannot take a graph
    found: Tensor = Redirect.apply(surrogate, value, factor)  # type: ignore[no-untyped-call]
    return found


def rerun(call: Call, operands: tuple[Tensor, ...]) -> tuple[Any, bool]:
    """The call with other tensors in the place of those that require a gradient, and whether it writes to its first
    argument; that one is copied, so that nothing of the model is written to."""
    fresh = iter(operands)
    args, kwargs = _swapped(call.args, fresh), _swapped(call.kwargs, fresh)
    if not _may_write(call):
        return call.function(*args, **kwargs), False
    written = args[0].clone()
    before = written._version
    out = call.function(written, *args[1:], **kwargs)
    return out, written._version > before


def arguments(call: Call, *names: str) -> dict[str, Any]:
    """The arguments of a call by name, however they were given."""
    return {**dict(zip(names, call.args, strict=False)), **call.kwargs}


def _may_write(call: Call) -> bool:
    """Whether its first argument may be overwritten; the version of the copy tells."""
    return bool(call.args) and isinstance(call.args[0], Tensor) and may_overwrite(call)


def _swapped(value: Any, fresh: Iterator[Tensor]) -> Any:
    if isinstance(value, Tensor):
        return next(fresh) if value.requires_grad else value
    if type(value) in (tuple, list):
        return type(value)(_swapped(item, fresh) for item in value)
    if isinstance(value, dict):
        return {key: _swapped(item, fresh) for key, item in value.items()}
    return value
