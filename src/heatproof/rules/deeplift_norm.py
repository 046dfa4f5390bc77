"""DeepLIFT rules of softmax and of the norms that measure the sample itself: compositions of the simple rules, complete
because each step is."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..engine.interpose import Call
from .deeplift_pointwise import Function, pointwise, product, secant, split
from .redirect import Pair, Rule, Surrogate, arguments, redirect


def _softmax(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    """exp(x - LSE x)."""
    x, dim = _logits(call, operands[0], held[0], value.dtype)
    inner = _less_logsumexp(x, dim)
    if call.op == "log_softmax":
        return inner.now, None
    return inner.now, secant(torch.exp, inner.now.detach(), inner.then, value, x.then.softmax(dim))


def _logsumexp(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    x, dim = _logits(call, operands[0], held[0], value.dtype)
    return logsumexp(x, dim).now.reshape(value.shape), None


def _logits(call: Call, x: Tensor, x0: Tensor, dtype: torch.dtype) -> tuple[Pair, Any]:
    dim = arguments(call, "input", "dim")["dim"]
    return Pair(x, x0).map(lambda t: t.to(dtype)), dim


def _less_logsumexp(x: Pair, dim: int) -> Pair:
    total = logsumexp(x, dim)
    return Pair(x.now - total.now, x.then - total.then)


def logsumexp(x: Pair, dim: Any) -> Pair:
    """log sum exp by the rescale rule of exp and of log, keeping `dim`: (d e_i / d x_i) (d LSE / d sum e), finite also
    where every exp of one side underflows."""
    c = torch.maximum(x.now.detach().amax(dim, keepdim=True), x.then.amax(dim, keepdim=True))
    parts = pointwise(torch.exp, x.map(lambda t: t - c))
    s, s0 = parts.now.sum(dim, keepdim=True), parts.then.sum(dim, keepdim=True)
    y, y0 = x.now.detach().logsumexp(dim, keepdim=True), x.then.logsumexp(dim, keepdim=True)
    return Pair(redirect(s, y, secant(torch.log, s.detach(), s0, y, y0)), y0)


def standardised(x: Pair, dims: tuple[int, ...], inverse: Function, *, centred: bool) -> Pair:
    """(x - mean) inverse(mean((x - mean)^2)): square, `inverse` and product each by its own rule."""
    d = x.map(lambda t: t - t.mean(dims, keepdim=True)) if centred else x
    now = d.now.detach()
    square = (d.now * (now + d.then)).mean(dims, keepdim=True)  # d^2 - d0^2 = (d - d0) (d + d0)
    variance = Pair(redirect(square, now.square().mean(dims, keepdim=True)), d.then.square().mean(dims, keepdim=True))
    return product(torch.mul, d, pointwise(inverse, variance))


def _root(eps: float) -> Function:
    return lambda variance: (variance + eps).rsqrt()


def _layer_norm(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    centred = call.op != "rms_norm"
    given = arguments(call, "input", "normalized_shape", "weight", *(["bias"] if centred else []), "eps")
    eps = given.get("eps", 1e-5 if centred else None)
    inverse = _root(torch.finfo(value.dtype).eps if eps is None else eps)
    dims = tuple(range(-len(given["normalized_shape"]), 0))
    out = standardised(Pair(operands[0], held[0]), dims, inverse, centred=centred).now
    return _scaled(out, given.get("weight")), None


def _group_norm(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    given = arguments(call, *(_NATIVE_GROUP_NORM if "native" in call.op else _GROUP_NORM))
    return _grouped(operands[0], held[0], given["num_groups"], given.get("weight"), given.get("eps", 1e-5)), None


def _instance_norm(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    given = _instance(call)
    groups = value.shape[1]
    return _grouped(operands[0], held[0], groups, given.get("weight"), given.get("eps", 1e-5)), None


def _own_batch_norm(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    given = arguments(call, *_BATCH_NORM)
    return _grouped(operands[0], held[0], value.shape[1], given.get("weight"), given["eps"]), None


def _is_instance_norm(call: Call, operands: tuple[Tensor, ...]) -> bool:
    """What instance norm decomposes into: a batch of one, normalised by itself."""
    return len(operands) == 1 and len(operands[0]) == 1 and arguments(call, *_BATCH_NORM).get("training") is True


def _grouped(x: Tensor, x0: Tensor, groups: int, weight: Tensor | None, eps: float) -> Tensor:
    pair = Pair(x, x0).map(lambda t: t.reshape(len(t), groups, -1))
    out = standardised(pair, (-1,), _root(eps), centred=True).now.reshape(x.shape)
    return _scaled(out, None if weight is None else weight.reshape(-1, *[1] * (x.dim() - 2)))


def _scaled(x: Tensor, weight: Tensor | None) -> Tensor:
    """The affine part; its offset has no gradient."""
    return x if weight is None else x * weight


def _instance(call: Call) -> dict[str, Any]:
    """``F.instance_norm`` and the operator below it order their arguments differently."""
    if call.function is F.instance_norm:
        names = ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
    else:
        names = ("input", "weight", "bias", "running_mean", "running_var", "use_input_stats", "momentum", "eps")
    return arguments(call, *names)


_GROUP_NORM = ("input", "num_groups", "weight", "bias", "eps")
_NATIVE_GROUP_NORM = ("input", "weight", "bias", "N", "C", "HxW", "num_groups", "eps")
_BATCH_NORM = ("input", "weight", "bias", "training", "momentum", "eps")
"""Of ``aten._native_batch_norm_legit.no_stats``."""


def _normalize(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    """x / max(|x|, eps)."""
    given = {"dim": 1, "eps": 1e-12, **arguments(call, "input", "p", "dim", "eps")}
    length = value.shape[given["dim"]]
    x = Pair(operands[0], held[0])
    inverse: Function = lambda mean: (mean * length).sqrt().clamp_min(given["eps"]).reciprocal()  # noqa: E731
    return standardised(x, (given["dim"],), inverse, centred=False).now, None


def _is_euclidean(call: Call, operands: tuple[Tensor, ...]) -> bool:
    given = arguments(call, "input", "p", "dim", "eps")
    return len(operands) == 1 and given.get("p", 2.0) == 2 and isinstance(given.get("dim", 1), int)


def _glu(call: Call, operands: tuple[Tensor, ...], held: tuple[Tensor, ...], value: Tensor) -> Surrogate:
    dim = arguments(call, "input", "dim").get("dim", -1)
    (a, b), (a0, b0) = operands[0].chunk(2, dim), held[0].chunk(2, dim)
    return split(torch.mul, Pair(a, a0), pointwise(torch.sigmoid, Pair(b, b0))), None


def _alone(call: Call, operands: tuple[Tensor, ...]) -> bool:
    """Only the input of a norm may depend on the network's; one with running statistics is linear."""
    return len(operands) == 1 and (call.op != "instance_norm" or _instance(call).get("use_input_stats", True))


NORM_RULES = {
    **dict.fromkeys(("softmax", "log_softmax"), Rule(_alone, _softmax)),
    "logsumexp": Rule(_alone, _logsumexp),
    **dict.fromkeys(("layer_norm", "native_layer_norm", "rms_norm"), Rule(_alone, _layer_norm)),
    **dict.fromkeys(("group_norm", "native_group_norm"), Rule(_alone, _group_norm)),
    "native_batch_norm_legit": Rule(_is_instance_norm, _own_batch_norm),
    "instance_norm": Rule(_alone, _instance_norm),
    "normalize": Rule(_is_euclidean, _normalize),
    "glu": Rule(_alone, _glu),
}
