"""Two images through a network before it is trained, so that what does not fit is an error before anything is changed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..engine.chunks import generator
from ..engine.model import call_model
from ..errors import InputError, ModelError
from .noise import random_state

Augment = Callable[[Tensor, torch.Generator], Tensor]


def check_fits(model: nn.Module, pixels: Tensor, targets: Tensor, what: str, augment: Augment | None = None) -> None:
    """Whether the network takes these images and has an output for each of their classes.

    Args:
        model: its modes, buffers and the random state are put back.
        what: the start of a message.

    Raises:
        InputError: it fails on the images (channels, size), returns something else than logits, or has too few of them.
    """
    outputs = class_count(model, pixels, what, augment)
    if int(targets.max()) >= outputs:
        raise InputError(
            f"{what}: {type(model).__name__} has {outputs} outputs, and classes go from 0 to {int(targets.max())}; build "
            f"it with at least {int(targets.max()) + 1}, or leave classes out"
        )


@torch.no_grad()
def class_count(model: nn.Module, pixels: Tensor, what: str, augment: Augment | None = None) -> int:
    """How many outputs the network has for one image; arguments and errors as above."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    where = next((p.device for p in model.parameters()), pixels.device)
    try:
        with random_state(0, where):
            few = pixels[:2] if augment is None else augment(pixels[:2].clone(), generator("trial"))
            out = call_model(model.eval(), few.to(where))
    except ModelError as error:
        raise InputError(f"{what}: {error}") from error
    finally:
        for module, mode in modes:
            module.training = mode
        for buffer, value in buffers:
            buffer.copy_(value)
    if not isinstance(out, Tensor) or out.dim() != 2:
        got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
        raise InputError(f"{what}: {type(model).__name__} returned {got}; expected logits (B, classes)")
    return int(out.shape[1])
