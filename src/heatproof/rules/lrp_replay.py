"""What every LRP rule is given and gives: a call that can be run again, and the three parts of a redirected gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from ..engine.interpose import Call
from .redirect import redirect, rerun

Found = tuple[Tensor, Tensor, Tensor | None]
"""Where the gradient goes, the value, and the factor on the way; the value shares no memory with what a graph saved."""


Product = Callable[[Tensor, Tensor], Tensor]


class Replay:
    """A call on other operands; afterwards it knows what a tuple held besides, and whether the call writes in place."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.wrote = False
        self.rebuild: Callable[[Tensor], Any] = lambda result: result

    def __call__(self, *operands: Tensor) -> Tensor:
        out: Any
        out, self.wrote = rerun(self.call, operands)
        if not isinstance(out, tuple):
            return out  # type: ignore[no-any-return]
        kind = type(out)
        self.rebuild = lambda result: kind((result, *out[1:]))
        return out[0]  # type: ignore[no-any-return]

    def value(self, *operands: Tensor) -> Tensor:
        return self(*(t.detach() for t in operands))

    def answer(self, found: Found) -> Any:
        """The result in the place of the call's own; in place, it is written where it belongs."""
        result = redirect(*found)
        return self.call.args[0].copy_(result) if self.wrote else self.rebuild(result)


Rule = Callable[[Replay, tuple[Tensor, ...], float], Found | None]
"""``(run, operands, epsilon)``; None where the call is linear, or is for the guard to refuse."""


def replaced(call: Call, new: dict[int, Tensor]) -> Any:
    """The call with other tensors in the place of some of its own, by their id."""
    args, kwargs = tree_map_only(Tensor, lambda t: new.get(id(t), t), (call.args, call.kwargs))
    return call.function(*args, **kwargs)


def kept(y: Tensor, epsilon: float) -> Tensor:
    """y / (y + epsilon sign(y)): 0 at 0, 1 at infinity (Bach et al. 2015, equation 58)."""
    return 1 / (1 + epsilon / y.abs())


def over(y: Tensor, z: Tensor, epsilon: float) -> Tensor:
    """y / (z + epsilon sign(z)), with sign(0) = +1."""
    return y / torch.where(z < 0, z - epsilon, z + epsilon)
