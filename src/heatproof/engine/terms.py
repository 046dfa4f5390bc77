"""Observer of a pass that keeps, for every operation with a residual, where its gradient is read and what it multiplies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import EscapedOp
from .interpose import Call, tensors_in
from .layout import Layout, Layouts
from .ops import ACTIVATION, CONVOLUTION, MOVERS, is_in_place
from .residual import BATCH_NORM_OPS, batch_norm_arguments, batch_norm_scale, closed_form, is_homogeneous, residuals


class FoldedBatch(Exception):
    """An operation holds the batch elsewhere than in its first dimension (windows, sequence first): not an error, but a
    reason to run one sample at a time."""


@dataclass
class Traced:
    """One operation with a residual: its output's edge in the graph, and r, in a shape that broadcasts to that output.

    Attributes:
        name: path of the module that ran it, else "op:index".
        op: the operation's name. index: the number of the call in the pass.
        shape: of its output.
        output: which of the call's outputs this is.
        layout: where its places are in the image (`engine.layout`); None for everything else.
        merged: of a batch norm right after a convolution, the residual of both together; None elsewhere.
        in_next: of that convolution: its residual is in the batch norm's `merged`.
    """

    name: str
    op: str
    index: int
    edge: GradientEdge
    residual: Tensor
    shape: torch.Size
    output: int = 0
    layout: Layout | None = None
    merged: Tensor | None = None
    in_next: bool = False


class Terms:
    """The residual of every call (see `residual`; biases of zero are kept), and whether the calls cover the whole graph,
    back to `ends` or the leaf."""

    def __init__(self, batch: int, layouts: Layouts | None = None, ends: Sequence[Tensor] = ()) -> None:
        self.batch = batch
        self._layouts = layouts
        self._stop = {t.grad_fn for t in ends}
        self.traced: list[Traced] = []
        self._covered: set[Any] = set()
        self._sources: list[Any] = []
        self._given: list[tuple[Tensor, int]] = []
        self._kept: Call | None = None
        self._zero = False
        self._convolved: Any = WeakIdKeyDictionary()
        self._all_convolved: list[Convolved] = []
        self.moved = False

    def begin(self, leaf: Tensor) -> None:
        """Mark what the engine itself puts in front of the model."""
        self._covered.add(leaf.grad_fn)

    def before(self, call: Call) -> None:
        given = [t for t in call.tensors() if t.requires_grad]
        self._sources = [t.grad_fn for t in given]
        self._covered.update(t.grad_fn for t in given if t._base is not None)  # made anew with the base's
        self._given = [(t, t._version) for t in given]
        self._zero = is_homogeneous(call)
        self._kept = None
        if given and not self._zero and (is_in_place(call.function) or _overwrites(call)):
            self._kept = replace(call, args=tree_map(_copied, call.args), kwargs=tree_map(_copied, call.kwargs))

    def after(self, call: Call, out: Any) -> None:
        if not self._sources:
            return
        if call.kwargs.get("out") is not None:
            raise EscapedOp(f"{call} writes to out=, which autograd cannot follow; use its result instead")
        written = is_in_place(call.function)
        results = [call.args[0]] if written else [t for t in tensors_in(out) if t.requires_grad]
        for result in results:
            self._cover(result.grad_fn)
        self.moved = self.moved or (call.op in MOVERS and bool(results))
        if results:
            self._count_uses()
        if self._zero or not results:
            return
        known = closed_form(call)
        if known is not None:
            if known.dim():
                self._add(call, results[0], known)
            return
        for number, result, residual in residuals(call, out, self._kept or call):
            self._add(call, result, residual, number)

    def check_covered(self, out: Any) -> None:
        """Raise `EscapedOp` where the graph of the output has a node that no call made."""
        ends = [t for t in tensors_in(out) if t.requires_grad]
        self._covered.update(t.grad_fn for t in ends if t._base is not None)
        stack = [t.grad_fn for t in ends]
        seen = set()
        while stack:
            node = stack.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if node in self._stop:
                continue
            if node not in self._covered and "AccumulateGrad" not in node.name():
                raise EscapedOp(
                    f"autograd node {node.name()} was made where heatproof cannot see it (a custom autograd Function, "
                    "TorchScript, compiled code, another thread, checkpointing), so that its share of the full gradient is "
                    "unknown; give the plain eager model, or use gradient_x_input"
                )
            stack.extend(parent for parent, _ in node.next_functions)

    def _cover(self, node: Any) -> None:
        """Everything between an output of a call and its inputs was made by that call."""
        stack, stop = [node], set(self._sources)
        while stack:
            current = stack.pop()
            if current is None or current in self._covered or (current in stop and current is not node):
                continue
            self._covered.add(current)
            stack.extend(parent for parent, _ in current.next_functions)

    def _add(self, call: Call, result: Tensor, residual: Tensor, output: int = 0) -> None:
        if result._base is not None and (is_in_place(call.function) or _overwrites(call)):
            result, residual = result._base, _in_base(result, residual)
        if self.batch > 1 and (result.dim() == 0 or result.shape[0] != self.batch):
            raise FoldedBatch
        name = call.module or f"op:{call.index}"
        traced = Traced(name, call.op, call.index, get_gradient_edge(result), residual, result.shape, output)
        traced.layout = self._layouts.of(result) if self._layouts else None
        if call.op in BATCH_NORM_OPS:
            self._merge(call, traced)
        if call.op in CONVOLUTION:
            self._convolved[result] = Convolved(traced, result._version)
            self._all_convolved.append(self._convolved[result])
        self.traced.append(traced)

    def ambiguous(self) -> dict[int, torch.Size]:
        """Calls whose output may have the batch elsewhere than first, where as many of something else are: by index."""
        if self.batch == 1 or not self.moved:
            return {}
        return {t.index: t.shape for t in self.traced if any(n % self.batch == 0 for n in t.shape[1:])}

    def _merge(self, call: Call, traced: Traced) -> None:
        """The single effective bias of convolution and batch norm: offset + scale * bias (FullGrad's first code)."""
        x, _, variance, weight, _, _, eps = batch_norm_arguments(call)
        found = self._convolved.get(x)
        if found is None or variance is None or found.version != x._version:
            return
        scale = batch_norm_scale(weight, variance, eps).detach().reshape(-1, *[1] * (x.dim() - 2))
        traced.merged = traced.residual + scale * found.traced.residual
        found.norm = traced

    def _count_uses(self) -> None:
        """A convolution that anything else reads too keeps its share, and the batch norm its own."""
        for t, version in self._given:
            found = self._convolved.get(t)
            if found is not None and found.version == version:
                found.uses += 1

    def settle(self) -> None:
        """Which convolutions are merged into the batch norm after them."""
        for found in self._all_convolved:
            merged = found.norm is not None and found.uses == 1
            found.traced.in_next = merged
            if found.norm is not None and not merged:
                found.norm.merged = None


@dataclass
class Convolved:
    """The output of a convolution with a bias: its term, its version, how often it was read, and by which batch norm."""

    traced: Traced
    version: int
    uses: int = 0
    norm: Traced | None = None


def separate(call: Call, out: Any) -> Any:
    """Outputs of one call apart from each other: of a composite (LSTMCell) one may be made of another, whose gradient would
    then hold both."""
    if not isinstance(out, tuple) or is_homogeneous(call) or sum(t.requires_grad for t in tensors_in(out)) < 2:
        return out
    return tree_map(lambda t: t.clone() if isinstance(t, Tensor) and t.requires_grad else t, out)


def _overwrites(call: Call) -> bool:
    """``F.silu(x, inplace=True)``: an ordinary name that writes to its argument."""
    return call.op in ACTIVATION and bool(call.kwargs.get("inplace"))  # F passes it by name, however it was given


def _copied(value: Any) -> Any:
    """A copy that an in-place call will not overwrite, still marked as depending on the input or not."""
    if not isinstance(value, Tensor):
        return value
    return value.detach().clone().requires_grad_(value.requires_grad)


def _in_base(view: Tensor, residual: Tensor) -> Tensor:
    """The residual of a write through a view, as the residual of its base: zero outside the view."""
    base = view._base
    whole = torch.zeros_like(base)  # type: ignore[arg-type]
    whole.as_strided(view.shape, view.stride(), view.storage_offset()).copy_(residual.expand_as(view))
    return whole
