"""LRP rules of activations, sums, products and maxima: surrogates whose gradient is R / x.

R / x goes through y = f(x) with the factor f(x) / x. Two factors that both depend on the input share alike, as in AttnLRP
(Achtibat et al. 2024, arXiv:2402.05602).
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..engine.ops import ACTIVATION
from .lrp_calls import BATCH_NORM, PRODUCTS, SHIFTS, sums
from .lrp_replay import Found, Replay, Rule, kept, over
from .lrp_weights import LAYERS, factors
from .redirect import arguments, redirect


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
    factor = y.new_tensor(0.5) if run.call.op in PRODUCTS else kept(y, epsilon) / 2
    return first + run(a.detach(), b), y, factor


def addition(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found:
    """What is linear shares in proportion, and a constant or bias absorbs its part (Bach et al. 2015, equation 58)."""
    whole = run(*operands)
    y = whole.detach()
    return whole, y, kept(y, epsilon)


def weighted(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """A layer, or a product of two values of the network (attention)."""
    if sum(t.requires_grad for t in factors(run.call)) == 2:
        return product(run, operands, epsilon)
    moves_only = run.call.op == "einsum" and len(operands) == 1 and sums(run.call, operands[0]) is False
    return None if moves_only else addition(run, operands, epsilon)


def glu(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found:
    """One half times the sigmoid of the other."""
    a, b = operands[0].chunk(2, arguments(run.call, "input", "dim").get("dim", -1))
    gate = b.detach().sigmoid()
    opened = redirect(b, gate.clone(), over(gate, b.detach(), epsilon))
    return a * gate + a.detach() * opened, run.value(*operands), gate.new_tensor(0.5)


def above(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """The larger of a value and a constant: a ReLU, where that is 0."""
    value = run.value(*operands)
    return activation(run, operands, epsilon) if value.shape == operands[0].shape else None


def maximum(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """The winner takes all, as in max pooling."""
    if len(operands) != 1 or len(list(run.call.tensors())) != 1:
        return None
    winner = run(*operands)
    return winner, winner.detach().clone(), None


SUMS = frozenset(("sum", "mean")) | {f"{kind}_pool{d}d" for kind in ("avg", "adaptive_avg") for d in (1, 2, 3)}

POINTWISE_RULES: dict[str, Rule] = {
    **dict.fromkeys(ACTIVATION | {"log_sigmoid"}, activation),
    "glu": glu,
    **dict.fromkeys(PRODUCTS, product),
    **dict.fromkeys(LAYERS, weighted),
    **dict.fromkeys(SUMS | SHIFTS | BATCH_NORM, addition),
    **dict.fromkeys(("max", "amax"), maximum),
    "maximum": above,
}
"""The rule of each operation by `op_name`; shape operations and max pooling need none."""
