"""Units of a network's convolutions, and the network run with some of them switched off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.interpose import Call, Interpose
from ..engine.model import call_model, check_inputs, own
from ..engine.ops import ACTIVATION, CONVOLUTION, is_in_place
from ..engine.twin import twin
from ..errors import ModelError, NotApplicable


class Units:
    """A private copy of a network whose units of convolution layers can be set to 0 in a forward pass.

    A layer is the next activation after a convolution, in call order, whose value still has the convolution's channels,
    and height and width: after batch norm, a residual sum or pooling where they come between. Any spelling of the
    activation will do. It is named by the convolution's module ("conv1"; "conv1#2" at its second use; "op:INDEX" without a
    module). After a ReLU, 0 is what the unit gives where it sees nothing.
    """

    def __init__(self, model: nn.Module) -> None:
        self.network = twin(own(model), own_buffers=True)  # hooks go on a copy of their own
        self.mode = Interpose([self._answer])
        self.mode.follow(self.network)
        self._begin({})

    @torch.no_grad()
    def shapes(self, x: Tensor) -> dict[str, tuple[int, int, int]]:
        """Channels, height and width of every layer, in call order.

        Raises:
            NotApplicable: the network has none.
        """
        check_inputs(self.network, x)
        self._run(x, {})
        if not self.seen:
            raise NotApplicable(
                f"{type(self.network).__name__} has no activation after a convolution that can be seen; give an eager "
                "model with convolutions (B, C, H, W)"
            )
        return dict(self.seen)

    @torch.no_grad()
    def without(self, x: Tensor, hidden: Mapping[str, Tensor]) -> Tensor:
        """Logits with the units of a layer at 0 where `hidden`, bool ``(B, C, h, w)``, says so. ``(B, classes)``.

        Raises:
            ModelError: a layer did not run, or the output is no logits of two classes or more.
        """
        out = self._run(x, hidden)
        if missing := hidden.keys() - self.seen.keys():
            raise ModelError(f"layers {sorted(missing)} did not run; the network has {list(self.seen)}")
        if not isinstance(out, Tensor) or out.dim() != 2 or out.shape[1] < 2:
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ModelError(f"the model returned {got}; a margin needs logits (B, 2 or more)")
        return out

    def _run(self, x: Tensor, hidden: Mapping[str, Tensor]) -> Any:
        self._begin(hidden)
        with self.mode:
            return call_model(self.network, x.detach().clone())

    def _begin(self, hidden: Mapping[str, Tensor]) -> None:
        self.hidden = hidden
        self.seen: dict[str, tuple[int, int, int]] = {}
        self.uses: dict[str, int] = {}
        self.open: tuple[str, torch.Size] | None = None
        self.mode.calls = 0

    def _answer(self, call: Call) -> Any:
        if call.op in CONVOLUTION:
            out = call.run()
            self._convolved(call, out)
            return out
        if call.op in ACTIVATION and self.open is not None:
            out = call.run()
            written = isinstance(out, Tensor) and out._base is not None and is_in_place(call.function)
            self._activated(out._base if written else out)
            return out
        return NotImplemented

    def _convolved(self, call: Call, out: Any) -> None:
        if isinstance(out, Tensor) and _has_space(out):
            path = call.module or f"op:{call.index}"
            self.uses[path] = self.uses.get(path, 0) + 1
            self.open = (path if self.uses[path] == 1 else f"{path}#{self.uses[path]}", out.shape[:2])

    def _activated(self, value: Any) -> None:
        if self.open is None or not isinstance(value, Tensor) or not _has_space(value):
            return
        name, samples_and_channels = self.open
        if value.shape[:2] != samples_and_channels:
            return
        self.open = None
        self.seen[name] = (value.shape[1], value.shape[2], value.shape[3])
        if name in self.hidden:
            value.masked_fill_(self.hidden[name], 0)


def _has_space(value: Tensor) -> bool:
    return value.dim() == 4 and min(value.shape[2:]) > 1
