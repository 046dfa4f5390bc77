"""Where a 4-D value has its channels: ``(B, C, H, W)``, or ``(B, H, W, C)`` as in Swin and ConvNeXt.

The autograd graph behind the value knows: the nearest convolution or batch norm has its channels first, the nearest linear
layer or layer norm has them last, and permutations between them can be undone.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from torch import Tensor

from .guard import BATCH_NORM

_FIRST = frozenset({"Convolution", "ConvolutionOverrideable", "MkldnnConvolution", "NativeGroupNorm"}) | BATCH_NORM
_IMAGE = "AccumulateGrad"
"""The only leaf of a twin that takes gradients is the input, an image with its channels first."""
_RESHAPES = frozenset("View UnsafeView ReshapeAlias AsStrided Squeeze Unsqueeze Select Unfold Expand".split())


def channel_axis(value: Tensor) -> int | None:
    """The axis of the channels of a 4-D value, 1 to 3; None where nothing tells."""
    if value.dim() != 4:
        return None
    seen: set[Any] = set()
    queue: deque[tuple[Any, tuple[int, ...]]] = deque([(value.grad_fn, (0, 1, 2, 3))])
    while queue:
        node, order = queue.popleft()  # axis i of the node's result is axis order[i] of `value`
        if node is None or node in seen:
            continue
        seen.add(node)
        kind = _kind(node)
        if kind in _FIRST or kind == _IMAGE:
            return order[1]
        if kind in ("NativeLayerNorm", "Linear") or _is_linear(node, kind, value, order[3]):
            return order[3]
        if kind not in _RESHAPES:
            before = _undone(node, kind, order)
            queue.extend((parent, before) for parent, _ in node.next_functions)
    return _of_a_square(value)


def has_space(value: Tensor) -> bool:
    """Whether the value is 4-D with more than one place."""
    if value.dim() != 4:
        return False
    channels = value.shape[channel_axis(value) or 1]
    return value.shape[0] * channels < value.numel()


def _kind(node: Any) -> str:
    """The operation of a node: ``Convolution`` for ``ConvolutionBackward0``, the name of a rule for a rule."""
    return str(node.name()).rpartition("::")[2].split("Backward")[0]


def _is_linear(node: Any, kind: str, value: Tensor, axis: int) -> bool:
    """A linear layer on a 4-D value is a matrix product seen as 4-D. A squeeze-excitation gate has a row an image only."""
    if kind not in ("View", "UnsafeView") or _kind(node.next_functions[0][0]) not in ("Addmm", "Mm"):
        return False
    rows, columns = node._saved_self_sym_sizes
    return bool(rows > len(value) and columns == value.shape[axis])


def _undone(node: Any, kind: str, order: tuple[int, ...]) -> tuple[int, ...]:
    """The order of the axes before a permutation; the same before anything else."""
    dims = [0, 1, 2, 3]
    if kind == "Permute":
        dims = [d % 4 for d in node._saved_dims]  # a negative axis is kept as 2**64 minus it
    elif kind == "Transpose":
        i, j = node._saved_dim0 % 4, node._saved_dim1 % 4
        dims[i], dims[j] = j, i
    return tuple(order[dims.index(axis)] for axis in range(4))


def _of_a_square(value: Tensor) -> int | None:
    """Of a value that was reshaped by hand, ``(B, 7, 7, 768)``: the axis that is not the side of a square."""
    _, a, b, c = value.shape
    if (a == b) == (b == c):
        return None
    return 3 if a == b else 1
