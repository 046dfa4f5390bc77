"""One vocabulary for the many spellings of a call: module, functional, method, in place, ``aten`` overload."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

ADD = frozenset({"add", "sub", "rsub", "iadd", "isub", "radd", "__add__", "__sub__", "__iadd__", "__isub__"})
NORM = frozenset({"batch_norm", "layer_norm", "group_norm", "instance_norm", "local_response_norm", "rms_norm"})
CONVOLUTION = frozenset({f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)} | {"convolution"})
MOVERS = frozenset(
    "permute transpose movedim moveaxis swapaxes swapdims t __get__ stack unbind einsum lstm gru rnn_tanh rnn_relu".split()
)
"""Calls that may put something else than the batch first."""
ACTIVATION = frozenset(
    "relu relu6 hardtanh clamp clamp_min clip threshold leaky_relu prelu rrelu elu selu celu gelu silu mish softplus "
    "hardswish hardsigmoid sigmoid tanh logsigmoid softsign tanhshrink hardshrink softshrink".split()
)


def op_name(function: Callable[..., Any]) -> str:
    """The bare name of an operation: ``add`` for ``Tensor.add_``, ``torch.add`` and ``aten.add.Tensor``.

    Example:
        >>> import torch
        >>> [op_name(f) for f in (torch.Tensor.relu_, torch.nn.functional.relu, torch.ops.aten.relu_.default)]
        ['relu', 'relu', 'relu']
    """
    name = getattr(function, "__name__", "") or type(function).__name__
    if not name.startswith("__"):
        name = name.split(".")[0].strip("_")
    return name


def is_in_place(function: Callable[..., Any]) -> bool:
    """Whether the spelling itself writes to its first argument (``relu_``, ``__iadd__``, ``__setitem__``)."""
    name = (getattr(function, "__name__", "") or "").split(".")[0]
    if name.startswith("__"):
        return name in ("__setitem__",) or (
            name.startswith("__i") and name not in ("__invert__", "__index__", "__int__")
        )
    return name.endswith("_")


def may_overwrite(call: Any) -> bool:
    """Whether a call may write to its arguments: by its spelling, by ``out=``, or by a flag such as ``inplace``."""
    flags = (*call.args[1:], *call.kwargs.values())
    return is_in_place(call.function) or call.kwargs.get("out") is not None or any(f is True for f in flags)


@dataclass(frozen=True)
class Rectifier:
    """A call that is a ReLU in some spelling: what it is applied to, its upper bound, and whether it writes in place."""

    x: Tensor
    ceiling: float | None
    in_place: bool


def rectifier(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Rectifier | None:
    """Recognise ReLU and ReLU6 in every spelling: ``relu``, ``relu6``, ``hardtanh(0, 6)``, ``clamp(min=0)``,
    ``clamp_min(0)``, ``clip``, ``threshold(0, 0)``; None for anything else."""
    bounds = _BOUNDS.get(op_name(function))
    if bounds is None:
        return None
    names, read = bounds
    bound = {**dict(zip(names, args, strict=False)), **kwargs}
    x = bound.get("input", bound.get("self"))
    low, high = read(bound)
    if not isinstance(x, Tensor) or isinstance(low, Tensor) or isinstance(high, Tensor) or low != 0:
        return None
    if high is not None and not high > 0:
        return None
    return Rectifier(x, None if high is None else float(high), bool(bound.get("inplace")) or is_in_place(function))


Bounds = tuple[Any, Any]
_BOUNDS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any]], Bounds]]] = {
    "relu": (("input", "inplace"), lambda b: (0, None)),
    "relu6": (("input", "inplace"), lambda b: (0, 6)),
    "hardtanh": (
        ("input", "min_val", "max_val", "inplace"),
        lambda b: (b.get("min_val", -1.0), b.get("max_val", 1.0)),
    ),
    "clamp": (("input", "min", "max"), lambda b: (b.get("min"), b.get("max"))),
    "clip": (("input", "min", "max"), lambda b: (b.get("min"), b.get("max"))),
    "clamp_min": (("input", "min"), lambda b: (b.get("min"), None)),
    "threshold": (
        ("input", "threshold", "value", "inplace"),
        lambda b: (0, None) if b.get("threshold") == 0 and b.get("value") == 0 else (None, None),
    ),
}
