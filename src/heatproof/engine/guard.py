"""The guard: no nonlinearity may slip past a method whose rules must meet all of them.

Two halves (design.md, section 3). The graph half walks the autograd graph after the forward: every node must be linear,
pooling, shape, or a rule of ours. The mode half marks values computed from the input that carry no gradient: a product
with one of them is how ``x * (x > 0)`` would pass for a linear operation.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from ..errors import EscapedOp
from .interpose import Call, has_odd_strides, tensors_in
from .ops import ADD, is_in_place

LINEAR = frozenset(
    # arithmetic and reductions
    "Add Sub Rsub Neg Sum Mean Cumsum Trace "
    # shape, copies, selection
    "Clone Copy CopySlices ToCopy Alias View UnsafeView ReshapeAlias Permute Transpose T Expand Squeeze Unsqueeze Select "
    "Slice Split UnsafeSplit SplitWithSizes Unbind Cat Stack Flip Roll Repeat AsStrided AsStridedScatter SliceScatter "
    "SelectScatter Scatter Index IndexPut IndexSelect Gather Diagonal Narrow MaskedFill Where Unfold Im2Col Col2Im "
    "PixelShuffle PixelUnshuffle ChannelShuffle NativeChannelShuffle "
    # padding, resizing
    "ConstantPadNd ReflectionPad1D ReflectionPad2D ReflectionPad3D ReplicationPad1D ReplicationPad2D ReplicationPad3D "
    "UpsampleNearest1D UpsampleNearest2D UpsampleNearest3D UpsampleNearestExact2D UpsampleLinear1D UpsampleBilinear2D "
    "UpsampleBicubic2D UpsampleTrilinear3D UpsampleBilinear2DAa UpsampleBicubic2DAa "
    # pooling: linear given the winners, and no paper's rule gates it
    "AvgPool1D AvgPool2D AvgPool3D AdaptiveAvgPool1D AdaptiveAvgPool2D AdaptiveAvgPool3D MkldnnAdaptiveAvgPool2D "
    "MaxPool1D MaxPool2D MaxPool2DWithIndices MaxPool3DWithIndices AdaptiveMaxPool2D AdaptiveMaxPool3D MkldnnMaxPool2D "
    "Amax Max AccumulateGrad".split()
)
BILINEAR = {  # linear while only one of these parents depends on the input
    **dict.fromkeys("Mul Div Mm Bmm Mv Dot Linear MkldnnLinear Convolution ConvolutionOverrideable".split(), (0, 1)),
    **dict.fromkeys("MkldnnConvolution CudnnConvolution GridSampler2D".split(), (0, 1)),
    "Trilinear": (0, 1, 2),
    **dict.fromkeys("Addmm Addmv Baddbmm Addbmm Addcmul Addcdiv".split(), (1, 2)),
}
_WEIGHTS = BILINEAR.keys() - set("Mul Div Addcmul Addcdiv GridSampler2D".split())  # those that add up
DIVISOR = {"Div": 1, "Addcdiv": 2}  # never linear in this parent
BATCH_NORM = frozenset(
    "NativeBatchNorm CudnnBatchNorm MiopenBatchNorm BatchNormWithUpdate NativeBatchNormLegit "
    "NativeBatchNormLegitNoTraining".split()
)

_CREATION = frozenset(
    "new_zeros new_ones new_empty new_full new_tensor zeros_like ones_like empty_like full_like rand_like randn_like "
    "randint_like".split()
)
_HARMLESS = ADD | frozenset("cat concat stack view_as reshape_as expand_as type_as detach to requires_grad".split())


class Taint:
    """Observer of one pass: which values were computed from the input without a gradient, and who made which node."""

    def __init__(self) -> None:
        self.made_by: dict[Any, Call] = {}
        self._tainted: Any = WeakIdKeyDictionary()
        self._aliases: Any = WeakIdKeyDictionary()

    def before(self, call: Call) -> None:
        del call

    def after(self, call: Call, out: Any) -> None:
        results = list(tensors_in(out))
        written = is_in_place(call.function) and call.args and isinstance(call.args[0], Tensor)
        if written:
            self._check_hidden_write(call)
            results.append(call.args[0])
        if not results:
            return
        given = list(call.tensors())
        tainted = any(self._is_tainted(t) for t in given)
        if not tainted and not any(t.requires_grad for t in given):
            return
        if call.op in ("__get__", "detach"):
            self._aliases.update(dict.fromkeys(results, True))
        for result in results:
            if result.requires_grad:
                self._check(call, tainted)
                if not _by_a_rule(result):
                    self._check_maximum(call)
                # without its tensors, which would keep every activation of the pass alive
                self.made_by.setdefault(result.grad_fn, replace(call, args=(), kwargs={}))
            elif call.op not in _CREATION:
                self._taint(result)

    def _check(self, call: Call, tainted: bool) -> None:
        if tainted and call.op not in _HARMLESS:
            raise EscapedOp(
                f"{call} combines a value that depends on the input without a gradient (a mask, an index, a detached "
                "factor) with one that has a gradient: a nonlinearity that no rule can see. Use one of PyTorch's own "
                "activations there, or a method without rules (gradient, integrated_gradients, smoothgrad)"
            )

    def _check_hidden_write(self, call: Call) -> None:
        """A write that the graph does not know of: under no_grad, or through ``.data`` or ``detach()``."""
        written = call.args[0]
        if (written.requires_grad and not torch.is_grad_enabled()) or written in self._aliases:
            raise EscapedOp(
                f"{call} writes to a value of the network without autograd (under no_grad, or through .data or detach()), "
                "so that no rule can see it; use the ordinary operation"
            )

    def _check_maximum(self, call: Call) -> None:
        """A maximum over height and width is pooling; over anything else it may be a ReLU or a maxout in disguise."""
        if call.op not in ("amax", "max"):
            return
        x = call.args[0] if call.args else call.kwargs.get("input")
        dims = call.args[1] if len(call.args) > 1 else call.kwargs.get("dim")
        chosen = [dims] if isinstance(dims, int) else list(dims) if isinstance(dims, (tuple, list)) else []
        if not chosen or not isinstance(x, Tensor) or x.dim() > 4 or any(d % x.dim() < 2 for d in chosen):
            raise EscapedOp(
                f"{call} takes a maximum over something else than height and width, a nonlinearity without a rule; use "
                "torch.relu for a ReLU, or a method without rules (gradient, integrated_gradients, smoothgrad)"
            )

    def _taint(self, tensor: Tensor) -> None:
        self._tainted[tensor] = True
        if tensor._base is not None:
            self._tainted[tensor._base] = True

    def _is_tainted(self, tensor: Tensor) -> bool:
        return tensor in self._tainted or (tensor._base is not None and tensor._base in self._tainted)


def check_graph(out: Tensor, allowed: tuple[type, ...], taint: Taint, rules: str, known: Collection[Any] = ()) -> None:
    """Raise `EscapedOp` unless every node between `out` and the input is linear, pooling, shape, one of the Functions that
    are `allowed`, or one of the nodes that are `known`."""
    for node in nodes([out.grad_fn]):
        if node not in known and not _may_stand(node, allowed):
            raise EscapedOp(_escaped(node, taint, rules))


def multiplies(out: Any, operands: tuple[Tensor, ...]) -> bool:
    """Whether a matrix product or convolution stands between a call's operands and its results."""
    results = [t for t in tensors_in(out) if all(t is not x for x in operands)]
    before = {x.grad_fn for x in operands}
    return any(_kind(node) in _WEIGHTS for t in results for node in nodes([t.grad_fn], before))


