"""LRP rules of softmax and of the norms that measure the sample itself (AttnLRP: Achtibat et al. 2024, arXiv:2402.05602).

Softmax is its own tangent; norms keep their standard deviation constant.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .lrp_pointwise import addition
from .lrp_replay import Found, Replay, Rule, kept
from .redirect import arguments


def softmax(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found:
    """R_i = x_i (R_i - s_i sum_j R_j), which is x_i times the gradient (AttnLRP, proposition 3.1); log_softmax alike."""
    y = run.value(*operands)
    x, dim = operands[0].to(y.dtype), arguments(run.call, "input", "dim")["dim"]
    if run.call.op == "log_softmax":
        return x - (y.exp() * x).sum(dim, keepdim=True), y, None
    s = y.clone()
    return x * s - s * (s * x).sum(dim, keepdim=True), y, None


def layer_norm(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    if len(operands) != 1:
        return None
    centred = run.call.op != "rms_norm"
    given = arguments(run.call, *(_LAYER_NORM if centred else _RMS_NORM))
    shape, weight = given["normalized_shape"], given.get("weight")
    dims = tuple(range(-(1 if isinstance(shape, int) else len(shape)), 0))
    z = _standardised(operands[0], dims, given.get("eps", 1e-5 if centred else None), centred=centred)
    y = run.value(*operands)
    return z if weight is None else z * weight, y, kept(y, epsilon)


def group_norm(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    given = arguments(run.call, *(_NATIVE_GROUP_NORM if "native" in run.call.op else _GROUP_NORM))
    return _grouped(run, operands, given["num_groups"], given, epsilon)


def instance_norm(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """One group a channel; with running statistics it is a batch norm."""
    given = arguments(run.call, *(_F_INSTANCE_NORM if run.call.function is F.instance_norm else _INSTANCE_NORM))
    if not given.get("use_input_stats", True):
        return addition(run, operands, epsilon)
    return _grouped(run, operands, operands[0].shape[1], given, epsilon)


def instance_statistics(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found | None:
    """An instance norm as torch.export writes it: a batch norm of one image, whose channels are those of all images."""
    given = arguments(run.call, *_NATIVE_INSTANCE_NORM)
    if len(operands[0]) != 1 or "running_mean" in given or given["training"] is not True:
        return None
    return _grouped(run, operands, operands[0].shape[1], given, epsilon)


def normalize(run: Replay, operands: tuple[Tensor, ...], epsilon: float) -> Found:
    """x / norm with the norm constant (F.normalize)."""
    x, given = operands[0], arguments(run.call, "input", "p", "dim", "eps")
    norm = x.detach().norm(given.get("p", 2.0), given.get("dim", 1), keepdim=True)
    return x / norm.clamp_min(given.get("eps", 1e-12)), run.value(*operands), None


def _grouped(
    run: Replay, operands: tuple[Tensor, ...], groups: int, given: dict[str, Any], epsilon: float
) -> Found | None:
    if len(operands) != 1:
        return None
    x, weight = operands[0], given.get("weight")
    z = _standardised(x.reshape(len(x), groups, -1), (-1,), given.get("eps", 1e-5), centred=True).reshape(x.shape)
    y = run.value(*operands)
    return z if weight is None else z * weight.reshape(-1, *[1] * (x.dim() - 2)), y, kept(y, epsilon)


def _standardised(x: Tensor, dims: tuple[int, ...], eps: float | None, *, centred: bool) -> Tensor:
    """(x - mean) / std with the standard deviation constant (AttnLRP, proposition 3.4)."""
    x = x - x.mean(dims, keepdim=True) if centred else x
    eps = torch.finfo(x.dtype).eps if eps is None else eps
    return x * (x.detach().square().mean(dims, keepdim=True) + eps).rsqrt()


_LAYER_NORM = ("input", "normalized_shape", "weight", "bias", "eps")
_RMS_NORM = ("input", "normalized_shape", "weight", "eps")
_GROUP_NORM = ("input", "num_groups", "weight", "bias", "eps")
_NATIVE_GROUP_NORM = ("input", "weight", "bias", "N", "C", "HxW", "num_groups", "eps")
_F_INSTANCE_NORM = ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
_INSTANCE_NORM = ("input", "weight", "bias", "running_mean", "running_var", "use_input_stats", "momentum", "eps")
_NATIVE_INSTANCE_NORM = ("input", "weight", "bias", "training", "momentum", "eps")

NORM_RULES: dict[str, Rule] = {
    **dict.fromkeys(("softmax", "log_softmax"), softmax),
    **dict.fromkeys(("layer_norm", "native_layer_norm", "rms_norm"), layer_norm),
    **dict.fromkeys(("group_norm", "native_group_norm"), group_norm),
    "instance_norm": instance_norm,
    "native_batch_norm_legit": instance_statistics,
    "normalize": normalize,
}
