"""K networks of one architecture as one module: every parameter and buffer has a leading axis of length K."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from ..engine.interpose import Call, Interpose
from ..engine.ops import CONVOLUTION, NORM
from ..errors import InputError
from .noise import random_state

HALF = CONVOLUTION | {"linear", "matmul", "bmm", "mm", "addmm", "baddbmm"}
FULL = NORM | {"softmax", "log_softmax"}
"""What takes bfloat16 and what float32. torch's own autocast does not reach convolutions and linear layers under vmap."""


def stacked(models: Sequence[nn.Module]) -> nn.Module:
    """A copy of the first network that holds the tensors of all of them, each ``(K, ...)``; theirs are not shared."""
    stack = copy.deepcopy(models[0])
    for name, tensor in tensors(stack).items():
        tensor.data = torch.stack([tensors(m)[name].detach() for m in models])
    return stack


@torch.no_grad()
def unstack(stack: nn.Module, models: Sequence[nn.Module]) -> None:
    """Write each network's numbers back, in place."""
    for name, tensor in tensors(stack).items():
        for model, one in zip(models, tensor, strict=True):
            tensors(model)[name].copy_(one)


def outputs(stack: nn.Module, x: Tensor, bf16: bool = False) -> Tensor:
    """What each network gives for its own images: ``(K, b, ...) -> (K, b, classes)``; buffers move in training mode.

    Noise of the networks (dropout) is drawn for each apart, from the global random state.
    """
    with Interpose([_in_bf16]) if bf16 else nullcontext():
        return _outputs(stack, x)


def check_stackable(stack: nn.Module, models: Sequence[nn.Module], x: Tensor) -> None:
    """Whether the networks can be run at once in training mode, and in evaluation mode do as each does alone.

    Args:
        stack: of these models, on any device; unchanged.
        x: ``(K, b, ...)``, a few images for each network, on the device of the models.

    Raises:
        InputError: names the call and the layer that cannot, or the network that comes out differently.
    """
    trial = copy.deepcopy(stack).train()
    last = _Last()
    watch = Interpose(observers=[last])
    watch.follow(trial)
    try:
        with random_state(0, x.device), torch.no_grad(), watch:
            _outputs(trial, x)
    except (RuntimeError, ValueError, TypeError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise
        raise InputError(
            f"train_stacked: {type(stack).__name__} cannot be trained as a stack: at or after {last.call}: "
            f"{str(error).splitlines()[0]}; train these networks one at a time, with heatproof.train"
        ) from error
    _check_same_outputs(copy.deepcopy(stack).eval(), models, x)


def tensors(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name; under every module that holds them, so that shared ones need no tying."""
    return {
        name: tensor
        for path, module in model.named_modules()
        for found in (module.named_parameters, module.named_buffers)
        for name, tensor in found(path, recurse=False)
    }


def _outputs(stack: nn.Module, x: Tensor) -> Tensor:
    def one(state: dict[str, Tensor], images: Tensor) -> Any:
        return functional_call(stack, state, (images,), tie_weights=False)  # its tying breaks a module used twice

    out: Tensor = vmap(one, randomness="different")(tensors(stack), x)
    return out


def _in_bf16(call: Call) -> Any:
    """Convolutions and matrix products on bfloat16 copies, norms on float32 ones, as under autocast."""
    if call.op not in HALF | FULL:
        return NotImplemented
    dtype = torch.bfloat16 if call.op in HALF else torch.float32
    return call.function(*(_cast(a, dtype) for a in call.args), **{k: _cast(v, dtype) for k, v in call.kwargs.items()})


def _cast(value: Any, dtype: torch.dtype) -> Any:
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


@dataclass
class _Last:
    """Observer: the call that ran last."""

    call: Call | str = "the start"

    def before(self, call: Call) -> None:
        self.call = call

    def after(self, call: Call, out: Any) -> None:
        del call, out


@torch.no_grad()
def _check_same_outputs(stack: nn.Module, models: Sequence[nn.Module], x: Tensor) -> None:
    """What is neither parameter nor buffer is the first network's in the stack: another constant would show here."""
    together = _outputs(stack, x)
    for k, model in enumerate(models):
        mode = model.training
        alone = model.eval()(x[k])
        model.train(mode)
        if not torch.allclose(alone, together[k], rtol=1e-2, atol=1e-3 * float(alone.abs().max())):
            raise InputError(
                f"train_stacked: network {k} gives other outputs in the stack than alone, off by "
                f"{float((alone - together[k]).abs().max()):.2g}; all networks must differ in parameters and buffers only, "
                "so make other tensors buffers (register_buffer), or train these networks one at a time"
            )


def check_alike(models: Sequence[nn.Module]) -> None:
    """Raise `InputError` where the networks differ in more than their numbers, or two of them share a parameter."""
    first = _signature(models[0])
    for k, model in enumerate(models):
        differing = [a for a, b in zip(first, _signature(model), strict=False) if a != b]
        if differing or len(_signature(model)) != len(first):
            raise InputError(
                f"train_stacked: network {k} is another architecture than network 0 (first difference: "
                f"{differing[0] if differing else 'number of tensors'}); build all from one factory"
            )
    uses = Counter(id(p) for model in models for p in model.parameters())
    if uses and max(uses.values()) > 1:
        raise InputError(
            "train_stacked: two of the networks share a parameter; build each anew, under a seed of its own"
        )


def _signature(model: nn.Module) -> list[tuple[Any, ...]]:
    named = tensors(model).items()
    return [(type(model).__name__,), *((n, tuple(t.shape), t.dtype, t.requires_grad) for n, t in named)]