def nodes(starts: Iterable[Any], before: Iterable[Any] = ()) -> Iterator[Any]:
    """Every autograd node from `starts` back to the input once; not those of `before`, nor what lies behind them."""
    seen, stack = set(before), list(starts)
    while stack:
        node = stack.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            stack.extend(parent for parent, _ in node.next_functions)


def _may_stand(node: Any, allowed: tuple[type, ...]) -> bool:
    forward = getattr(type(node), "_forward_cls", None)
    if forward is not None:
        return forward in allowed
    kind = _kind(node)
    if kind in BATCH_NORM:
        return not getattr(node, "_saved_training", False)
    if kind in BILINEAR:
        parents = [parent for parent, _ in node.next_functions]
        if kind in DIVISOR and parents[DIVISOR[kind]] is not None:
            return False
        return sum(parents[i] is not None for i in BILINEAR[kind] if i < len(parents)) <= 1
    return kind in LINEAR


def _kind(node: Any) -> str:
    """The operation of a node: ``Copy`` for ``torch::autograd::CopyBackwards``, ``Mul`` for ``MulBackward0``."""
    return re.sub(r"Backwards?\d*$", "", node.name().rpartition("::")[2])


def _escaped(node: Any, taint: Taint, rules: str) -> str:
    kind = _kind(node)
    call = taint.made_by.get(node)
    if call is not None:
        what = f"{call} (autograd node {kind})"
        advice = "replace the operation"
    else:
        what = f"autograd node {kind}"
        advice = (
            "it ran where heatproof cannot see it (TorchScript, compiled code, another thread, checkpointing, or inside "
            "a composite operation): give the plain eager model"
        )
    return (
        f"{rules} has no rule for {what}; {advice}, or use a method without rules (gradient, integrated_gradients, "
        "smoothgrad, gradcam)"
    )


