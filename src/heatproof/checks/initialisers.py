"""Random values for one tensor, made on the CPU in float32, so that they are the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..engine.chunks import generator

BARE, CONSTANT = "normal(own std)", "constant"


def value_of(init: str, name: str, like: Tensor, std: float, seed: int) -> tuple[Tensor, str]:
    """New values by "trunc_normal", "uniform" or "permute", and where they came from."""
    source = generator("weights", seed, name)
    if init != "permute":
        return _drawn(init, like, std, source), init
    if like.numel() == 1 or is_uniform(like):  # nothing to shuffle
        return bare_value(name, like, seed)
    return _permuted(like, source), init


def bare_value(name: str, like: Tensor, seed: int) -> tuple[Tensor, str]:
    """New values of a tensor whose initialiser is not known: normal with its own spread; a constant stays."""
    std = spread(like)
    if std > 0:
        return _drawn("normal", like, std, generator("weights", seed, name)), BARE
    return like.detach().clone(), CONSTANT


def is_uniform(tensor: Tensor) -> bool:
    """Whether all elements are equal."""
    return bool((tensor == tensor.flatten()[:1]).all())


def spread(tensor: Tensor) -> float:
    """Standard deviation; the magnitude of a single element."""
    if tensor.numel() == 1:
        return float(tensor.detach().abs())
    return 0.0 if is_uniform(tensor) else float(tensor.detach().float().std(correction=0))


def _drawn(kind: str, like: Tensor, std: float, source: torch.Generator) -> Tensor:
    new = torch.empty(like.shape, dtype=torch.float32)
    if kind == "normal":
        new.normal_(0, std, generator=source)
    elif kind == "trunc_normal":
        nn.init.trunc_normal_(new, 0, std, -2 * std, 2 * std, generator=source)  # the bounds are absolute
    else:
        new.uniform_(-std * 3**0.5, std * 3**0.5, generator=source)
    return new.to(like.device, like.dtype)


def _permuted(like: Tensor, source: torch.Generator) -> Tensor:
    """The tensor's own values in other places; [0, 0, 1] stays as it was every third time, hence drawn until it moves."""
    old = like.detach()
    new = old
    while torch.equal(new, old):
        new = old.flatten()[torch.randperm(old.numel(), generator=source).to(old.device)].view_as(old)
    return new
