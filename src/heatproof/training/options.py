"""The options of a training, checked before anything is changed."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..engine.chunks import whole_seed
from ..errors import InputError
from .optimiser import OPTIMIZERS
from .precision import has_bf16


@dataclass(frozen=True)
class Options:
    """What the weights follow from, besides the data, the first weights and the augmentation."""

    epochs: int
    batch: int
    lr: float
    optimizer: str
    weight_decay: float
    decayed: tuple[str, ...]
    schedule: str | None
    seed: int
    until: float | None
    bf16: bool
    device: str


def chosen(
    model: nn.Module,
    epochs: int,
    batch: int,
    lr: float,
    optimizer: str,
    weight_decay: float,
    decayed: Collection[str] | None,
    schedule: str | None,
    seed: int,
    until: float | None,
    bf16: bool | str,
    device: str | torch.device,
) -> Options:
    """The options, with "auto" and None resolved.

    Raises:
        InputError: one of them cannot be used.
    """
    if epochs < 1 or batch < 1 or optimizer not in OPTIMIZERS or schedule not in ("onecycle", None):
        raise InputError(
            f"train(epochs={epochs}, batch={batch}, optimizer={optimizer!r}, schedule={schedule!r}): expected epochs and "
            f"batch of at least 1, an optimizer of {', '.join(OPTIMIZERS)}, and the schedule 'onecycle' or None"
        )
    if not (0 < lr < math.inf and 0 <= weight_decay < math.inf):
        raise InputError(f"train(lr={lr}, weight_decay={weight_decay}): expected lr over 0 and weight_decay from 0 on")
    _check_until(until, schedule)
    where = usable(device, "train")
    names = _decayed(model, decayed)
    return Options(
        epochs,
        batch,
        lr,
        optimizer,
        weight_decay,
        names,
        schedule,
        whole_seed(seed),
        until,
        _bf16(bf16, where),
        str(where),
    )


def usable(device: str | torch.device, what: str) -> torch.device:
    """The device, on which a number can be written and read; else an `InputError` that starts with `what`."""
    try:
        torch.zeros(1, device=device).item()
        return torch.device(device)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError, TypeError) as error:
        raise InputError(
            f"{what}(device={device!r}) cannot be used: {str(error).splitlines()[0]}; expected 'cpu', or 'cuda' where "
            "torch finds one"
        ) from None


def check_data(pixels: Tensor, targets: Tensor) -> None:
    """Whether there is one class for each image."""
    if targets.dtype != torch.int64 or targets.dim() != 1 or len(targets) != len(pixels) or not len(pixels):
        raise InputError(
            f"train: {tuple(pixels.shape)} pixels with targets of {targets.dtype}, {tuple(targets.shape)}; expected int64 "
            "(N,), one class for each of at least one image"
        )
    if bool((targets < 0).any()):  # cross_entropy would leave out those of -100
        raise InputError(f"train: targets from {int(targets.min())}; expected classes from 0 on")


def _check_until(until: float | None, schedule: str | None) -> None:
    if until is None:
        return
    if not 0 < until <= 1:
        raise InputError(
            f"train(until={until}): expected a training accuracy over 0 and up to 1, such as 0.99, or None"
        )
    if schedule is not None:
        raise InputError(
            f"train(until={until}, schedule={schedule!r}): a cycle of rates must run to its end; choose schedule=None"
        )


def _decayed(model: nn.Module, decayed: Collection[str] | None) -> tuple[str, ...]:
    """The names under weight decay: those given, or all trained parameters of two or more dimensions."""
    held = dict(model.named_parameters())
    if decayed is None:
        return tuple(name for name, p in held.items() if p.requires_grad and p.dim() >= 2)
    unknown = sorted(set(decayed) - set(held))
    if unknown:
        raise InputError(f"train(decayed=...): {type(model).__name__} has no parameter called {', '.join(unknown)}")
    return tuple(sorted(set(decayed)))


def _bf16(bf16: bool | str, device: torch.device) -> bool:
    if bf16 == "auto":
        return has_bf16(device)
    if not isinstance(bf16, bool):
        raise InputError(f"train(bf16={bf16!r}): expected True, False or 'auto'")
    return bf16
