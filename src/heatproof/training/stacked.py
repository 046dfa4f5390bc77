"""Many small networks trained at once, each as `heatproof.train` would train it alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engine.chunks import generator, whole_seed
from ..errors import HeatproofError, InputError
from . import optimiser
from .loop import Epoch, Progress
from .noise import random_state
from .options import Options, check_data, chosen
from .stack import check_alike, check_stackable, outputs, stacked, unstack
from .trial import check_fits

Inputs = Callable[[Tensor], Tensor]
"""Places int64 ``(K, b)`` on the device -> images ``(K, b, C, H, W)`` on the device, row k of them network k's own."""


@dataclass(frozen=True)
class _Run:
    options: Options
    stack: nn.Module
    inputs: Inputs
    targets: Tensor
    progress: Progress | None
    optimizer: torch.optim.Optimizer
    rates: optimiser.Rates
    orders: list[torch.Generator]
    history: list[list[Epoch]] = field(default_factory=list)

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return math.ceil(len(self.targets) / self.options.batch)


def train_stacked(
    models: Sequence[nn.Module],
    inputs: Inputs,
    targets: Tensor,
    *,
    epochs: int,
    batch: int = 128,
    lr: float = 1e-3,
    optimizer: Literal["adam", "adamw", "sgd"] = "adam",
    weight_decay: float = 0.0,
    decayed: Collection[str] | None = None,
    schedule: Literal["onecycle"] | None = "onecycle",
    seeds: Sequence[int],
    device: str | torch.device = "cpu",
    bf16: bool | Literal["auto"] = False,
    progress: Progress | None = None,
) -> list[tuple[Epoch, ...]]:
    """Train K networks of one architecture in place, each on its own images; afterwards in evaluation mode on `device`.

    Network k comes out as from ``train(models[k], pixels of k, targets, seed=seeds[k], ...)`` up to rounding, whichever
    networks it is stacked with: same order of images, batches, optimizer and rates. Not so with dropout, whose noise
    follows from all seeds together. Memory: parameters, their optimizer state and the activations of a batch, K times;
    during the training the parameters once more.

    Source: ours, with ``torch.func`` (one forward under vmap, one ordinary backward of the sum of the K losses).

    Args:
        models: K networks, initialised by the caller (`heatproof.train.seeded`).
        inputs: makes the images of a step, as floating-point numbers in the units that the models take.
        targets: int64 ``(N,)``, the classes of all images, the same for each network.
        seeds: K whole numbers, of each network's order of the data.
        bf16: convolutions and matrix products in bfloat16; weights and all other operations stay float32. "auto": where
            the device has it in hardware.
        progress: ``progress(steps done, steps in all, info)``; info is of the pass before, so that no step waits for the
            device.
        epochs, batch, lr, optimizer, weight_decay, decayed, schedule, device: as in `heatproof.train.train`.

    Returns:
        For each network its passes; loss in nats and accuracy in [0, 1], taken while the weights were changing.

    Raises:
        InputError: data, options or networks that cannot be used; names the layer that cannot be stacked.
        HeatproofError: the loss of a network is no longer finite; names which.
    """
    models, whole = list(models), [whole_seed(seed) for seed in seeds]
    if not models or len(whole) != len(models):
        raise InputError(
            f"train_stacked: {len(models)} models with {len(whole)} seeds; expected one seed for each model"
        )
    check_data(targets, targets)
    options = chosen(
        models[0], epochs, batch, lr, optimizer, weight_decay, decayed, schedule, whole[0], None, bf16, device
    )
    run = _begin(options, models, inputs, targets, whole, progress)
    try:
        with random_state(generator("stacked", *whole).initial_seed(), torch.device(options.device)):
            for _ in range(epochs):
                _run_epoch(run)
    finally:
        unstack(run.stack, models)
        for model in models:
            model.eval()
    return [tuple(passes) for passes in zip(*run.history, strict=True)]


