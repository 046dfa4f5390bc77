"""The one place where a model is called: a private twin of it, inputs that fit, and what it raises told as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from weakref import WeakSet

import torch
from torch import Tensor, nn

from ..errors import HeatproofError, InputError, ModelError, out_of_memory
from ..score import check_output, predicted
from ..types import Score
from .chance import repeatable
from .chunks import chunk_slices, padded
from .guard import training_modules
from .twin import eager, twin
from .watch import passing, watched

_PRIVATE: WeakSet[nn.Module] = WeakSet()


@contextmanager
def counted_rows() -> Iterator[list[int]]:
    """Within: the list holds how many samples went through the model, in its one element."""
    rows = [0]

    def count(samples: int) -> None:
        rows[0] += samples

    with watched(count):
        yield rows


def own(model: nn.Module) -> nn.Module:
    """A private twin, or the model itself where it is one already; raises where a submodule is in training mode."""
    if isinstance(model, nn.Module) and model in _PRIVATE:
        return model
    model = eager(model)
    if training := training_modules(model):
        raise ModelError(
            f"the model is in training mode ({len(training)} modules, first: {training[0]!r}), so that dropout and batch "
            "norm would change the map; call model.eval() first"
            + (" and export it again" if isinstance(model, torch.fx.GraphModule) else "")
        )
    private = twin(model, own_buffers=True)
    _PRIVATE.add(private)
    return private


def predict(model: nn.Module, inputs: Tensor, score: Score) -> Tensor:
    """The class that a map explains when no target is given, int64 ``(B,)``."""
    return predicted(output(model, inputs, score), score)


@torch.no_grad()
def output(model: nn.Module, inputs: Tensor, score: Score) -> Any:
    """What the model returns for the inputs, checked against the score; no gradient is kept."""
    private = own(model)
    check_inputs(private, inputs)
    with repeatable(private, inputs, score):
        out = call_model(private, inputs.detach().clone())
    check_output(out, score, len(inputs))
    return out


def outputs_of(model: nn.Module, inputs: Tensor, score: Score, size: int) -> Tensor:
    """Outputs ``(B, ...)`` from a batch filled up to `size`, for jobs that need them as one tensor."""
    out = output(model, padded(inputs, size), score)
    if not isinstance(out, Tensor):
        raise ModelError(
            f"the model returned a {type(out).__name__}; audit and explain need one tensor (B, classes): wrap the model "
            "in a module whose forward picks the logits (hp.gradient and the other methods take it as it is with score=)"
        )
    return out[: len(inputs)]


class InParts(Protocol):
    """Images ``(N, C, H, W)`` that are at hand in slices: a tensor, or `heatproof.data.streamed.Streamed`."""

    @property
    def device(self) -> torch.device: ...
    def __len__(self) -> int: ...
    def __getitem__(self, where: slice, /) -> Tensor: ...


def all_outputs(model: nn.Module, images: InParts, score: Score, size: int) -> Tensor:
    """Outputs ``(N, ...)`` of any number of images, from chunks of one size, on the device of the model."""
    private = own(model)
    device = next((t.device for t in [*private.parameters(), *private.buffers()]), images.device)
    parts = [outputs_of(private, images[s].to(device), score, size) for s in chunk_slices(len(images), size)]
    return torch.cat(parts)


def check_inputs(model: nn.Module, inputs: Any) -> None:
    """Raise `InputError` for inputs that no map can be computed for."""
    if not isinstance(inputs, Tensor) or not inputs.is_floating_point() or inputs.dim() < 2:
        got = f"{inputs.dtype} {tuple(inputs.shape)}" if isinstance(inputs, Tensor) else type(inputs).__name__
        raise InputError(f"inputs are {got}; expected a floating-point tensor (B, C, H, W) in the model's own units")
    if inputs.layout != torch.strided or inputs.is_meta:
        raise InputError(
            f"inputs are a {inputs.layout} tensor on {inputs.device}; expected a dense one with numbers in it: "
            "inputs.to_dense(), on the device of the model"
        )
    if inputs.numel() == 0:
        raise InputError(f"inputs of shape {tuple(inputs.shape)} are empty; give at least one image with pixels")
    finite = inputs.detach().isfinite().flatten(1).all(1)
    if not finite.all():
        bad = (~finite).nonzero().flatten().tolist()
        raise InputError(
            f"{len(bad)} of {len(inputs)} inputs have NaN or infinite pixels, first: number {bad[0]}; leave them out, or "
            "check how they were read and normalised"
        )
    weight = next(model.parameters(), None)
    if weight is not None and weight.is_floating_point() and weight.device != inputs.device:
        raise InputError(
            f"inputs are on {inputs.device} and the model on {weight.device}; move one: inputs.to({str(weight.device)!r})"
        )


def call_model(private: nn.Module, x: Tensor) -> Any:
    """One forward; what the model raises becomes a `ModelError` that says what it was given."""
    passing(len(x))
    try:
        return private(x)
    except (HeatproofError, torch.OutOfMemoryError):
        raise
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, NotImplementedError, KeyError) as error:
        if out_of_memory(error):  # nothing is wrong with the model
            raise
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"{type(private).__name__} failed on inputs of shape {tuple(x.shape)} and dtype {x.dtype}: "
            f"{type(error).__name__}: {reason[0] if reason else ''}; check the channel count, the size and the dtype that "
            "this model takes"
        ) from error
