"""LRP rules of convolutions and linear layers: how the relevance of an output is shared among what was added up in it.

With P and N the sums of the positive and of the negative contributions x_i w_ij to an output y = P + N + b, every rule is
a derivative ``a P + c N`` with constants a and c: R_i = x_i dy/dx_i. A scale behind the layer scales P, N and b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import torch
from torch import Tensor

from ..errors import EscapedOp
from .lrp_replay import Found, Product, over


@dataclass(frozen=True)
class Layer:
    """A weighted sum: its input, weight and bias, and the same call without bias on any input, weight."""

    x: Tensor
    weight: Tensor
    bias: Tensor | None
    product: Product


@dataclass(frozen=True)
class Shares:
    """What adds up to the output `whole` of a layer: `positive` + `negative` + `bias`, each part made when it is first
    read. Only the bias has no graph."""

    whole: Tensor
    bias: Tensor
    up: Callable[[], Tensor]
    down: Callable[[], Tensor]

    @property
    def y(self) -> Tensor:
        return self.whole.detach()

    @cached_property
    def positive(self) -> Tensor:
        return self.up()

    @cached_property
    def negative(self) -> Tensor:
        return self.down()

    def viewed(self, view: Callable[[Tensor], Tensor]) -> Shares:
        bias = torch.zeros_like(self.y) + self.bias
        return Shares(view(self.whole), view(bias), lambda: view(self.positive), lambda: view(self.negative))

    def scaled(self, whole: Tensor, scale: Tensor, shift: Tensor) -> Shares:
        """The layer and what scales and shifts its output, as if folded into its weights: a negative scale makes positive
        contributions negative."""
        bias = scale * self.bias + shift
        if not (scale < 0).any():
            return Shares(whole, bias, lambda: scale * self.positive, lambda: scale * self.negative)
        up, down = scale.clamp(min=0), scale.clamp(max=0)
        return Shares(
            whole,
            bias,
            lambda: up * self.positive + down * self.negative,
            lambda: up * self.negative + down * self.positive,
        )


LayerRule = Callable[[Shares], Found]


def zplus(epsilon: float) -> LayerRule:
    """R_i = (x_i w_ij)+ / (P + b+) R_j (Montavon et al. 2017, equation 14, for inputs of any sign)."""
    return lambda s: (s.positive, s.y, over(s.y, s.positive.detach() + s.bias.clamp(min=0), epsilon))


def box(epsilon: float) -> LayerRule:
    """R_i = (x_i w_ij - low w_ij+ - high w_ij-) / P R_j with P their sum (Montavon et al. 2017, equation 15)."""
    return lambda s: (s.positive, s.y, over(s.y, s.positive.detach(), epsilon))


def alphabeta(epsilon: float, alpha: float, beta: float) -> LayerRule:
    """R_i = (alpha (x_i w_ij)+ / (P + b+) - beta (x_i w_ij)- / (N + b-)) R_j (Bach et al. 2015, equation 60)."""

    def rule(s: Shares) -> Found:
        a = alpha * over(s.y, s.positive.detach() + s.bias.clamp(min=0), epsilon)
        c = -beta * over(s.y, s.negative.detach() + s.bias.clamp(max=0), epsilon)
        return a * s.positive + c * s.negative, s.y, None

    return rule


def gamma(epsilon: float, favour: float) -> LayerRule:
    """Contributions of the sign of y count 1 + gamma times (Montavon et al. 2019, section 10.2.3; for y and inputs of any
    sign Andeol et al. 2021)."""

    def rule(s: Shares) -> Found:
        p, n, b = s.positive.detach(), s.negative.detach(), s.bias
        more_p, more_n = 1 + favour * (s.y > 0).to(p.dtype), 1 + favour * (s.y < 0).to(p.dtype)
        share = over(s.y, more_p * (p + b.clamp(min=0)) + more_n * (n + b.clamp(max=0)), epsilon)
        return share * more_p * s.positive + share * more_n * s.negative, s.y, None

    return rule


def shares_of(layer: Layer, whole: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Shares:
    """Apart by sign, each by the layer's own call. With bounds, x_i w_ij is less low w_ij+ and high w_ij- (box)."""
    x, w = layer.x, layer.weight
    plus: Tensor = x
    minus: Tensor | None = None
    if low is not None and high is not None:
        plus, minus = x - low, x - high
    elif (x < 0).any():
        plus, minus = x * (x > 0), x * (x < 0)
    version = plus._version

    def part(first: Tensor, second: Tensor) -> Tensor:
        if plus._version != version:
            raise EscapedOp(
                "the input of a layer is written to in place before the scale behind that layer is known; use the ordinary "
                "operation, or rule='epsilon'"
            )
        share = layer.product(plus, first)
        return share if minus is None else share + layer.product(minus, second)

    up, down = w.clamp(min=0), w.clamp(max=0)
    bias = whole.new_zeros(()) if layer.bias is None else layer.bias
    return Shares(whole, bias, partial(part, up, down), partial(part, down, up))