def _begin(
    options: Options,
    models: Sequence[nn.Module],
    inputs: Inputs,
    targets: Tensor,
    seeds: list[int],
    progress: Progress | None,
) -> _Run:
    """The networks on their device and as one, with a fresh optimizer."""
    device = torch.device(options.device)
    check_alike(models)
    stack, targets = stacked([model.to(device) for model in models]), targets.to(device)
    few = _images(inputs, torch.arange(min(2, len(targets)), device=device).expand(len(models), -1))
    check_fits(models[0], few[0], targets, "train_stacked")
    check_stackable(stack, models, few)
    optimizer = optimiser.OPTIMIZERS[options.optimizer](
        optimiser.groups(stack, options.weight_decay, options.decayed), lr=options.lr
    )
    total = options.epochs * math.ceil(len(targets) / options.batch)
    rates = optimiser.rates(optimizer, options.schedule, options.lr, total)
    orders = [torch.Generator().manual_seed(seed) for seed in seeds]
    return _Run(options, stack, inputs, targets, progress, optimizer, rates, orders)


def _run_epoch(run: _Run) -> None:
    """One pass of every network through its data, in its own fresh order; then its line of each history."""
    count, tally = len(run.targets), torch.zeros(len(run.orders), 2, device=run.options.device)  # loss, hits
    order = torch.stack([torch.randperm(count, generator=g) for g in run.orders]).to(run.options.device)
    run.stack.train()
    for step, rows in enumerate(order.tensor_split(run.steps, dim=1), 1):
        tally += _step(run, rows)
        run.rates.step()
        if run.progress is not None:
            _report(run, run.progress, step)
    sums = tally.tolist()
    _check_finite(run, [loss for loss, _ in sums])
    run.history.append([Epoch(loss / count, hits / count) for loss, hits in sums])


def _step(run: _Run, rows: Tensor) -> Tensor:
    """One update of all weights; each network's loss sum and hits, ``(K, 2)``."""
    y = run.targets[rows]
    out = outputs(run.stack, _images(run.inputs, rows), run.options.bf16)
    out = out.to(torch.promote_types(out.dtype, torch.float32))
    losses = F.cross_entropy(out.flatten(0, 1), y.flatten(), reduction="none").view_as(y)
    run.optimizer.zero_grad()
    losses.mean(1).sum().backward()  # type: ignore[no-untyped-call]  # slice k of a gradient is that of loss k alone
    run.optimizer.step()
    return torch.stack([losses.detach().sum(1), (out.argmax(2) == y).sum(1)], dim=1)


def _images(inputs: Inputs, rows: Tensor) -> Tensor:
    x = inputs(rows)
    if not isinstance(x, Tensor) or not x.is_floating_point() or x.shape[:2] != rows.shape or x.device != rows.device:
        got = f"{x.dtype} {tuple(x.shape)} on {x.device}" if isinstance(x, Tensor) else type(x).__name__
        raise InputError(
            f"train_stacked: inputs gave {got} for places {tuple(rows.shape)}; expected floating-point "
            f"({rows.shape[0]}, {rows.shape[1]}, C, H, W) on {rows.device}"
        )
    return x


def _check_finite(run: _Run, losses: list[float]) -> None:
    bad = [k for k, loss in enumerate(losses) if not math.isfinite(loss)]
    if bad:
        raise HeatproofError(
            f"training a stack of {len(losses)} {type(run.stack).__name__}: the loss of network "
            f"{', '.join(map(str, bad))} is not finite in epoch {len(run.history) + 1} of {run.options.epochs}; use a "
            "lower lr, and look for NaN or infinite pixels in its images"
        )


def _report(run: _Run, progress: Progress, step: int) -> None:
    done, epochs = len(run.history), run.options.epochs
    info = f"{len(run.orders)} networks, epoch {done + 1} of {epochs}"
    if done:
        last = run.history[-1]
        info += f", accuracy of the last {sum(e.accuracy for e in last) / len(last):.3f}"
    progress(done * run.steps + step, epochs * run.steps, info)
