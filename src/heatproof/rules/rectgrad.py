"""The rule of RectGrad (Kim et al. 2019, arXiv:1902.04893): a ReLU passes a gradient only where it matters enough.

R(l) = 1(a(l) R(l+1) > tau) R(l+1) (section 3, and appendix B.1: PR1), tau the q-th percentile of a(l) R(l+1) over all
units of the layer, a sample at a time (listing 1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import get_gradient_edge

from ..engine.guard import nodes
from ..engine.interpose import Call, RuleSet, Tap, tensors_in
from ..engine.ops import MOVERS, Rectifier
from ..errors import EscapedOp, InputError, NotApplicable
from .padding import PaddingTrick
from .pool import ProportionalMaxPool, answer_max_pool
from .relu import answer_relu
from .threshold import Threshold

RULES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {  # appendix B.1, by what is compared to tau
    "pr1": lambda a, grad: a * grad,
    "pr2": lambda a, grad: (a * grad).abs(),
    "pr3": lambda a, grad: a.expand_as(grad),
    "pr4": lambda a, grad: grad,
}


@dataclass(eq=False)
class Gate:
    """One ReLU of a pass, where it was called, and the rule that it follows."""

    module: str
    index: int
    ceiling: float | None
    threshold: Threshold
    rule: str
    batch: int

    def blocked(self, a: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Which units do not pass, as `grad`, and tau ``(B,)``; scores in float32 at least. What is not a number passes,
        so that an overflow shows in the map."""
        wide = torch.promote_types(a.dtype, torch.float32)
        scores = RULES[self.rule](a.to(wide), grad.to(wide))
        rows = scores.reshape(self.batch, -1)
        tau = self.threshold.of(rows)
        return (rows <= tau[:, None]).reshape(scores.shape), tau  # a score of tau is blocked: listing 1, line 20


class RectifiedReLU(torch.autograd.Function):
    """Passes a gradient where the score of the unit is over tau, dead units included (listing 1)."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, gate: Gate) -> Tensor:
        return x.clamp(0, gate.ceiling)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Gate], output: Tensor) -> None:
        ctx.gate = inputs[1]
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (a,) = ctx.saved_tensors
        blocked, _ = ctx.gate.blocked(a, grad)
        return grad.masked_fill(blocked, 0), None  # PR1 to PR4


@dataclass
class RectGrad:
    """The rules of one pass, and the gates that it met, in call order, with their places."""

    threshold: Threshold
    rule: str
    trick: PaddingTrick
    prr: bool
    places: dict[Gate, Tap] = field(default_factory=dict)
    moved: bool = False

    def __post_init__(self) -> None:
        if self.rule not in (*RULES, "mod"):
            raise InputError(f"rule={self.rule!r}; expected one of {', '.join(RULES)}, mod")

    def rules(self, batch: int) -> RuleSet:
        return RuleSet(
            "rectgrad",
            lambda call: self._answer(call, batch),
            (RectifiedReLU, ProportionalMaxPool),
            places=lambda: {tap.name: tap for tap in self.places.values()},
        )

    def ambiguous(self, batch: int) -> dict[int, torch.Size]:
        """Gates, by the number of their call, that may not hold the samples first although as many of something are."""
        shapes = {gate.index: tap.value.shape for gate, tap in self.places.items()}
        return {i: s for i, s in shapes.items() if self.moved and batch > 1 and any(n % batch == 0 for n in s[1:])}

    def settle(self, out: Any) -> list[Gate]:
        """After the forward: the gates between input and output, with "mod" shared out: PR1 for the gates that have no
        other between them and the output, PR2 for the rest (appendix B.4)."""
        graph = list(nodes(t.grad_fn for t in tensors_in(out)))
        self._check_unseen(graph)
        met = {node.gate: node for node in graph if getattr(type(node), "_forward_cls", None) is RectifiedReLU}
        if not met:
            raise NotApplicable(
                "rectgrad changes the gradient of ReLU, and none ran between input and output: use gradient_x_input"
            )
        if self.rule == "mod":
            behind = set(nodes(parent for node in met.values() for parent, _ in node.next_functions))
            for gate, node in met.items():
                gate.rule = "pr2" if node in behind else "pr1"
        return [gate for gate in self.places if gate in met]

    def _answer(self, call: Call, batch: int) -> Any:
        self.moved = self.moved or (call.op in MOVERS and any(t.requires_grad for t in call.tensors()))
        out = answer_relu(call, lambda found: self._gate(call, found, batch))
        if out is NotImplemented:
            out = self.trick.answer(call)
        return answer_max_pool(call) if out is NotImplemented and self.prr else out

    def _gate(self, call: Call, found: Rectifier, batch: int) -> Tensor:
        if not _holds_samples(found.x, batch):
            raise NotApplicable(
                f"rectgrad takes a threshold for each of {batch} samples, and {call} has shape "
                f"{tuple(found.x.shape)}, without the samples first; explain them one at a time"
            )
        gate = Gate(call.module, call.index, found.ceiling, self.threshold, self.rule, batch)
        out: Tensor = RectifiedReLU.apply(found.x, gate)  # type: ignore[no-untyped-call]
        self.places[gate] = Tap(f"gate:{len(self.places)}", out.detach(), get_gradient_edge(out))
        return out

    def _check_unseen(self, graph: list[Any]) -> None:
        """The guard lets convolution and pooling stand as linear; with a rule of their own they must have met it."""
        for node in graph:
            name = node.name()
            escaped = self.trick.width and "Convolution" in name and node not in self.trick.seen
            if escaped or (self.prr and ("Max" in name or "Amax" in name) and not hasattr(type(node), "_forward_cls")):
                raise EscapedOp(
                    f"autograd node {name} ran where rectgrad's {'padding_trick' if escaped else 'prr'} cannot see it "
                    "(TorchScript, compiled code, another thread); give the plain eager model, or leave the option out"
                )


def _holds_samples(x: Tensor, batch: int) -> bool:
    """Whether the samples lie one after the other: the batch is first, here or in what this is another view of."""
    if batch == 1 or (x.dim() and len(x) == batch):
        return True
    base = x._base
    if base is None or not base.dim() or len(base) != batch or base.numel() != x.numel():
        return False
    return base.is_contiguous() and x.is_contiguous()
