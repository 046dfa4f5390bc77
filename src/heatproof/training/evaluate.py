"""How many images a network gets right."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..errors import InputError


@torch.no_grad()
def accuracy(
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    batch: int = 256,
    prepare: Callable[[Tensor], Tensor] | None = None,
) -> float:
    """Share of images whose largest logit is their target's, in [0, 1]; model in evaluation mode, on any device.

    Args:
        pixels: ``(N, ...)`` in the units that the model takes, or what `prepare` turns into them.
        targets: int64 ``(N,)``.
        prepare: ``batch -> batch``, before the batch goes to the model's device (bytes to numbers, say).

    Raises:
        InputError: the model is in training mode, where batch norm and dropout would make the number depend on `batch`.
    """
    if model.training:
        raise InputError(f"accuracy({type(model).__name__}) in training mode; call model.eval() first")
    where = next((p.device for p in model.parameters()), pixels.device)
    ready = prepare or (lambda x: x)
    hits = [
        (model(ready(pixels[i : i + batch]).to(where)).argmax(1).cpu() == targets[i : i + batch].cpu()).sum()
        for i in range(0, len(pixels), batch)
    ]
    return float(torch.stack(hits).sum()) / len(pixels)
