"""Taps: the value of an operation in the forward, and the edge at which its gradient is read in the backward.

A place is "input", "spatial" (the layer that GradCAM takes by default), or "layer:PATH". The edge is taken at the call,
``torch.autograd.graph.get_gradient_edge``: a tensor kept as a tap is wrong wherever an in-place call follows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from ..errors import InputError, NotApplicable
from .interpose import Call, Tap, tensors_in
from .layout import LAST, TOKENS, Layout, Layouts
from .ops import ACTIVATION, ADD, CONVOLUTION, NORM, is_in_place, may_overwrite

_MIXES = frozenset({"scaled_dot_product_attention", "multi_head_attention_forward", "softmax"})
"""Where tokens meet: after the last of these, only the tokens that the head reads have a gradient."""


class SpatialTap:
    """Observer that ends up with GradCAM's default layer (design.md, section 3): the last call, in call order, that
    applies an activation to a tensor with height and width; without any, a convolution, norm or sum. Where that activation
    is one branch of a concatenation (Inception, GoogLeNet) the concatenation is taken, since a branch alone is a part.
    """

    def __init__(self, layouts: Layouts) -> None:
        self.layouts = layouts
        self.activation: Tap | None = None
        self.fallback: Tap | None = None
        self.on_tokens = ""
        self.mixed_norm = ""
        self._norm = ""
        self._last: Tensor | None = None

    def before(self, call: Call) -> None:
        if call.op in _MIXES and any(t.dim() > 2 for t in call.tensors()):
            self.mixed_norm = self._norm
        if may_overwrite(call):  # a copy of every candidate would cost a third of the forward
            self.activation, self.fallback = (_kept(tap, call) for tap in (self.activation, self.fallback))

    def after(self, call: Call, out: Any) -> None:
        if isinstance(out, Tensor) and out._base is not None and is_in_place(call.function):
            out = out._base  # written through a view: what goes on from here is the base
        if not isinstance(out, Tensor) or not out.requires_grad:
            return
        kind = call.op
        if kind == "layer_norm" and out.dim() > 2:
            self._norm = call.module
        joins = kind in ("cat", "concat") and self._last is not None and any(t is self._last for t in call.tensors())
        if kind in ACTIVATION or joins:
            self.on_tokens = str(call) if out.dim() == 3 else self.on_tokens
            if self._has_space(out):
                self.activation, self.on_tokens, self._last = self._tap(call, out), "", out
        elif self.activation is None and kind in NORM | CONVOLUTION | ADD and self._has_space(out):
            self.fallback = self._tap(call, out)

    def tap(self) -> Tap:
        """The layer, or `NotApplicable` where no tensor of the network has height and width."""
        chosen = self.activation or self.fallback
        if chosen is None:
            raise NotApplicable(
                "gradcam needs a layer whose output has channels, height and width, and this network has none on the way "
                "from input to score; give layer=, the path of a module"
            )
        if self.activation is None and self.on_tokens:
            raise NotApplicable(
                f"gradcam finds activations only on tokens (last: {self.on_tokens}), and the only spatial layer before "
                f"them is {chosen.name!r}, too early to explain a class; give layer=, the path of a module"
                + (f", for example layer={self.mixed_norm!r}" if self.mixed_norm else "")
            )
        if chosen.version is not None and chosen.value._version != chosen.version:
            raise NotApplicable(
                f"the layer that gradcam takes, {chosen.name!r}, is written over by code that heatproof cannot see "
                "(TorchScript, an extension); give layer=, the path of a module"
            )
        return chosen

    def _tap(self, call: Call, out: Tensor) -> Tap:
        name = call.module or f"op:{call.index}"
        return Tap(name, out.detach(), get_gradient_edge(out), _axis(self.layouts.of(out)), version=out._version)

    def _has_space(self, out: Tensor) -> bool:
        layout = self.layouts.of(out)
        return layout is not None and layout.kind != TOKENS and layout.size != (1, 1)


def _kept(tap: Tap | None, call: Call) -> Tap | None:
    """The tap with a value of its own where a call is about to write to what it shares."""
    if tap is None:
        return None
    shared = tap.value.untyped_storage().data_ptr()
    if all(t.untyped_storage().data_ptr() != shared for t in call.tensors()):
        return tap
    return replace(tap, value=tap.value.clone(), version=None)


class LayerTap:
    """The output of one module by its path; of its last call where the module is used several times."""

    def __init__(self, path: str, layouts: Layouts) -> None:
        self.path = path
        self.layouts = layouts
        self.seen: Tap | None = None
        self.unknown: tuple[int, ...] = ()

    def attach(self, private: nn.Module) -> None:
        modules = dict(private.named_modules())
        if self.path not in modules:
            near = [p for p in modules if p and (p.endswith(self.path) or self.path.startswith(p))][:3]
            raise InputError(
                f"layer={self.path!r}: the model has no such module"
                + (
                    f"; did you mean one of {near}?"
                    if near
                    else f"; it has for example {[p for p in modules if p][-3:]}"
                )
            )
        if isinstance(modules[self.path], torch.jit.ScriptModule):
            raise NotApplicable(
                f"layer={self.path!r} is TorchScript, whose layers cannot be read; give the eager model"
            )
        modules[self.path].register_forward_hook(self._hook)

    def tap(self) -> Tap:
        if self.seen is None:
            raise NotApplicable(f"layer={self.path!r} did not run, or its output does not depend on the input")
        if self.unknown:
            raise NotApplicable(
                f"layer={self.path!r} gives {self.unknown}, reshaped so that nothing tells its channels from height and "
                "width; give a layer before or after it, such as a convolution, a linear layer or a norm"
            )
        return self.seen

    def _hook(self, module: nn.Module, args: Any, out: Any) -> None:
        del module, args
        found = next(tensors_in(out), None)
        if isinstance(found, Tensor) and found.requires_grad:
            layout = self.layouts.of(found)
            self.unknown = tuple(found.shape) if found.dim() == 4 and layout is None else ()
            grid = layout.size if layout is not None and layout.kind == TOKENS else None
            self.seen = Tap(self.path, found.detach().clone(), get_gradient_edge(found), _axis(layout), grid)


def _axis(layout: Layout | None) -> int:
    return 3 if layout is not None and layout.kind == LAST else 1
