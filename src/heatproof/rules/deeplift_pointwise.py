"""DeepLIFT rules of elementwise functions, products and quotients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import ACTIVATION, CONVOLUTION
from .redirect import Pair, Rule, Surrogate, arguments, redirect, rerun

Function = Callable[[Tensor], Tensor]

ELEMENTWISE = ACTIVATION | frozenset(
    "exp exp2 expm1 log log1p log2 log10 sqrt rsqrt reciprocal square abs absolute erf erfc sin cos tan atan sinh cosh "
    "pow __rpow__ float_power clamp_max log_sigmoid expit maximum minimum".split()
)
PRODUCT = CONVOLUTION | frozenset("mul multiply matmul bmm mm mv dot inner outer einsum linear".split())
QUOTIENT = {  # where the numerator and the divisor stand
    **dict.fromkeys(("div", "divide", "true_divide"), ("input", "other")),
    **dict.fromkeys(("__rdiv__", "__rtruediv__"), ("other", "input")),
}


def secant(function: Function, x: Tensor, x0: Tensor, y: Tensor, y0: Tensor) -> Tensor:
    """Multiplier of an elementwise function (equation 11): (y - y0) / (x - x0).

    Where x is x0, or so near that the quotient would be noise, it is f'(x), provided that the tangent explains y - y0 to
    within rounding; an infinite slope does not, and the factor is 0.
    """
    dx = torch.where(x == x0, 0, x - x0)  # also where both are infinite (masked attention)
    dy = torch.where(y == y0, 0, y - y0)
    factor = dy / torch.where(dx == 0, 1, dx)  # eq. 11
    size = torch.maximum(x.abs(), x0.abs())
    eps = torch.finfo(x.dtype).eps
    near = dx.abs() <= eps**0.5 * (size + y.abs())
    if not near.any():
        return factor
    slope = derivative(function, x)
    rounding = 4 * eps * (y.abs() + y0.abs() + slope.abs() * size)
    return torch.where(near & ((dy - slope * dx).abs() <= rounding), slope, factor)


def derivative(function: Function, x: Tensor) -> Tensor:
    """f'(x) by autograd."""
    with torch.enable_grad():
        leaf = x.detach().clone().requires_grad_()
        return torch.autograd.grad(function(leaf).sum(), leaf)[0]


def pointwise(function: Function, x: Pair) -> Pair:
    """An elementwise function of a pair, by the rescale rule."""
    now = x.now.detach()
    y, y0 = function(now), function(x.then)
    return Pair(redirect(x.now, y, secant(function, now, x.then, y, y0)), y0)


def product(multiply: Callable[[Tensor, Tensor], Tensor], a: Pair, b: Pair) -> Pair:
    """A bilinear function of two pairs: ab - a0 b0 = (a - a0) (b + b0)/2 + (a + a0)/2 (b - b0), exactly."""
    now = multiply(a.now.detach(), b.now.detach())
    return Pair(redirect(split(multiply, a, b), now), multiply(a.then, b.then))


def split(multiply: Callable[[Tensor, Tensor], Tensor], a: Pair, b: Pair) -> Tensor:
    """The surrogate of a product: each factor with the mean of the other."""
    return multiply(a.now, _mean(b)) + multiply(_mean(a), b.now)


def _mean(x: Pair) -> Tensor:
    return (x.now.detach() + x.then) / 2


def _elementwise(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    def function(x: Tensor) -> Tensor:
        out: Tensor = rerun(call, (x,))[0]
        return out

    x = operands[0]
    return x, secant(function, x.detach(), held[0], value, function(held[0]))


def _is_elementwise(call: Call, operands: tuple[Tensor, ...]) -> bool:
    """One operand, and nothing that stretches it; parameters of an activation (PReLU) have shapes of their own."""
    if len(operands) != 1 or call.op in ACTIVATION - {"clamp", "clip", "clamp_min"}:
        return len(operands) == 1
    shapes = [t.shape for t in call.tensors()]
    return bool(torch.broadcast_shapes(*shapes) == operands[0].shape)  # type: ignore[no-untyped-call]


def _product(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    del value

    def multiply(a: Tensor, b: Tensor) -> Tensor:
        out: Tensor = rerun(call, (a, b))[0]
        return out

    a, b = (Pair(*both) for both in zip(operands, held, strict=True))
    return split(multiply, a, b), None


def _quotient(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    """The product with the reciprocal."""
    del value
    divisor = pointwise(torch.reciprocal, Pair(operands[-1], held[-1]))
    if len(operands) == 1:
        return divisor.now * _terms(call)[0], None
    return split(torch.mul, Pair(operands[0], held[0]), divisor), None


def _terms(call: Call) -> tuple[Any, Any]:
    """Numerator and divisor."""
    given = arguments(call, *QUOTIENT[call.op])
    return given.get("input", given.get("self")), given.get("other")


def _is_quotient(call: Call, operands: tuple[Tensor, ...]) -> bool:
    return _terms(call)[1] is operands[-1] and call.kwargs.get("rounding_mode") is None


POINTWISE_RULES = {
    **dict.fromkeys(ELEMENTWISE, Rule(_is_elementwise, _elementwise)),
    **dict.fromkeys(PRODUCT, Rule(lambda call, operands: len(operands) == 2, _product)),
    **dict.fromkeys(QUOTIENT, Rule(_is_quotient, _quotient)),
}
