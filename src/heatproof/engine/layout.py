"""Which values of a pass are feature maps, and where their height and width are.

``(B, C, H, W)`` ("channels first") as convolutions give it, ``(B, H, W, C)`` ("channels last") as Swin and ConvNeXt hold it
between two permutations; attention's ``(B, heads, N, N)`` is neither.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from .interpose import Call
from .ops import CONVOLUTION

FIRST = "channels first"
LAST = "channels last"

_PERMUTES = frozenset("permute transpose movedim moveaxis swapaxes swapdims".split())
_RESIZES = frozenset(
    "max_pool2d max_pool2d_with_indices avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d pad constant_pad_nd interpolate "
    "upsample pixel_shuffle pixel_unshuffle roll flip __getitem__ slice".split()
)


_RESHAPES = frozenset("view reshape unflatten".split())


class Layouts:
    """Observer: the layout of every feature map, and the heights and widths met, in call order.

    A value that was reshaped by hand is one where its height and width are those of a feature map before it.
    """

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self._of: Any = WeakIdKeyDictionary()

    def begin(self, x: Tensor) -> None:
        """The model's input is an image."""
        if x.dim() == 4:
            self._note(x, FIRST)

    def of(self, value: Tensor) -> str | None:
        """`FIRST`, `LAST`, or None for what is no feature map."""
        found: str | None = self._of.get(value)
        return found

    def before(self, call: Call) -> None:
        del call

    def after(self, call: Call, out: Any) -> None:
        if not isinstance(out, Tensor) or out.dim() != 4 or not out.requires_grad:
            return
        if call.op in CONVOLUTION:
            self._note(out, FIRST)
            return
        carried = (self._carried(call, given, out) for given in call.tensors())
        layout = next((found for found in carried if found), None)
        if layout is None and call.op in _RESHAPES:
            layout = self._known_size(out)
        if layout is not None:
            self._note(out, layout)

    def _carried(self, call: Call, given: Tensor, out: Tensor) -> str | None:
        layout = self.of(given)
        if layout is None or call.op in _RESIZES:
            return layout
        if call.op in _PERMUTES:
            return _permuted(call, layout)
        return layout if space_of(given, layout) == space_of(out, layout) else None

    def _known_size(self, out: Tensor) -> str | None:
        fitting = [layout for layout in (FIRST, LAST) if space_of(out, layout) in self.sizes]
        return fitting[0] if len(fitting) == 1 else None

    def _note(self, value: Tensor, layout: str) -> None:
        self._of[value] = layout
        self.sizes.append(space_of(value, layout))


def space_of(value: Tensor, layout: str) -> tuple[int, int]:
    """Height and width of a feature map."""
    shape = value.shape
    return (shape[2], shape[3]) if layout == FIRST else (shape[1], shape[2])


def _permuted(call: Call, layout: str) -> str | None:
    """Where a permutation puts height and width, read off a tensor whose sizes are all different."""
    sizes = (2, 3, 5, 7) if layout == FIRST else (2, 5, 7, 3)
    probe = call.function(torch.empty(sizes, device="meta"), *call.args[1:], **call.kwargs)
    return {(2, 3, 5, 7): FIRST, (2, 5, 7, 3): LAST}.get(tuple(probe.shape))
