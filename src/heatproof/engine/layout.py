"""Which values of a pass are feature maps or tokens of the image, and where their height and width are.

``(B, C, H, W)`` ("channels first") as convolutions give it; ``(B, H, W, C)`` ("channels last") as Swin and ConvNeXt hold it
between two permutations; ``(B, N, D)`` tokens as a ViT makes them of a feature map, up to `PREFIX` of them in front for no
place. Followed from call to call, never guessed from sizes alone: attention's ``(B, heads, N, N)``, a mixer's
``(B, channels, hidden)`` or a flipped feature map are none of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakIdKeyDictionary

from .interpose import Call, tensors_in
from .ops import CONVOLUTION, is_in_place

FIRST = "channels first"
LAST = "channels last"
TOKENS = "tokens"
ACROSS = "tokens last"
ELSEWHERE = "elsewhere"
"""Made of a feature map, but its places are not where the shape says: flipped, rolled, mixed over the tokens."""

PREFIX = 8
"""At most so many tokens that stand for no place in the image (class, distillation and register tokens)."""

_PERMUTES = frozenset("permute transpose movedim moveaxis swapaxes swapdims einsum __get__".split())
_RESIZES = frozenset(
    "max_pool2d max_pool2d_with_indices avg_pool2d adaptive_avg_pool2d adaptive_max_pool2d pad constant_pad_nd interpolate "
    "upsample pixel_shuffle pixel_unshuffle __getitem__ slice narrow chunk split unbind cat concat".split()
)
_RESHAPES = frozenset("view reshape flatten unflatten squeeze unsqueeze".split())
_MOVES = frozenset("roll flip rot90".split())


@dataclass(frozen=True)
class Layout:
    """`kind`, and the height and width that the places of the value form."""

    kind: str
    size: tuple[int, int] = (1, 1)


class Layouts:
    """Observer: the layout of every value that has one, and the heights and widths met, in call order."""

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []
        self._of: Any = WeakIdKeyDictionary()
        self._counted: dict[int, tuple[int, int]] = {}

    def begin(self, x: Tensor) -> None:
        """The model's input is an image."""
        if x.dim() == 4:
            self._note(x, Layout(FIRST, _size(x, FIRST)))

    def of(self, value: Tensor) -> Layout | None:
        """None for what is no feature map and no tokens."""
        found: Layout | None = self._of.get(value)
        return None if found is None or found.kind in (ACROSS, ELSEWHERE) else found

    def before(self, call: Call) -> None:
        del call

    def after(self, call: Call, out: Any) -> None:
        written = call.args[:1] if is_in_place(call.function) else ()
        for result in (*tensors_in(out), *tensors_in(written)):
            if result.requires_grad and (found := self._found(call, result)) is not None:
                self._note(result, found)

    def _found(self, call: Call, out: Tensor) -> Layout | None:
        known = [(t, self._of[t]) for t in call.tensors() if t in self._of]
        if call.op in CONVOLUTION and out.dim() == 4:
            return self._convolved(call, [layout for _, layout in known], out)
        found = [_carried(call, t, layout, out) for t, layout in known]
        lost = any(f is not None and f.kind == ELSEWHERE for f in found)
        placed = next((f for f in found if f is not None and f.kind != ELSEWHERE), None)
        if placed is not None or lost:
            return placed or Layout(ELSEWHERE)
        if call.op in _RESHAPES:
            self._note_parts([layout for _, layout in known], out)
        if call.op in _RESHAPES or not known:
            return self._by_size(out)
        return Layout(ELSEWHERE) if any(layout.kind in (ACROSS, ELSEWHERE) for _, layout in known) else None

    def _convolved(self, call: Call, known: list[Layout], out: Tensor) -> Layout:
        """Channels first, unless what is convolved is elsewhere, or no picture: ``(B, C, N, 1)``."""
        given = next(call.tensors())
        placed = any(layout.kind == FIRST for layout in known) if known else min(given.shape[2:]) > 1
        return Layout(FIRST, _size(out, FIRST)) if placed else Layout(ELSEWHERE)

    def _by_size(self, out: Tensor) -> Layout | None:
        """Tokens where as many have been met; reshaped by hand, a feature map where its height and width have."""
        if out.dim() == 3:
            size = self._counted.get(out.shape[1])
            return None if size is None else Layout(TOKENS, size)
        fitting = [kind for kind in (FIRST, LAST) if out.dim() == 4 and _size(out, kind) in self.sizes]
        return Layout(fitting[0], _size(out, fitting[0])) if len(fitting) == 1 else None

    def _note_parts(self, known: list[Layout], out: Tensor) -> None:
        """A feature map cut into patches of k x k, ``(B, H / k, k, W / k, k, C)``: their height and width may come next."""
        for layout in known:
            if out.dim() == 6 and layout.kind in (FIRST, LAST):
                low = 1 if layout.kind == LAST else 2
                self.sizes.append((out.shape[low], out.shape[low + 2]))

    def _note(self, value: Tensor, layout: Layout) -> None:
        self._of[value] = layout
        if layout.kind in (FIRST, LAST):
            self.sizes.append(layout.size)
        elif layout.kind == TOKENS:
            self._counted[value.shape[1]] = layout.size


