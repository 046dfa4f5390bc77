"""One seeded trainer for classifiers that fit into memory."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import HeatproofError, InputError

Augment = Callable[[Tensor, torch.Generator], Tensor]
Progress = Callable[[int, int, str], object]
"""``progress(done, total, info)``: steps done, steps in all, one line about where training stands."""

Model = TypeVar("Model", bound=nn.Module)

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": lambda groups, lr: torch.optim.SGD(groups, lr=lr, momentum=0.9),
}


@dataclass(frozen=True)
class Epoch:
    """Means over one pass through the data, taken while the weights were changing: loss in nats, accuracy in [0, 1]."""

    loss: float
    accuracy: float


@dataclass(frozen=True)
class Training:
    """What a training left: one `Epoch` per pass, and wall time in seconds."""

    history: tuple[Epoch, ...]
    seconds: float


def seeded(build: Callable[[], Model], seed: int) -> Model:
    """The network that `build` makes under this seed; the global random state is put back.

    Example:
        >>> first, second = (seeded(lambda: nn.Linear(3, 2), seed=1) for _ in range(2))
        >>> bool((first.weight == second.weight).all())
        True
    """
    with _random_state(seed, torch.device("cpu")):
        return build()


def train(
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    *,
    epochs: int,
    batch: int = 128,
    lr: float = 1e-3,
    optimizer: Literal["adam", "adamw", "sgd"] = "adam",
    weight_decay: float = 0.0,
    decayed: Collection[str] | None = None,
    schedule: Literal["onecycle"] | None = "onecycle",
    seed: int = 0,
    device: str | torch.device = "cpu",
    augment: Augment | None = None,
    progress: Progress | None = None,
    bf16: bool = False,
) -> Training:
    """Train the model in place on cross-entropy; afterwards it is on `device`, in evaluation mode.

    On a CPU the result is the same to the last bit for the same arguments and number of threads. Batches differ by at most
    one image in size, and every image is seen once an epoch.

    Args:
        model: the network, initialised by the caller (`seeded`).
        pixels: ``(N, ...)`` in the units that the model takes, or what `augment` turns into them (bytes, say).
        targets: int64 ``(N,)``.
        epochs, batch: passes over the data; images a step.
        lr: the learning rate; under "onecycle" the highest.
        optimizer: "adam" (its decay is an L2 penalty), "adamw" (decoupled decay) or "sgd" (momentum 0.9).
        weight_decay: applies to `decayed`.
        decayed: names of parameters; default all of two or more dimensions, so neither biases nor norms.
        schedule: "onecycle" (Smith & Topin, arXiv:1708.07120) or None for a constant rate.
        seed: of the order of the data, of `augment` and of the model's own noise (dropout).
        augment: ``(batch on the CPU, generator) -> batch``, before the batch goes to the device.
        bf16: bfloat16 autocast; weights stay float32. Twice as fast on CPUs with AVX512-BF16 or AMX, slow on others.

    Raises:
        InputError: data or options that cannot be used.
        HeatproofError: the loss is no longer finite.
    """
    _check(model, pixels, targets, epochs, batch, optimizer, schedule, decayed)
    where = torch.device(device)
    start = time.perf_counter()
    plan = Plan(
        epochs, math.ceil(len(pixels) / batch), torch.Generator().manual_seed(seed), where, augment, progress, bf16
    )
    model.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.4 times as fast on a CPU
    chosen = OPTIMIZERS[optimizer](_groups(model, weight_decay, decayed), lr=lr)
    rates = _rates(chosen, schedule, lr, plan.epochs * plan.steps)
    model.train()
    try:
        with _random_state(seed, where):
            history = tuple(_epoch(plan, index, model, pixels, targets, chosen, rates) for index in range(epochs))
    finally:
        model.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    return Training(history, time.perf_counter() - start)


@torch.no_grad()
def accuracy(model: nn.Module, pixels: Tensor, targets: Tensor, batch: int = 256) -> float:
    """Share of images whose largest logit is their target's, in [0, 1]; model in evaluation mode, on any device.

    Raises:
        InputError: the model is in training mode, where batch norm and dropout would make the number depend on `batch`.
    """
    if model.training:
        raise InputError(f"accuracy({type(model).__name__}) in training mode; call model.eval() first")
    where = next((p.device for p in model.parameters()), pixels.device)
    hits = [
        (model(pixels[i : i + batch].to(where)).argmax(1).cpu() == targets[i : i + batch].cpu()).sum()
        for i in range(0, len(pixels), batch)
    ]
    return float(torch.stack(hits).sum()) / len(pixels)


@dataclass(frozen=True)
class Plan:
    """What does not change from step to step. steps: in one epoch; generator: order of the data and augmentation."""

    epochs: int
    steps: int
    generator: torch.Generator
    device: torch.device
    augment: Augment | None
    progress: Progress | None
    bf16: bool


def _epoch(
    plan: Plan,
    index: int,
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    optimizer: torch.optim.Optimizer,
    rates: torch.optim.lr_scheduler.LRScheduler,
) -> Epoch:
    """One pass through the data in a fresh order."""
    tally = torch.zeros(3, device=plan.device)  # loss, hits, images
    for step, rows in enumerate(torch.randperm(len(pixels), generator=plan.generator).tensor_split(plan.steps), 1):
        tally += _step(plan, model, pixels[rows], targets[rows], optimizer)
        rates.step()
        if plan.progress is not None:
            loss, hits, images = tally.tolist()
            info = f"epoch {index + 1} of {plan.epochs}, loss {loss / images:.3f}, accuracy {hits / images:.3f}"
            plan.progress(index * plan.steps + step, plan.epochs * plan.steps, info)
    loss, hits, images = tally.tolist()
    if not math.isfinite(loss):
        raise HeatproofError(
            f"training {type(model).__name__}: the loss is {loss} in epoch {index + 1} of {plan.epochs}; "
            "use a lower lr, and look for NaN or infinite pixels"
        )
    return Epoch(loss / images, hits / images)


def _step(plan: Plan, model: nn.Module, x: Tensor, y: Tensor, optimizer: torch.optim.Optimizer) -> Tensor:
    """One update of the weights; the batch's loss sum, hits and size."""
    x = x if plan.augment is None else plan.augment(x, plan.generator)
    x, y = x.to(plan.device), y.to(plan.device)
    if x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(plan.device.type, torch.bfloat16, enabled=plan.bf16):
        out = model(x)
    loss = F.cross_entropy(out.float(), y)
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return torch.stack([loss.detach() * len(y), (out.argmax(1) == y).sum(), loss.new_tensor(len(y))])


