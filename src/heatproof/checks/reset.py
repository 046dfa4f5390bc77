"""New weights from each module's own initialiser."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.global_seed import global_seed
from ..engine.model import own
from ..engine.twin import tensors
from ..errors import ModelError
from ..models.factory import initialiser
from .initialisers import spread


def reset_values(model: nn.Module, held: Mapping[str, Tensor], seed: int) -> dict[str, Tensor]:
    """What the modules' initialisers write, made on copies; parameters that none of them writes are left out."""
    private = own(model)
    values: dict[str, Tensor] = {}
    names = {id(t): n for n, t in tensors(private).items()}
    for path, module in private.named_modules():
        mine = {k: names[id(p)] for k, p in module.named_parameters(recurse=False)}
        if initialiser(module) is None or not mine or all(n in values for n in mine.values()):
            continue
        for key, tensor in _reinitialised(module, path, seed).items():
            untouched = torch.equal(tensor, held[mine[key]]) and spread(tensor) > 0  # not one of its own: bare
            if mine[key] not in values and not untouched:
                values[mine[key]] = tensor
    return values


def _reinitialised(module: nn.Module, path: str, seed: int) -> dict[str, Tensor]:
    fresh = copy.deepcopy(module)  # private already: its tensors are shared with the user's model, the copy's are not
    with global_seed(generator("reset", seed, path).initial_seed() % 2**31), torch.no_grad():
        for parameter in fresh.parameters():
            parameter.data = parameter.data.contiguous()  # random numbers fill a tensor in the order of its memory
            parameter.requires_grad_(True)
        reset: Any = initialiser(fresh)
        try:
            reset()
        except Exception as error:
            raise ModelError(
                f"{type(module).__name__}.reset_parameters of {path!r} failed ({type(error).__name__}: {error}); use "
                "init='trunc_normal', or give the model's factory"
            ) from error
    return {k: p.detach() for k, p in fresh.named_parameters(recurse=False)}
