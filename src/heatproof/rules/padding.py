"""The padding trick (RectGrad, arXiv:1902.04893, appendix C.1 and listing 2).

Zero padding can give high activations along the border, which RectGrad would follow: the border of the gradient is set to
zero before it goes back through a convolution that pads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import CONVOLUTION
from ..errors import InputError, NotApplicable

_NAMES = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_ATEN = (*_NAMES[:6], "transposed", "output_padding", "groups")


@dataclass
class PaddingTrick:
    """Zeroes a border of `width` pixels at the output of every convolution with SAME padding, 1x1 too if `ones`.

    `seen` holds the autograd nodes of all convolutions that came by.
    """

    width: int
    ones: bool = False
    seen: set[Any] = field(default_factory=set)

    def answer(self, call: Call) -> Any:
        if call.op not in CONVOLUTION or not self.width:
            return NotImplemented
        out = call.run()
        if out.requires_grad:
            self.seen.add(_convolution_node(out))
            given = dict(zip(_ATEN if call.op == "convolution" else _NAMES, call.args, strict=False)) | call.kwargs
            if self._is_same(call, given, out):
                self._zero_border(call, out, given["weight"].dim() - 2)
        return out

    def _is_same(self, call: Call, given: dict[str, Any], out: Tensor) -> bool:
        """Whether it is what TensorFlow calls SAME: it pads, and an output is as large as the input over the stride."""
        if "transpose" in call.op or given.get("transposed"):
            return False
        dims = given["weight"].dim() - 2
        stride, size = given.get("stride", 1), given["input"].shape[-dims:]
        strides = list(stride) if isinstance(stride, (tuple, list)) else [stride]
        strides = strides * dims if len(strides) == 1 else strides
        same = all(o == -(-n // s) for o, n, s in zip(out.shape[-dims:], size, strides, strict=True))
        if given["weight"][0, 0].numel() == 1:
            return same and self.ones
        return same and _pads(given)

    def _zero_border(self, call: Call, out: Tensor, dims: int) -> None:
        size = out.shape[-dims:]
        if min(size) <= 2 * self.width:
            raise NotApplicable(
                f"rectgrad's padding trick would set the whole gradient to zero at {call}, whose output is "
                f"{tuple(size)}, with a border of {self.width}; use padding_trick=False"
            )
        inner = torch.zeros(size, dtype=out.dtype, device=out.device)
        inner[(slice(self.width, -self.width),) * dims] = 1
        # a hook stays with this value where an in-place call overwrites the tensor
        out.register_hook(lambda grad: grad * inner)  # type: ignore[no-untyped-call]  # listing 2, line 11


def padding_trick(option: bool | int | str) -> PaddingTrick:
    """The trick that an option of `rectgrad` asks for."""
    if option == "code":
        return PaddingTrick(1, ones=True)
    if isinstance(option, int) and option >= 0:
        return PaddingTrick(int(option))
    raise InputError(f"padding_trick={option!r}; expected False, True (1 pixel), a width in pixels, or 'code'")


def _pads(given: dict[str, Any]) -> bool:
    padding = given.get("padding", 0)
    if isinstance(padding, str):
        return padding == "same"
    return any(padding) if isinstance(padding, (tuple, list)) else padding > 0


def _convolution_node(out: Tensor) -> Any:
    node: Any = out.grad_fn
    while "Convolution" not in node.name():  # a squeeze, for unbatched inputs
        node = node.next_functions[0][0]
    return node