def _groups(model: nn.Module, weight_decay: float, decayed: Collection[str] | None) -> list[dict[str, Any]]:
    """Parameter groups with and without decay, of what requires a gradient."""
    parameters = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    names = {name for name, p in parameters if p.dim() >= 2} if decayed is None else set(decayed)
    return [
        {"params": [p for name, p in parameters if name in names], "weight_decay": weight_decay},
        {"params": [p for name, p in parameters if name not in names], "weight_decay": 0.0},
    ]


def _rates(
    optimizer: torch.optim.Optimizer, schedule: str | None, lr: float, total: int
) -> torch.optim.lr_scheduler.LRScheduler:
    if schedule is None or total < 4:  # a cycle needs a way up and a way down
        return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=total)


@contextmanager
def _random_state(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state of the CPU and of `device` under a seed; put back afterwards."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for one in cuda:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield


def _check(
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    epochs: int,
    batch: int,
    optimizer: str,
    schedule: str | None,
    decayed: Collection[str] | None,
) -> None:
    if targets.dtype != torch.int64 or targets.dim() != 1 or len(targets) != len(pixels) or not len(pixels):
        raise InputError(
            f"train: {tuple(pixels.shape)} pixels with targets of {targets.dtype}, {tuple(targets.shape)}; expected int64 "
            "(N,), one class for each of at least one image"
        )
    if epochs < 1 or batch < 1 or optimizer not in OPTIMIZERS or schedule not in ("onecycle", None):
        raise InputError(
            f"train(epochs={epochs}, batch={batch}, optimizer={optimizer!r}, schedule={schedule!r}): expected epochs and "
            f"batch of at least 1, an optimizer of {', '.join(OPTIMIZERS)}, and the schedule 'onecycle' or None"
        )
    unknown = sorted(set(decayed or ()) - {name for name, _ in model.named_parameters()})
    if unknown:
        raise InputError(f"train(decayed=...): {type(model).__name__} has no parameter called {', '.join(unknown)}")
