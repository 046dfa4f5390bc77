"""The part of one operation that its Jacobian does not explain: r = y - J x (design.md, section 3).

For y = op(x1, ..., xn), with J_i the derivative at this input, f(x) = <df/dx, x> + sum over operations <df/dy, r>: the
biases of convolution, linear and batch norm, and the implicit ones of every nonlinearity, by one definition.

The general way is one forward-mode product with the input itself as tangent. Closed forms stand in where they are known:
r = 0 for operations homogeneous in their input, the bias of a convolution, the offset of a batch norm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._pytree import tree_map

from ..errors import EscapedOp
from .interpose import Call, tensors_in
from .ops import ADD, CONVOLUTION, is_in_place, rectifier

HOMOGENEOUS = frozenset(
    "relu leaky_relu prelu neg abs sum mean cumsum "
    "max_pool1d max_pool2d max_pool3d max_pool2d_with_indices adaptive_max_pool1d adaptive_max_pool2d "
    "adaptive_max_pool3d avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d "
    "view reshape flatten unflatten permute transpose swapaxes movedim t squeeze unsqueeze expand repeat contiguous clone "
    "to float double half bfloat16 type_as alias detach narrow select slice split chunk unbind __getitem__ __get__ index "
    "index_select gather diagonal roll flip unfold as_strided pixel_shuffle pixel_unshuffle channel_shuffle interpolate "
    "upsample dropout dropout1d dropout2d dropout3d feature_dropout alpha_dropout repeat_interleave".split()
)
"""op(t x) = t op(x) for every t > 0 while only the first argument depends on the input: r = 0 (Euler)."""

JOINT = ADD | frozenset("cat concat stack hstack vstack".split())
"""Linear in all their tensors together: r = 0 where every operand depends on the input."""

PRODUCT = frozenset("mul matmul mm bmm mv dot einsum imul rmul __mul__ __imul__ __rmul__ __matmul__".split())
QUOTIENT = frozenset("div true_divide truediv itruediv __truediv__ __itruediv__".split())
"""Linear in one factor while the others are constant: r = 0."""


BATCH_NORM_OPS = frozenset(("batch_norm", "native_batch_norm_legit_no_training"))
"""Batch norm, and as a program of ``torch.export`` has it after its decomposition."""


def is_homogeneous(call: Call) -> bool:
    """Whether the residual of this call is zero without looking at a number."""
    given = list(call.tensors())
    depends = [t.requires_grad for t in given]
    first = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
    op = call.op
    found = rectifier(call.function, call.args, call.kwargs)
    if op in HOMOGENEOUS or (found is not None and found.ceiling is None):
        return depends.count(True) == 1 and isinstance(first, Tensor) and first.requires_grad
    if op in JOINT:
        operands = [*call.args[:2], call.kwargs.get("other")]
        return all(depends) and not any(isinstance(a, (int, float, complex)) for a in operands)
    if op in PRODUCT:
        return depends.count(True) == 1
    if op in QUOTIENT:
        return depends.count(True) == 1 and isinstance(first, Tensor) and first.requires_grad
    return False


def closed_form(call: Call) -> Tensor | None:
    """The residual of a convolution or linear operation (its bias) and of a batch norm in evaluation mode (its offset), in
    a shape that broadcasts to the output, a bare 0 where there is no bias; None for every other call, and where weight or
    bias depend on the input."""
    op = call.op
    if op in CONVOLUTION or op == "linear":
        x, weight, bias = _bound(call, ("input", "weight", "bias"))
        if not _only_first_depends(call, x) or (op != "linear" and x.dim() != weight.dim()):
            return None
        if bias is None:
            return torch.zeros((), dtype=x.dtype, device=x.device)
        flat: Tensor = bias.detach()
        per_channel: Tensor = flat if op == "linear" else flat.reshape(-1, *[1] * (x.dim() - 2))
        return per_channel
    if op in BATCH_NORM_OPS:
        x, mean, variance, weight, bias, training, eps = batch_norm_arguments(call)
        if not _only_first_depends(call, x) or training or mean is None or variance is None:
            return None
        scale = batch_norm_scale(weight, variance, eps)
        offset: Tensor = -mean * scale if bias is None else bias - mean * scale
        return offset.detach().to(x.dtype).reshape(-1, *[1] * (x.dim() - 2))
    return None


def batch_norm_scale(weight: Tensor | None, variance: Tensor, eps: float) -> Tensor:
    """What a batch norm in evaluation mode multiplies each channel by."""
    scale = (variance + eps).rsqrt()
    return scale if weight is None else scale * weight


def residuals(call: Call, out: Any, kept: Call) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Each output that depends on the input and has a residual: its number, the output, and that residual in full.

    `kept` holds the arguments as they were before an in-place call overwrote them. Half precisions are run in float32.

    Raises:
        EscapedOp: neither a forward-mode formula nor a double backward.
    """
    results, wide = _results(call, out), _widened(kept)
    try:
        pairs = _forward_mode(wide)
    except NotImplementedError:
        pairs = _double_backward(wide)
    except RuntimeError as error:
        if "forward AD" not in str(error) and "forward-mode" not in str(error).lower():
            raise
        pairs = _double_backward(wide)
    if len(results) != len(pairs):
        raise EscapedOp(f"{call} gave {len(results)} outputs, and {len(pairs)} when it was run again")
    for number, (result, (value, product)) in enumerate(zip(results, pairs, strict=True)):
        if result.requires_grad:
            residual = _difference(value, torch.zeros_like(value) if product is None else product)
            if residual.any():
                yield number, result, residual.to(result.dtype)


