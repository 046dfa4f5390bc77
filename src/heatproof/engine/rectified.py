"""Rules that only change what a ReLU passes back, on the plain pass: its graph stands, and hooks change its gradients.

Guided backprop beside the gradient then costs a backward and no forward. Where the plain graph has not the plain ReLUs that
this needs (a clamp, whose gate is closed, not open, at zero; a view written in place), the rule takes a pass of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from ..errors import EscapedOp
from .guard import Taint, check_graph
from .interpose import Call
from .ops import rectifier

Through = Callable[[Tensor, Tensor], Tensor]
"""What a rule passes to a ReLU's input: from the plain gradient there, which it may overwrite, and that at its output."""

NODES = frozenset({"ReluBackward0", "HardtanhBackward0"})
"""Whose gate is 0 < z, or 0 < z < 6, as that of the rules."""


class Rectified:
    """Observer that finds the autograd nodes of all ReLUs, and whether nothing but them and linear operations is there."""

    def __init__(self) -> None:
        self.nodes: dict[Any, None] = {}
        self._taint = Taint()
        self._usable = True

    def before(self, call: Call) -> None:
        self._taint.before(call)

    def after(self, call: Call, out: Any) -> None:
        try:
            self._taint.after(call, out)
        except EscapedOp:  # the rule's own pass will say it
            self._usable = False
        found = rectifier(call.function, call.args, call.kwargs)
        if found is None or not isinstance(out, Tensor) or not out.requires_grad:
            return
        if out.grad_fn is None or out.grad_fn.name() not in NODES:
            self._usable = False
        self.nodes[out.grad_fn] = None

    def covers(self, out: Any) -> bool:
        """Whether the graph of an output is one that the rules may run on."""
        if not self._usable or not self.nodes or not isinstance(out, Tensor):
            return False
        try:
            check_graph(out, (), self._taint, "a rule of ReLUs", self.nodes)
        except EscapedOp:
            return False
        return True

    @contextmanager
    def through(self, rule: Through) -> Iterator[None]:
        """Within: a backward pass goes through every ReLU as the rule says."""

        def hook(before: tuple[Tensor | None, ...], after: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
            if before[0] is None or after[0] is None:
                return before
            return (rule(before[0], after[0]), *before[1:])

        handles = [node.register_hook(hook) for node in self.nodes]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