def _by_a_rule(result: Tensor) -> bool:
    return hasattr(type(result.grad_fn), "_forward_cls")


def uses_batch_statistics(out: Tensor) -> bool:
    """Whether a batch norm in the graph of `out` normalises with the statistics of the batch."""
    norms = (n for n in nodes([out.grad_fn]) if _kind(n) in BATCH_NORM and getattr(n, "_saved_training", False))
    return any(n._saved_input.shape[0] > 1 for n in norms)  # instance norm runs as one of batch size 1


def has_odd_batch_norm(out: Tensor) -> bool:
    """Whether torch differentiates a batch norm in the graph of `out` wrongly; see `interpose.odd_batch_norm`."""
    return any(_kind(n) in BATCH_NORM and has_odd_strides(n._saved_input) for n in nodes([out.grad_fn]))


def training_modules(model: torch.nn.Module) -> list[str]:
    """Paths of the submodules in training mode; for a ``torch.export`` program, the operations exported as training."""
    if _is_exported(model):
        return [str(n) for n in model.graph.nodes if _trains(n)]  # type: ignore[union-attr]
    return [path or type(model).__name__ for path, module in model.named_modules() if module.training]


def fixed_batch(model: torch.nn.Module) -> int | None:
    """The only batch size that a ``torch.export`` program takes; None where any will do."""
    return next(iter(_fixed_shape(model)), None)


def fixed_size(model: torch.nn.Module) -> tuple[int, int] | None:
    """The only height and width of images that a ``torch.export`` program takes; None where any will do."""
    match _fixed_shape(model):
        case (_, _, int(height), int(width)):
            return height, width
    return None


def _fixed_shape(model: torch.nn.Module) -> tuple[int | None, ...]:
    """The shape that a program was exported for, None for a size that may vary; () for any other model."""
    if not _is_exported(model):
        return ()
    first = next((n for n in model.graph.nodes if n.op == "placeholder"), None)  # type: ignore[union-attr]
    shape = first.meta["val"].shape if first is not None and "val" in first.meta else ()
    return tuple(size if isinstance(size, int) else None for size in shape)


def _is_exported(model: torch.nn.Module) -> bool:
    """Programs of torch.export carry no usable `.training`: their eval() raises. They call ``aten`` overloads only."""
    if not isinstance(model, torch.fx.GraphModule):
        return False
    return any(isinstance(n.target, torch._ops.OpOverload) for n in model.graph.nodes if n.op == "call_function")


def _trains(node: torch.fx.Node) -> bool:
    """Exported in training mode: dropout with train=True, batch norm with training=True."""
    name = str(node.target)
    if "dropout" in name:
        return len(node.args) > 2 and node.args[2] is True
    if "_native_batch_norm_legit_no_training" in name:
        return False
    if "batch_norm" in name:
        return any(a is True for a in node.args[5:6])
    return False
