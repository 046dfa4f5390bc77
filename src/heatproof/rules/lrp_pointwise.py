"""LRP rules of activations, sums, products and maxima: surrogates whose gradient is R / x.

R / x goes through y = f(x) with the factor f(x) / x. Two factors that both depend on the input share alike, as in AttnLRP
(Achtibat et al. 2024, arXiv:2402.05602).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import ACTIVATION
from .lrp_layer import LAYERS
from .lrp_replay import Found, Replay, Rule, kept, over
from .redirect import arguments


def activation(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """f(x) / x; f(x) / (x + epsilon sign(x)) where f(0) is not 0 (sigmoid, softplus)."""
    if len(operands) != 1:
        return None
    x = operands[0].detach()
    origin = run.call.op != "prelu" and run(x.new_zeros([1] * x.dim())).any()
    y = run(x)
    return operands[0], y, over(y, x, epsilon) if origin else y / torch.where(x == 0, 1, x)


def product(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """Half the relevance to each factor (AttnLRP, proposition 3.2 and equation 15)."""
    if len(operands) != 2:
        return None
    a, b = operands
    first = run(a, b.detach())
    y = first.detach()
    factor = y.new_tensor(0.5) if run.call.op in ELEMENTWISE_PRODUCT else kept(y, epsilon) / 2
    return first + run(a.detach(), b), y, factor


def addition(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found:
    """What is linear shares in proportion, and a constant or bias absorbs its part (Bach et al. 2015, equation 58)."""
    whole = run(*operands)
    y = whole.detach()
    return whole, y, kept(y, epsilon)


def weighted(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """A layer, or a product of two values of the network (attention)."""
    factors = [t for t in operands if t is not _added(run.call)]
    if len(factors) == 2:
        return product(run, operands, epsilon)
    return addition(run, operands, epsilon)


def maximum(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """The winner takes all, as in max pooling."""
    if len(operands) != 1 or len(list(run.call.tensors())) != 1:
        return None
    winner = run(*operands)
    return winner, winner.detach().clone(), None


def _added(call: Call) -> Any:
    """The argument that is added, not multiplied."""
    if call.op in ("addmm", "baddbmm"):
        given = arguments(call, "input")
        return given.get("input", given.get("self"))
    return arguments(call, "input", "weight", "bias").get("bias")


ELEMENTWISE_PRODUCT = frozenset("mul multiply __mul__ __rmul__ __imul__".split())
SUMS = frozenset(
    "add sub subtract rsub iadd isub radd __add__ __radd__ __sub__ __rsub__ __iadd__ __isub__ sum mean".split()
) | {f"{kind}_pool{d}d" for kind in ("avg", "adaptive_avg") for d in (1, 2, 3)}

POINTWISE_RULES: dict[str, Rule] = {
    **dict.fromkeys(ACTIVATION | {"log_sigmoid"}, activation),
    **dict.fromkeys(ELEMENTWISE_PRODUCT | {"einsum"}, product),
    **dict.fromkeys(LAYERS | {"baddbmm"}, weighted),
    **dict.fromkeys(SUMS, addition),
    **dict.fromkeys(("max", "amax"), maximum),
}
"""The rule of each operation by `op_name`; shape operations and max pooling need none."""