def _difference(value: Tensor, product: Tensor) -> Tensor:
    """y - J x, zero where it is rounding (a map that is rescaled layer by layer would blow that up), and where y is
    infinite: a masked logit, on which nothing depends."""
    residual = value - product
    rounding = 16 * torch.finfo(value.dtype).eps * (value.abs() + product.abs())
    return torch.where(value.isfinite() & ~(residual.abs() <= rounding), residual, 0)


def _widened(call: Call) -> Call:
    """The call in float32 where it is in half precision, which holds too few digits for a difference."""
    halves = (torch.bfloat16, torch.float16)
    if not any(t.dtype in halves for t in call.tensors()):
        return call

    def wide(value: Any) -> Any:
        half = isinstance(value, Tensor) and value.dtype in halves
        return value.detach().float().requires_grad_(value.requires_grad) if half else value

    return replace(call, args=tree_map(wide, call.args), kwargs=tree_map(wide, call.kwargs))


def _results(call: Call, out: Any) -> list[Tensor]:
    """The tensors that a call computes; an in-place call its first argument, whatever it returns (``x[0] = y``: None)."""
    return [call.args[0]] if is_in_place(call.function) else list(tensors_in(out))


def _forward_mode(call: Call) -> list[tuple[Tensor, Tensor | None]]:
    """y and J x for each output: the tangent of the call where the tangent of every input is the input itself."""
    with torch.no_grad(), forward_ad.dual_level():
        args, kwargs = tree_map(_dual, (call.args, call.kwargs))
        if is_in_place(call.function) and not call.args[0].requires_grad and call.args[0].is_floating_point():
            args = (_make_dual(call.args[0].clone(), torch.zeros_like(call.args[0])), *args[1:])
        out = call.function(*args, **kwargs)
        return [_parts(t) for t in _results(replace(call, args=args, kwargs=kwargs), out)]


def _dual(value: Any) -> Any:
    if not isinstance(value, Tensor) or not value.requires_grad:
        return value
    return _make_dual(value.detach().clone(), _finite(value))


def _finite(x: Tensor) -> Tensor:
    """The input as the direction of a derivative: at an infinite logit (a mask) that is zero, and 0 * inf would be NaN."""
    return torch.where(x.isfinite(), x, 0).detach()


def _make_dual(x: Tensor, tangent: Tensor) -> Tensor:
    dual: Tensor = forward_ad.make_dual(x, tangent)  # type: ignore[no-untyped-call]
    return dual


def _parts(dual: Tensor) -> tuple[Tensor, Tensor | None]:
    primal, tangent = forward_ad.unpack_dual(dual)  # type: ignore[no-untyped-call]
    return primal, tangent


def _double_backward(call: Call) -> list[tuple[Tensor, Tensor | None]]:
    """y and J x, the derivative of v -> J^T v: for operations without a forward-mode formula."""
    with torch.enable_grad():
        leaves: list[Tensor] = []

        def fresh(value: Any) -> Any:
            if not isinstance(value, Tensor) or not value.requires_grad:
                return value
            leaves.append(value.detach().clone().requires_grad_())
            return leaves[-1].clone()

        args, kwargs = tree_map(fresh, (call.args, call.kwargs))
        out = call.function(*args, **kwargs)
        results = _results(replace(call, args=args, kwargs=kwargs), out)
        return [(y.detach(), _pushed(call, y, leaves) if y.requires_grad else None) for y in results]


def _pushed(call: Call, y: Tensor, leaves: list[Tensor]) -> Tensor:
    v = torch.zeros_like(y, requires_grad=True)
    try:
        pulled = torch.autograd.grad(y, leaves, v, create_graph=True, allow_unused=True)
        along = sum((g * _finite(x)).sum() for g, x in zip(pulled, leaves, strict=True) if g is not None)
        if not isinstance(along, Tensor) or not along.requires_grad:
            return torch.zeros_like(y)
        return torch.autograd.grad(along, v)[0].detach()
    except (RuntimeError, NotImplementedError) as error:
        raise EscapedOp(
            f"{call} has neither a forward-mode formula nor a double backward ({str(error).strip().splitlines()[0]}), so "
            "that its share of the full gradient is unknown; replace the operation"
        ) from error


def _bound(call: Call, names: tuple[str, ...]) -> list[Any]:
    bound = {**dict(zip(names, call.args, strict=False)), **call.kwargs}
    return [bound.get(name) for name in names]


def _only_first_depends(call: Call, x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad and sum(t.requires_grad for t in call.tensors()) == 1


def batch_norm_arguments(call: Call) -> tuple[Any, Any, Any, Any, Any, bool, float]:
    """Of ``F.batch_norm(input, running_mean, running_var, weight, bias, ...)``; ``torch.batch_norm`` has weight and bias
    before the statistics."""
    names = _BATCH_NORM_NAMES["functional" if call.function is torch.nn.functional.batch_norm else call.op]
    bound = {"training": False, **dict(zip(names, _bound(call, names), strict=True))}
    return (
        bound["input"], bound["running_mean"], bound["running_var"], bound["weight"], bound["bias"],
        bool(bound["training"]), 1e-5 if bound["eps"] is None else bound["eps"],
    )  # fmt: skip


_BATCH_NORM_NAMES: dict[str, tuple[str, ...]] = {
    "functional": ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps"),
    "batch_norm": ("input", "weight", "bias", "running_mean", "running_var", "training", "momentum", "eps"),
    "native_batch_norm_legit_no_training": (
        "input", "weight", "bias", "running_mean", "running_var", "momentum", "eps",
    ),
}  # fmt: skip
