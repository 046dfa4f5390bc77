"""Taps: the value of an operation in the forward, and the edge at which its gradient is read in the backward.

A place is "input", "spatial" (the layer that GradCAM takes by default), or "layer:PATH". The edge is taken at the call,
``torch.autograd.graph.get_gradient_edge``: a tensor kept as a tap is wrong wherever an in-place call follows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import InputError, NotApplicable
from .interpose import Call, Tap, tensors_in
from .ops import ACTIVATION, ADD, CONVOLUTION, NORM, is_in_place


class SpatialTap:
    """Observer that ends up with GradCAM's default layer (design.md, section 3): the last call, in call order, that
    applies an activation to a tensor with height and width; without any, a convolution, norm or sum. Where that activation
    is one branch of a concatenation (Inception, GoogLeNet) the concatenation is taken, since a branch alone is a part.

    Channels-last networks (Swin, ConvNeXt) hold ``(B, H, W, C)`` after a linear or layer norm: such tensors are followed
    through elementwise calls, so that their channel dimension is known.
    """

    def __init__(self) -> None:
        self.activation: Tap | None = None
        self.fallback: Tap | None = None
        self.on_tokens = ""
        self._last: Tensor | None = None
        self._channels_last: Any = WeakIdKeyDictionary()

    def before(self, call: Call) -> None:
        del call

    def after(self, call: Call, out: Any) -> None:
        if isinstance(out, Tensor) and out._base is not None and is_in_place(call.function):
            out = out._base  # written through a view: what goes on from here is the base
        if not isinstance(out, Tensor) or not out.requires_grad:
            return
        self._follow_layout(call, out)
        kind = call.op
        joins = kind in ("cat", "concat") and self._last is not None and any(t is self._last for t in call.tensors())
        if kind in ACTIVATION or joins:
            self.on_tokens = str(call) if out.dim() == 3 else self.on_tokens
            if _has_space(out, self._channel(out)):
                self.activation, self.on_tokens, self._last = self._tap(call, out), "", out
        elif self.activation is None and kind in NORM | CONVOLUTION | ADD and _has_space(out, self._channel(out)):
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
            )
        return chosen

    def _tap(self, call: Call, out: Tensor) -> Tap:
        name = call.module or f"op:{call.index}"
        return Tap(name, out.detach().clone(), get_gradient_edge(out), self._channel(out))

    def _channel(self, out: Tensor) -> int:
        return 3 if out in self._channels_last else 1

    def _follow_layout(self, call: Call, out: Tensor) -> None:
        if out.dim() != 4:
            return
        marks = call.op in ("linear", "layer_norm")
        keeps = call.op in ACTIVATION | ADD | {"mul", "div", "dropout", "contiguous", "clone"}
        if marks or (keeps and any(t in self._channels_last and t.shape == out.shape for t in call.tensors())):
            self._channels_last[out] = True


class LayerTap:
    """The output of one module by its path; of its last call where the module is used several times."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.seen: Tap | None = None

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
        return self.seen

    def _hook(self, module: nn.Module, args: Any, out: Any) -> None:
        del module, args
        found = next(tensors_in(out), None)
        if isinstance(found, Tensor) and found.requires_grad:
            self.seen = Tap(self.path, found.detach().clone(), get_gradient_edge(found))


def _has_space(out: Tensor, channel: int) -> bool:
    space = out.shape[2:] if channel == 1 else out.shape[1:3]
    return out.dim() == 4 and torch.Size(space).numel() > 1
