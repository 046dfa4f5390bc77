"""DeepLIFT's rescale rule for every operation: gradients with a changed derivative (Shrikumar et al. 2017, section 3).

A pass over the baseline records what the rules need of it, call by call; the pass over the input reads it in the same
order. No batch is doubled, so that tokens-first layouts, reshaped batches and programs of a fixed batch size are right too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call, RuleSet
from ..errors import NotApplicable
from .deeplift_norm import NORM_RULES
from .deeplift_pointwise import POINTWISE_RULES
from .deeplift_pool import POOL_RULES
from .redirect import Redirect, Rule, redirect, rerun

RULES: dict[str, Rule] = {**POINTWISE_RULES, **NORM_RULES, **POOL_RULES}
"""The rule of each operation by `op_name`; operations that are linear in the input need none."""


@dataclass
class Reference:
    """What the rules need of the pass over the baseline: the operands of each call that has a rule, in call order."""

    recording: bool = True
    calls: deque[tuple[str, tuple[Tensor, ...]]] = field(default_factory=deque)

    def rules(self) -> RuleSet:
        return RuleSet("deeplift", self.answer, (Redirect,), plain_attention=True, covers_score=True)

    def answer(self, call: Call) -> Any:
        rule = RULES.get(call.op)
        operands = tuple(t for t in call.tensors() if t.requires_grad) if rule else ()
        if rule is None or not operands or not rule.takes(call, operands):
            return NotImplemented
        with torch.no_grad():
            given = tuple(t.detach().clone() for t in operands) if self.recording else operands
            out, wrote = rerun(call, tuple(t.detach() for t in operands))
        several = isinstance(out, tuple)
        value = out[0] if several else out
        if self.recording:
            self.calls.append((call.op, given))
            result = redirect(operands[0], value)  # only tells what depends on the input; never differentiated
        else:
            surrogate, factor = rule.multiply(call, operands, self._recorded(call, operands), value)
            result = redirect(surrogate, value, factor)
        if wrote:
            return call.args[0].copy_(result)
        return type(out)((result, *out[1:])) if several else result

    def replay(self, run: Callable[[], Any]) -> Any:
        """Run over the input what was recorded over the baseline; raises where the two did not do the same."""
        self.recording = False
        out = run()
        if self.calls:
            raise NotApplicable(f"{_DIFFERS} (at the baseline it also calls {self.calls[0][0]})")
        self.recording = True
        return out

    def _recorded(self, call: Call, operands: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        op, held = self.calls.popleft() if self.calls else ("nothing", ())
        if op != call.op or [t.shape for t in held] != [t.shape for t in operands]:
            raise NotApplicable(f"{_DIFFERS} ({call} at the input, {op} at the baseline)")
        return held


_DIFFERS = (
    "deeplift compares each operation at the input with the same one at the baseline, and this model runs others there; "
    "choose a baseline that takes the same path, or use integrated_gradients"
)
