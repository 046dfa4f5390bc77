"""What a call is to LRP: a view, a scale or shift, a sum; whatever its spelling."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..engine.interpose import Call, tensors_in
from .lrp_replay import Replay
from .redirect import arguments, rerun

View = Callable[[Tensor], Tensor]

BATCH_NORM = frozenset("batch_norm native_batch_norm_legit_no_training cudnn_batch_norm miopen_batch_norm".split())
PRODUCTS = frozenset("mul multiply __mul__ __rmul__ __imul__ imul".split())
QUOTIENTS = frozenset("div divide true_divide __div__ __truediv__ __itruediv__ __idiv__ idiv itruediv".split())
SHIFTS = frozenset(
    "add sub subtract rsub iadd isub radd __add__ __radd__ __sub__ __rsub__ __iadd__ __isub__ addcmul".split()
)
_NEGATIONS = frozenset("neg negative __neg__".split())
_VIEWS = frozenset(
    "clone contiguous to to_copy type type_as double float half bfloat16 alias lift_fresh_copy positive __pos__ "
    "view view_as reshape reshape_as unsafe_view flatten unflatten ravel unsqueeze squeeze permute transpose swapaxes "
    "swapdims movedim moveaxis t adjoint expand expand_as broadcast_to repeat flip roll __getitem__ select slice narrow "
    "index_select chunk split split_with_sizes tensor_split unbind unsafe_chunk unsafe_split unsafe_split_with_sizes "
    "pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle".split()
)
_TRANSPOSED = frozenset(("T", "mT", "H", "mH"))


def is_view(call: Call, x: Tensor) -> bool:
    """Whether a call only copies, casts, reorders or selects from `x`."""
    if call.op == "__get__":
        return getattr(getattr(call.function, "__self__", None), "__name__", "") in _TRANSPOSED
    if call.op == "copy":
        return call.args[0] is not x
    return call.op in _VIEWS


def as_view(call: Call, index: int) -> View:
    """The call on another tensor; of several results the one at `index`."""
    if call.op == "copy":  # its own buffer is a value of the network by now
        return lambda x: torch.empty_like(call.args[0]).copy_(x)

    def view(x: Tensor) -> Tensor:
        return list(tensors_in(rerun(call, (x,))[0]))[index]

    return view


def is_scale(call: Call, x: Tensor) -> bool:
    """Whether a call only scales and shifts `x`, element by element, given that all else is constant."""
    if call.op in QUOTIENTS:
        given = arguments(call, "input")
        return given.get("input", given.get("self")) is x and "rounding_mode" not in given
    if call.op == "einsum":
        return len(list(call.tensors())) == 2 and sums(call, x) is False
    return call.op in PRODUCTS | SHIFTS | BATCH_NORM | _NEGATIONS


def scale_and_shift(call: Call, out: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Of a call that `is_scale`, by running it on zeros; of a batch norm ``(1, C, 1, ...)``."""
    shape = (1, out.shape[1], *[1] * (out.dim() - 2)) if call.op in BATCH_NORM else out.shape
    zero = out.new_zeros(shape, dtype=dtype).requires_grad_()
    shift = Replay(call)(zero)
    return torch.autograd.grad(shift.sum(), zero)[0], shift.detach()


def sums(call: Call, x: Tensor) -> bool | None:
    """Whether an einsum adds up over an index of `x`; None where it is not written as an equation."""
    if not isinstance(call.args[0], str):
        return None
    term, result = _indices(call, x)
    return bool(set(term) - set(result))


def keeps_shape(call: Call, x: Tensor) -> bool:
    """Whether the result has the elements of `x` where they were; of all that `is_scale` only einsum may move them."""
    if call.op != "einsum":
        return True
    term, result = _indices(call, x)
    return term == result


def _indices(call: Call, x: Tensor) -> tuple[str, str]:
    """The indices of `x` and of the result of an einsum, the ellipsis as dots."""
    left, arrow, right = call.args[0].replace(" ", "").partition("->")
    if not arrow:
        right = "..." * ("..." in left) + "".join(sorted(i for i in left if i.isalpha() and left.count(i) == 1))
    terms = (term for t, term in zip(call.tensors(), left.split(","), strict=False) if t is x)
    return next(terms, ""), right
