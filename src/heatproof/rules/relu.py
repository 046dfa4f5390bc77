"""Backward rules of ReLU, as autograd Functions with the same forward. One class a rule, one rule set a method.

They answer every spelling of ReLU and ReLU6 (`engine.ops.rectifier`). For ReLU6 the gate of the forward is 0 < z < 6;
deconvnet has no gate of the forward.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Answer, Call, RuleSet
from ..engine.ops import Rectifier, rectifier


class GuidedReLU(torch.autograd.Function):
    """Passes a gradient where it is positive and the input was active (Springenberg et al. 2015, figure 1)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, ceiling: float | None) -> Tensor:
        return x.clamp(0, ceiling)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float | None], output: Tensor) -> None:
        ctx.ceiling = inputs[1]
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (out,) = ctx.saved_tensors
        if ctx.ceiling is None:
            gated = torch.ops.aten.threshold_backward(grad, out, 0)  # one pass over memory; comparisons take three
        else:
            gated = torch.where((out > 0) & (out < ctx.ceiling), grad, 0)
        return gated.clamp(min=0), None


class DeconvReLU(torch.autograd.Function):
    """Passes a gradient where it is positive, whatever the input was (Zeiler and Fergus 2014, section 2.1)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, ceiling: float | None) -> Tensor:
        return x.clamp(0, ceiling)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float | None], output: Tensor) -> None:
        del ctx, inputs, output

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        del ctx
        return grad.clamp(min=0), None


def answer_relu(call: Call, apply: Callable[[Rectifier], Tensor]) -> Any:
    """Answers a ReLU on the way from the input by `apply`; in place, the result is written where it belongs."""
    found = rectifier(call.function, call.args, call.kwargs)
    if found is None or not found.x.requires_grad:
        return NotImplemented
    out = apply(found)
    # no clone: these rules save their output, which is a tensor of its own, and never x
    return found.x.copy_(out) if found.in_place else out


def relu_answer(function: type[torch.autograd.Function]) -> Answer:
    """Answers each ReLU on the way from the input by an autograd Function of (x, ceiling)."""

    def answer(call: Call) -> Any:
        return answer_relu(call, lambda found: function.apply(found.x, found.ceiling))  # type: ignore[no-untyped-call]

    return answer


GUIDED = RuleSet(
    "guided_backprop",
    relu_answer(GuidedReLU),
    (GuidedReLU,),
    needs_rule="ReLU",
    through=lambda plain, grad: plain.clamp_(min=0),
)
DECONV = RuleSet(
    "deconvnet",
    relu_answer(DeconvReLU),
    (DeconvReLU,),
    needs_rule="ReLU",
    through=lambda plain, grad: grad.clamp(min=0),
)
