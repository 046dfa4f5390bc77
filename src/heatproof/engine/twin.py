"""A private copy of a model that shares its tensors: every pass runs on one, so the user's model is never touched.

``torch.func.functional_call`` swaps the user's own tensors while it runs, so a second thread on the same model gets wrong
results; a twin is a different module tree over the same storage (design.md, section 3).
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ModelError


def twin(model: nn.Module, replace: Mapping[str, Tensor] | None = None, *, own_buffers: bool = False) -> nn.Module:
    """A copy of the module tree whose parameters and buffers share the model's storage, detached and frozen.

    Args:
        model: any eager ``nn.Module``, FX graph or ``torch.export`` module; a compiled wrapper gives its eager module.
        replace: new values by the names of ``named_parameters`` and ``named_buffers``; a tied tensor is replaced wherever
            it is used.
        own_buffers: copy the buffers too, for models that write to them in their forward.

    Raises:
        ModelError: where a part of the model cannot be copied; names the attribute.
    """
    model = eager(model)
    if isinstance(model, torch.jit.ScriptModule):
        return _script_twin(model, replace or {})
    memo = _memo(model, replace or {}, own_buffers)
    try:
        return _settled(copy.deepcopy(model, memo))
    except Exception as error:
        raise ModelError(
            f"{type(model).__name__} cannot be copied, and heatproof only ever runs a copy: {_culprit(model)} "
            f"({type(error).__name__}: {error}); give that object a __deepcopy__, or keep it outside the model"
        ) from error


def eager(model: Any) -> nn.Module:
    """The module to copy: unwraps ``torch.compile`` and turns an ``ExportedProgram`` into its module."""
    while type(model).__name__ == "OptimizedModule":  # importing torch._dynamo to ask takes a second
        model = model._orig_mod
    if type(model).__name__ == "ExportedProgram":
        model = model.module()
    if not isinstance(model, nn.Module):
        raise ModelError(f"the model is a {type(model).__name__}; expected a torch.nn.Module or a torch.export program")
    return model


def frozen(tensor: Tensor, like: Tensor) -> Tensor:
    """The tensor detached, without gradient, as a Parameter where `like` is one. Storage is shared."""
    bare = tensor.detach()
    if bare.is_inference():  # cannot be saved for backward
        with torch.inference_mode(False):
            bare = bare.clone()
    return nn.Parameter(bare, requires_grad=False) if isinstance(like, nn.Parameter) else bare


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Every parameter and buffer once, by its first name."""
    named: dict[str, Tensor] = dict(model.named_parameters())
    named.update(model.named_buffers())
    return named


def _memo(model: nn.Module, replace: Mapping[str, Tensor], own_buffers: bool) -> dict[int, Any]:
    """What deepcopy finds instead of copying: id of each tensor -> its replacement."""
    named = tensors(model)
    if unknown := sorted(set(replace) - set(named)):
        raise ModelError(f"twin(replace={unknown[:3]}): the model has no such parameter or buffer")
    memo: dict[int, Any] = {}
    for name, held in named.items():
        new = _ordered(replace[name], held) if name in replace else held
        if own_buffers and new is held and not isinstance(held, nn.Parameter):
            new = held.detach().clone()
        memo[id(held)] = frozen(new, held)
    for loose in _loose_tensors(model):  # plain attributes: deepcopy refuses those that are part of a graph
        memo.setdefault(id(loose), frozen(loose, loose))
    for module in model.modules():  # eight empty dictionaries of hooks each, which deepcopy rebuilds at length
        memo.update((id(d), OrderedDict()) for d in vars(module).values() if type(d) is OrderedDict and not d)
    return memo


def _ordered(tensor: Tensor, like: Tensor) -> Tensor:
    """The tensor in the memory format of the one whose place it takes (`memory_format.channels_last`)."""
    if like.dim() != 4 or like.is_contiguous() or not like.is_contiguous(memory_format=torch.channels_last):
        return tensor
    return tensor.contiguous(memory_format=torch.channels_last)


def _loose_tensors(model: nn.Module) -> Iterator[Tensor]:
    for module in model.modules():
        for value in vars(module).values():
            yield from _tensors_in(value)


def _tensors_in(value: Any, depth: int = 3) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif depth and isinstance(value, dict):
        for item in value.values():
            yield from _tensors_in(item, depth - 1)
    elif depth and isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors_in(item, depth - 1)


def _settled(copied: nn.Module) -> nn.Module:
    for module in copied.modules():
        module._compiled_call_impl = None  # model.compile() in place: the twin is always run eagerly
    return copied


def _culprit(model: nn.Module) -> str:
    """The attribute that refuses to be copied, by its path."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name in ("_modules", "_parameters", "_buffers") or isinstance(value, Tensor):
                continue
            try:
                copy.deepcopy(value)
            except Exception:  # anything may refuse, and in any way
                return f"attribute {'.'.join(filter(None, (path, name)))} of type {type(value).__name__}"
    return "one of its parts"


def _script_twin(model: torch.jit.ScriptModule, replace: Mapping[str, Tensor]) -> nn.Module:
    """TorchScript copies its own tensors: the one kind of model whose storage is not shared."""
    with torch.no_grad():  # its copies are otherwise part of a graph
        copied: nn.Module = copy.deepcopy(model)
        named = tensors(copied)
        for name, tensor in named.items():
            tensor.requires_grad_(False)
            if name in replace:
                tensor.copy_(replace[name])
    return copied
