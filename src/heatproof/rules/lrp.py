"""The rule sets of LRP: which rule meets which operation, the batch norm behind a layer, and the box of the first one.

A batch norm directly behind a convolution or linear layer counts as part of it, as if folded into its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..engine.interpose import Call, RuleSet
from ..engine.ops import CONVOLUTION
from .lrp_box import Box
from .lrp_layer import LAYERS, LayerRule, Shares, alphabeta, box, by_rule, gamma, layer_of, scaled, shares_of, zplus
from .lrp_norm import NORM_RULES
from .lrp_pointwise import POINTWISE_RULES, addition
from .lrp_replay import Replay, Rule, kept
from .redirect import Redirect

RULES: dict[str, Rule] = {**POINTWISE_RULES, **NORM_RULES}
BATCH_NORM = frozenset("batch_norm native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm".split())


@dataclass(frozen=True)
class Options:
    """What the caller chose; see `heatproof.lrp`."""

    rule: str
    epsilon: float
    gamma: float
    alpha: float
    beta: float


@dataclass(frozen=True)
class Plan:
    """The rule of convolutions and of linear layers, None for epsilon, and whether the first convolution gets the box."""

    convolution: LayerRule | None = None
    linear: LayerRule | None = None
    boxed: bool = False


PLANS: dict[str, Callable[[Options], Plan]] = {
    "epsilon": lambda o: Plan(),
    "zplus": lambda o: Plan(zplus(o.epsilon), zplus(o.epsilon)),
    "gamma": lambda o: Plan(gamma(o.epsilon, o.gamma), gamma(o.epsilon, o.gamma)),
    "alphabeta": lambda o: Plan(alphabeta(o.epsilon, o.alpha, o.beta), alphabeta(o.epsilon, o.alpha, o.beta)),
    "composite": lambda o: Plan(gamma(o.epsilon, o.gamma), boxed=True),
    "epsilon_plus": lambda o: Plan(zplus(o.epsilon)),
    "epsilon_alphabeta": lambda o: Plan(alphabeta(o.epsilon, o.alpha, o.beta)),
}
"""The rules of each ``rule=``; the composites are zennit's EpsilonGammaBox, EpsilonPlus and EpsilonAlpha2Beta1."""


@dataclass(frozen=True)
class Summed:
    """The output of a layer as it is before any rule: with its graph, apart by sign where its rule needs that."""

    whole: Tensor
    shares: Shares | None
    rule: LayerRule | None
    version: int


@dataclass
class Relevance:
    """The rules of one pass, with what they remember of it."""

    options: Options
    box: Box
    first: bool = True
    summed: Any = field(default_factory=WeakIdKeyDictionary)

    def rules(self) -> RuleSet:
        return RuleSet(
            f"lrp(rule={self.options.rule!r})",
            self.answer,
            (Redirect,),
            plain_attention=True,
            covers_score=True,
            places=lambda: self.box.places,
        )

    def answer(self, call: Call) -> Any:
        operands = tuple(t for t in call.tensors() if t.requires_grad)
        if not operands:
            return NotImplemented
        self.box.begin(operands[0])
        run = Replay(call)
        if call.op in BATCH_NORM:
            return self._batch_norm(run, operands)
        if call.op in LAYERS and (layer := layer_of(call)) is not None:
            rule, low, high = self._rule(call, layer.x)
            whole = run(*operands)
            return self._layer(run, whole, rule, shares_of(layer, whole, low, high) if rule else None)
        rule_of = RULES.get(call.op)
        found = rule_of(run, operands, self.options.epsilon) if rule_of else None
        return NotImplemented if found is None else run.answer(found)

    def _rule(self, call: Call, x: Tensor) -> tuple[LayerRule | None, Tensor | None, Tensor | None]:
        plan = PLANS[self.options.rule](self.options)
        first, self.first = self.first, False
        if call.op not in CONVOLUTION:
            return plan.linear, None, None
        if plan.boxed and first:
            return box(self.options.epsilon), *self.box.bounds(x)
        return plan.convolution, None, None

    def _layer(self, run: Replay, whole: Tensor, rule: LayerRule | None, shares: Shares | None) -> Any:
        y, epsilon = whole.detach(), self.options.epsilon
        out = run.answer(by_rule(rule, shares) if rule and shares else (whole, y, kept(y, epsilon)))
        value = out[0] if isinstance(out, tuple) else out
        self.summed[value] = Summed(whole, shares, rule, value._version)
        return out

    def _batch_norm(self, run: Replay, operands: tuple[Tensor, ...]) -> Any:
        before = self.summed.get(operands[0])
        if before is None or before.version != operands[0]._version:
            return run.answer(addition(run, operands, self.options.epsilon))
        whole = run(before.whole)
        if getattr(whole.grad_fn, "_saved_training", False):
            return NotImplemented  # batch statistics, which the engine refuses
        shares = before.shares and scaled(before.shares, whole, *_affine(Replay(run.call), whole))
        return self._layer(run, whole, before.rule, shares)


def _affine(norm: Replay, x: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of a batch norm in evaluation mode, ``(1, C, 1, ...)``, whatever its arguments are called."""
    zero = x.new_zeros((1, x.shape[1], *[1] * (x.dim() - 2))).requires_grad_()
    shift = norm(zero)
    return torch.autograd.grad(shift.sum(), zero)[0], shift.detach()