def on_grid(value: Tensor, size: tuple[int, int]) -> Tensor:
    """``(..., N, D) -> (..., D, H, W)``; the tokens in front, which stand for no place, are left out."""
    places = value[..., value.shape[-2] - size[0] * size[1] :, :]
    return places.transpose(-1, -2).reshape(*value.shape[:-2], value.shape[-1], *size)


def _size(value: Tensor, kind: str) -> tuple[int, int]:
    shape = value.shape
    return (shape[2], shape[3]) if kind == FIRST else (shape[1], shape[2])


def _carried(call: Call, given: Tensor, layout: Layout, out: Tensor) -> Layout | None:
    """The layout of a result from that of an operand; None where the operand does not tell."""
    if call.op in _MOVES:
        return Layout(ELSEWHERE)
    if call.op in _PERMUTES:
        return _permuted(call, given, layout)
    if layout.kind == ELSEWHERE:
        return layout if out.shape == given.shape else None
    if layout.kind in (TOKENS, ACROSS):
        return _of_tokens(call, given, layout, out)
    if out.dim() == 4:
        if call.op in _RESIZES:
            return Layout(layout.kind, _size(out, layout.kind))
        return layout if call.op not in _RESHAPES and _size(out, layout.kind) == layout.size else None
    return _flattened(layout, out) if call.op in _RESHAPES and out.dim() == 3 else None


def _flattened(layout: Layout, out: Tensor) -> Layout | None:
    """A feature map whose height and width became one dimension."""
    places = layout.size[0] * layout.size[1]
    dim, kind = (2, ACROSS) if layout.kind == FIRST else (1, TOKENS)
    return Layout(kind, layout.size) if out.shape[dim] == places else None


def _of_tokens(call: Call, given: Tensor, layout: Layout, out: Tensor) -> Layout | None:
    """Tokens stay tokens while their number does, or tokens in front come and go; reshaped they are a feature map again."""
    places, dim = layout.size[0] * layout.size[1], 1 if layout.kind == TOKENS else 2
    if out.dim() == 4 and call.op in _RESHAPES:
        kind = LAST if layout.kind == TOKENS else FIRST
        return Layout(kind, layout.size) if _size(out, kind) == layout.size else None
    if out.dim() != 3:
        return None
    same = out.shape[dim] == given.shape[dim]
    grown = call.op in _RESIZES and 0 <= out.shape[dim] - places <= PREFIX  # a class token comes or goes
    if layout.kind == TOKENS:
        return layout if same or grown else None
    return layout if same else Layout(ELSEWHERE)  # mixed over the tokens


def _permuted(call: Call, given: Tensor, layout: Layout) -> Layout | None:
    """Where a permutation puts the places, read off a tensor whose sizes are all different."""
    sizes = {FIRST: (2, 3, 5, 7), LAST: (2, 5, 7, 3), TOKENS: (2, 5, 3), ACROSS: (2, 3, 5)}
    kinds = {(2, 3, 5, 7): FIRST, (2, 5, 7, 3): LAST, (2, 5, 3): TOKENS, (2, 3, 5): ACROSS}
    if layout.kind == ELSEWHERE or given.dim() != len(sizes[layout.kind]):
        return None
    probe = torch.empty(sizes[layout.kind], device="meta")
    args, kwargs = tree_map(lambda value: probe if value is given else value, (call.args, call.kwargs))
    try:
        out = call.function(*args, **kwargs)
    except (RuntimeError, TypeError, ValueError):
        return None  # an einsum of several tensors
    kind = kinds.get(tuple(out.shape)) if isinstance(out, Tensor) else None
    return Layout(kind, layout.size) if kind else Layout(ELSEWHERE)
