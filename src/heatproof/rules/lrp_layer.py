"""LRP rules of convolutions and linear layers: how the relevance of an output is shared among what was added up in it.

With P and N the sums of the positive and of the negative contributions x_i w_ij to an output y = P + N + b, every rule is
a derivative ``a P + c N`` with constants a and c: R_i = x_i dy/dx_i. A batch norm behind the layer scales P, N and b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import CONVOLUTION
from .lrp_replay import Found, over
from .redirect import arguments

Product = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Layer:
    """A call that is a weighted sum: its input, weight and bias, and the same call without bias on any input, weight."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    product: Product


@dataclass(frozen=True)
class Shares:
    """What adds up to the output `whole` of a layer: `positive` + `negative` + `bias`. Only the bias has no graph."""

    whole: Tensor
    positive: Tensor
    negative: Tensor
    bias: Tensor


Coefficients = tuple[Tensor, Tensor | None]
LayerRule = Callable[[Tensor, Tensor, Tensor, Tensor], Coefficients]
"""``(y, P, N, b)``, none with a graph, to (a, c); c is None where the negative share gets nothing."""


def zplus(epsilon: float) -> LayerRule:
    """R_i = (x_i w_ij)+ / (P + b+) R_j (Montavon et al. 2017, equation 14, for inputs of any sign)."""
    return lambda y, p, n, b: (over(y, p + b.clamp(min=0), epsilon), None)


def box(epsilon: float) -> LayerRule:
    """R_i = (x_i w_ij - low w_ij+ - high w_ij-) / P R_j with P their sum (Montavon et al. 2017, equation 15)."""
    return lambda y, p, n, b: (over(y, p, epsilon), None)


def alphabeta(epsilon: float, alpha: float, beta: float) -> LayerRule:
    """R_i = (alpha (x_i w_ij)+ / (P + b+) - beta (x_i w_ij)- / (N + b-)) R_j (Bach et al. 2015, equation 60)."""
    return lambda y, p, n, b: (
        alpha * over(y, p + b.clamp(min=0), epsilon),
        -beta * over(y, n + b.clamp(max=0), epsilon),
    )


def gamma(epsilon: float, favour: float) -> LayerRule:
    """Contributions of the sign of y count 1 + gamma times (Montavon et al. 2019, section 10.2.3; for y and inputs of any
    sign Andeol et al. 2021)."""

    def rule(y: Tensor, p: Tensor, n: Tensor, b: Tensor) -> Coefficients:
        more_p, more_n = 1 + favour * (y > 0).to(y.dtype), 1 + favour * (y < 0).to(y.dtype)
        share = over(y, more_p * (p + b.clamp(min=0)) + more_n * (n + b.clamp(max=0)), epsilon)
        return share * more_p, share * more_n

    return rule


def by_rule(rule: LayerRule, shares: Shares) -> Found:
    """The output of a layer with the derivative of its rule."""
    y, p, n = shares.whole.detach(), shares.positive, shares.negative
    a, c = rule(y, p.detach(), n.detach(), shares.bias)
    return (p, y, a) if c is None else (a * p + c * n, y, None)


def shares_of(layer: Layer, whole: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Shares:
    """Apart by sign, each by the layer's own call. With bounds, x_i w_ij is less low w_ij+ and high w_ij-, and has no
    bias (the box rule)."""
    x, w = layer.x, layer.weight
    up, down = w.clamp(min=0), w.clamp(max=0)
    if low is not None and high is not None:
        plus, minus = x - low, x - high
    elif not (x < 0).any():
        return Shares(whole, layer.product(x, up), layer.product(x, down), _bias(layer, whole))
    else:
        plus, minus = x * (x > 0), x * (x < 0)
    positive = layer.product(plus, up) + layer.product(minus, down)
    negative = layer.product(plus, down) + layer.product(minus, up)
    return Shares(whole, positive, negative, _bias(layer, whole))


def scaled(shares: Shares, whole: Tensor, scale: Tensor, shift: Tensor) -> Shares:
    """The shares of a layer and the batch norm behind it, as if it were folded into the weights: a negative scale makes
    positive contributions negative."""
    bias = scale * shares.bias + shift
    p, n = shares.positive, shares.negative
    if not (scale < 0).any():
        return Shares(whole, scale * p, scale * n, bias)
    up, down = scale.clamp(min=0), scale.clamp(max=0)
    return replace(shares, whole=whole, positive=up * p + down * n, negative=up * n + down * p, bias=bias)


def layer_of(call: Call) -> Layer | None:
    """The parts of a convolution, linear layer or product with a constant; None where the bias or the weight depends on
    the input, or the input does not."""
    layer = _addmm(call) if call.op == "addmm" else _layer(call) if call.op in _WITH_BIAS else _constant_factor(call)
    frozen = not layer.weight.requires_grad and not (layer.bias is not None and layer.bias.requires_grad)
    return layer if layer.x.requires_grad and frozen else None


_WITH_BIAS = CONVOLUTION | {"linear"}
LAYERS = _WITH_BIAS | frozenset("addmm mm bmm mv matmul __matmul__ __rmatmul__".split())
"""Calls that may be a weighted sum, by `op_name`."""


def _layer(call: Call) -> Layer:
    given = arguments(call, "input", "weight", "bias")
    rest = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight", "bias")}

    def product(x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = call.function(x, w, None, *call.args[3:], **rest)
        return out

    return Layer(given["input"], given["weight"], given.get("bias"), product)


def _addmm(call: Call) -> Layer:
    given = arguments(call, "input", "mat1", "mat2")
    alpha, beta = given.get("alpha", 1), given.get("beta", 1)
    bias = given.get("input", given.get("self"))
    return Layer(given["mat1"], given["mat2"], bias * beta, lambda x, w: x @ w * alpha)


def _constant_factor(call: Call) -> Layer:
    first, second = call.tensors()
    if call.op == "__rmatmul__":
        first, second = second, first
    if first.requires_grad:
        return Layer(first, second, None, torch.matmul)
    return Layer(second, first, None, lambda x, w: torch.matmul(w, x))


def _bias(layer: Layer, whole: Tensor) -> Tensor:
    if layer.bias is None:
        return whole.new_zeros(())
    return layer.bias.reshape(-1, *[1] * (layer.weight.dim() - 2)) if layer.bias.dim() == 1 else layer.bias
