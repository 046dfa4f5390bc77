"""The rule sets of LRP: which rule meets which operation, and what counts as one layer however it is spelled.

A constant scale or shift and a batch norm behind a convolution or linear layer are part of it, as if folded into its
weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from ..engine.guard import multiplies
from ..engine.interpose import Call, RuleSet, tensors_in
from ..engine.ops import CONVOLUTION
from ..errors import EscapedOp
from .lrp_box import Box
from .lrp_calls import BATCH_NORM, View, is_scale, is_view, keeps_shape, scale_and_shift
from .lrp_layer import Layer, LayerRule, Shares, box, shares_of
from .lrp_norm import NORM_RULES
from .lrp_plans import PLANS, Options, Plan
from .lrp_pointwise import POINTWISE_RULES, addition
from .lrp_record import Memory, Spread, Summed, spread_of
from .lrp_replay import Replay, Rule, kept
from .lrp_weights import LAYERS, factors, layer_of
from .redirect import Redirect

RULES: dict[str, Rule] = {**POINTWISE_RULES, **NORM_RULES}


@dataclass
class Relevance:
    """The rules of one pass, with what they remember of it."""

    options: Options
    box: Box
    first: bool = True
    summed: Memory[Summed] = field(default_factory=Memory)
    spread: Memory[Spread] = field(default_factory=Memory)

    @cached_property
    def plan(self) -> Plan:
        return PLANS[self.options.rule](self.options)

    def rules(self) -> RuleSet:
        return RuleSet(
            f"lrp(rule={self.options.rule!r})",
            self.answer,
            (Redirect,),
            plain_attention=True,
            covers_score=True,
            key=None if self.box.key is None else (self.options, self.box.key),
            state=self,
            places=lambda: self.box.places,
        )

    def answer(self, call: Call) -> Any:
        operands = tuple(t for t in call.tensors() if t.requires_grad)
        if not operands:
            return NotImplemented
        self.box.begin(operands[0])
        if len(operands) == 1:
            if is_view(call, operands[0]):
                return self._view(call, operands[0])
            if is_scale(call, operands[0]):
                return self._scale(call, operands[0])
        if (layer := self._layer_of(call, operands)) is None:
            return self._by_rule(call, operands)
        run = Replay(call)
        whole = run(*operands)
        first, self.first = self.first, False
        if first and self.plan.boxed and call.op in CONVOLUTION:
            pixels, low, high = self.box.leaves(layer.x)
            return self._layer(
                run, whole, box(self.options.epsilon), shares_of(replace(layer, x=pixels), whole, low, high)
            )
        rule = self.plan.convolution if call.op in CONVOLUTION else self.plan.linear
        return self._layer(run, whole, rule, shares_of(layer, whole) if rule else None)

    def _view(self, call: Call, x: Tensor) -> Any:
        summed, spread = self.summed.of(x), self.spread.of(x)
        fresh = summed is not None and summed[0].fresh
        out = call.run()
        results = list(tensors_in(out))
        if summed:  # a change of shape in place counts as a write, and changes no value
            fact = replace(summed[0], version=summed[0].whole._version) if fresh else summed[0]
            self.summed.pass_on((fact, summed[1]), results, call)
        if spread:
            self.spread.pass_on(spread, results, call)
        return out

    def _scale(self, call: Call, x: Tensor) -> Any:
        held, spread = self.spread.of(x), spread_of(call, x)
        views: tuple[View, ...] = ()
        if held is not None and not held[0].uniform and self.options.rule != "epsilon":
            spread, views = replace(held[0], lost=True), held[1]  # a second constant: no longer x times weights
        out = self._merged(call, x)
        if spread is not None and out is not NotImplemented:
            self.spread.put(next(tensors_in(out)), spread, views)
        return out

    def _merged(self, call: Call, x: Tensor) -> Any:
        """A scale and shift as part of the layer before it; where there is none, by its own rule."""
        found = self.summed.of(x) if keeps_shape(call, x) else None
        settled = found[0].seen(found[1]) if found else None
        if found is None or settled is None:
            return self._by_rule(call, (x,))
        run, (before, shares) = Replay(call), settled
        whole = run(before)
        if call.op in BATCH_NORM and getattr(whole.grad_fn, "_saved_training", False):
            return NotImplemented  # batch statistics, which the engine refuses
        shares = shares and shares.scaled(whole, *scale_and_shift(call, whole, before.dtype))
        return self._layer(run, whole, found[0].rule, shares)

    def _layer_of(self, call: Call, operands: tuple[Tensor, ...]) -> Layer | None:
        if call.op in LAYERS:
            return layer_of(call)
        if call.op in ("sum", "mean") and len(operands) == 1 and (found := self.spread.of(operands[0])):
            return found[0].layer(call, found[1])
        return None

    def _layer(self, run: Replay, whole: Tensor, rule: LayerRule | None, shares: Shares | None) -> Any:
        y = whole.detach()
        out = run.answer(rule(shares) if rule and shares else (whole, y, kept(y, self.options.epsilon)))
        self.summed.put(next(tensors_in(out)), Summed(whole, shares, rule, whole._version))
        return out

    def _by_rule(self, call: Call, operands: tuple[Tensor, ...]) -> Any:
        run, rule_of = Replay(call), RULES.get(call.op)
        if call.op in LAYERS and _has_weights(call, operands[0]):
            self._refuse(call)
        found = rule_of(run, operands, self.options.epsilon) if rule_of else None
        if found is not None:
            return run.answer(found)
        out = call.run()
        if not multiplies(out, operands):
            return out
        self._refuse(call)
        return run.answer(addition(run, operands, self.options.epsilon))

    def _refuse(self, call: Call) -> None:
        """Weights that no layer rule meets; epsilon needs no weights, only sums."""
        if self.options.rule != "epsilon":
            raise EscapedOp(
                f"{call} multiplies by weights in a form that rule={self.options.rule!r} of LRP cannot read; write it as a "
                "linear layer, a convolution or a product with one constant matrix, or use rule='epsilon'"
            )


def _has_weights(call: Call, x: Tensor) -> bool:
    """Whether one of several factors depends on the input, and the call adds up."""
    given = factors(call)
    return len(given) > 1 and sum(t.requires_grad for t in given) == 1 and not is_scale(call, x)
