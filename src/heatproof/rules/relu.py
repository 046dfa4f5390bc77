"""Backward rules of ReLU, as autograd Functions with the same forward. One class a rule, one rule set a method.

They answer every spelling of ReLU and ReLU6 (`engine.ops.rectifier`). For ReLU6 the gate of the forward is 0 < z < 6.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Answer, Call, RuleSet
from ..engine.ops import rectifier


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
        active = out > 0 if ctx.ceiling is None else (out > 0) & (out < ctx.ceiling)
        return torch.where(active & (grad > 0), grad, 0), None


def relu_answer(function: type[torch.autograd.Function]) -> Answer:
    """Answers each ReLU on the way from the input by `function`; in place, the result is written where it belongs."""

    def answer(call: Call) -> Any:
        found = rectifier(call.function, call.args, call.kwargs)
        if found is None or not found.x.requires_grad:
            return NotImplemented
        if found.in_place:
            # no clone: these rules save their output, which is a tensor of its own, and never x
            return found.x.copy_(function.apply(found.x, found.ceiling))  # type: ignore[no-untyped-call]
        return function.apply(found.x, found.ceiling)  # type: ignore[no-untyped-call]

    return answer


GUIDED = RuleSet("guided_backprop", relu_answer(GuidedReLU), (GuidedReLU,), needs_rule="ReLU")
