"""Where weights multiply: the parts of a convolution, linear layer or product with one constant factor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ..engine.interpose import Call
from ..engine.ops import CONVOLUTION
from .lrp_calls import sums
from .lrp_layer import Layer
from .lrp_replay import Product, replaced
from .redirect import arguments

_WITH_BIAS = CONVOLUTION | {"linear"}
_ADDED_TO = {
    "addmm": ("mat1", "mat2"),
    "addmv": ("mat", "vec"),
    **dict.fromkeys(("baddbmm", "addbmm"), ("batch1", "batch2")),
}
_PRODUCTS = frozenset(
    "mm bmm mv matmul __matmul__ __rmatmul__ linalg_matmul einsum tensordot inner dot vdot vecdot linalg_vecdot".split()
)
LAYERS = _WITH_BIAS | frozenset(_ADDED_TO) | _PRODUCTS
"""Calls that may be a weighted sum, by `op_name`."""


def layer_of(call: Call) -> Layer | None:
    """The parts of a weighted sum; None where the bias or the weight depends on the input, the input does not, or the
    call has several constant factors."""
    layer = _layer(call) if call.op in _WITH_BIAS else _added(call) if call.op in _ADDED_TO else _product(call)
    if layer is None or not layer.x.requires_grad or layer.weight.requires_grad:
        return None
    return None if layer.bias is not None and layer.bias.requires_grad else layer


def factors(call: Call) -> list[Tensor]:
    """What a call multiplies: all its tensors but the one that is added."""
    names = ("input", "weight", "bias") if call.op in _WITH_BIAS else ("input",)
    given = arguments(call, *names)
    added: Any = None
    if call.op in _WITH_BIAS:
        added = given.get("bias")
    elif call.op in _ADDED_TO:
        added = given.get("input", given.get("self"))
    return [t for t in call.tensors() if t is not added]


def with_factors(call: Call, x: Tensor, weight: Tensor, added: Tensor | None = None) -> Product:
    """The call on another input and weight, with nothing added."""

    def product(new_x: Tensor, new_weight: Tensor) -> Tensor:
        new = {id(x): new_x, id(weight): new_weight}
        if added is not None:
            new[id(added)] = torch.zeros_like(added)
        out: Tensor = replaced(call, new)
        return out

    return product


def _layer(call: Call) -> Layer:
    given = arguments(call, "input", "weight", "bias")
    rest = {key: value for key, value in call.kwargs.items() if key not in ("input", "weight", "bias")}
    bias = given.get("bias")
    if bias is not None and call.op in CONVOLUTION:
        bias = bias.reshape(-1, *[1] * (given["weight"].dim() - 2))

    def product(x: Tensor, w: Tensor) -> Tensor:
        out: Tensor = call.function(x, w, None, *call.args[3:], **rest)
        return out

    return Layer(given["input"], given["weight"], bias, product)


def _added(call: Call) -> Layer:
    given = arguments(call, "input", *_ADDED_TO[call.op])
    bias = given.get("input", given.get("self"))
    x, weight = (given[name] for name in _ADDED_TO[call.op])
    x, weight = (x, weight) if x.requires_grad else (weight, x)
    return Layer(x, weight, bias * given.get("beta", 1), with_factors(call, x, weight, bias))


def _product(call: Call) -> Layer | None:
    given = list(call.tensors())
    if len(given) != 2 or (call.op == "einsum" and sums(call, given[0]) is None):
        return None
    x, weight = given if given[0].requires_grad else given[::-1]
    return Layer(x, weight, None, with_factors(call, x, weight))
