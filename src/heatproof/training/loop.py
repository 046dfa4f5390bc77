"""The steps of a training: what changes in them, and one pass through the data."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..engine.chunks import generator
from ..errors import HeatproofError
from . import optimiser
from .evaluate import accuracy
from .options import Options
from .trial import Augment as Augment
from .trial import check_fits

Progress = Callable[[int, int, str], object]
"""``progress(done, total, info)``: steps done, steps in all, one line about where training stands."""
EVERY = 20


@dataclass(frozen=True)
class Epoch:
    """One pass through the data.

    Attributes:
        loss: mean in nats, taken while the weights were changing.
        accuracy: mean in [0, 1], taken while the weights were changing.
        evaluated: accuracy on all of the training data after the pass, in evaluation mode; None without `until`.
    """

    loss: float
    accuracy: float
    evaluated: float | None = None


@dataclass
class Run:
    """What changes from step to step, and the data. generator: order of the data and augmentation."""

    options: Options
    model: nn.Module
    pixels: Tensor
    targets: Tensor
    augment: Augment | None
    progress: Progress | None
    optimizer: torch.optim.Optimizer
    rates: optimiser.Rates
    generator: torch.Generator
    history: list[Epoch] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Steps in one epoch."""
        return steps(self.options, self.pixels)

    @property
    def finished(self) -> bool:
        last, until = self.history[-1].evaluated if self.history else None, self.options.until
        return len(self.history) >= self.options.epochs or (last is not None and until is not None and last >= until)


def steps(options: Options, pixels: Tensor) -> int:
    """Steps in one epoch."""
    return math.ceil(len(pixels) / options.batch)


def begin(
    options: Options,
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    augment: Augment | None,
    progress: Progress | None,
) -> Run:
    """The model on its device, with a fresh optimizer.

    Raises:
        InputError: images or classes that do not fit the model, which is unchanged then.
    """
    check_fits(model, pixels, targets, "train", augment)
    model.to(torch.device(options.device))
    if any(p.dim() == 4 for p in model.parameters()):
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # 1.4 times as fast on a CPU
    optimizer = optimiser.OPTIMIZERS[options.optimizer](
        optimiser.groups(model, options.weight_decay, options.decayed), lr=options.lr
    )
    rates = optimiser.rates(optimizer, options.schedule, options.lr, options.epochs * steps(options, pixels))
    order = torch.Generator().manual_seed(options.seed)
    return Run(options, model, pixels, targets, augment, progress, optimizer, rates, order)


def run_epoch(run: Run) -> None:
    """One pass through the data in a fresh order; then its line of the history."""
    start = time.perf_counter()
    tally, seen = torch.zeros(2, device=run.options.device), 0  # loss, hits
    run.model.train()
    order = torch.randperm(len(run.pixels), generator=run.generator).to(run.pixels.device)
    for step, rows in enumerate(order.tensor_split(run.steps), 1):
        tally += _step(run, run.pixels[rows], run.targets[rows.to(run.targets.device)])
        seen += len(rows)
        run.rates.step()
        if run.progress is not None and due(run.options.device, step, run.steps):
            _report(run, run.progress, step, _means(tally, seen))
    loss, hits = _means(tally, seen)
    epoch = f"epoch {len(run.history) + 1} of {run.options.epochs}"
    if not math.isfinite(loss):
        raise HeatproofError(
            f"training {type(run.model).__name__}: the loss is {loss} in {epoch}; "
            "use a lower lr, and look for NaN or infinite pixels"
        )
    run.history.append(Epoch(loss, hits, _evaluated(run)))
    run.seconds += time.perf_counter() - start


def due(device: str, step: int, steps: int) -> bool:
    """Whether progress is told after a step: on a GPU, which must be waited for, after every twentieth and the last."""
    return device == "cpu" or step % EVERY == 0 or step == steps


def _means(tally: Tensor, seen: int) -> tuple[float, float]:
    loss, hits = tally.tolist()  # waits for the device
    return loss / seen, hits / seen


def _report(run: Run, progress: Progress, step: int, means: tuple[float, float]) -> None:
    loss, hits = means
    done, epochs, until = len(run.history), run.options.epochs, run.options.until
    info = f"epoch {done + 1} of {epochs}, loss {loss:.3f}, accuracy {hits:.3f}"
    if until is not None:
        info = f"epoch {done + 1} of at most {epochs}, accuracy {hits:.3f}, wants {until:g}"
    progress(done * run.steps + step, epochs * run.steps, info)


def _evaluated(run: Run) -> float | None:
    """Accuracy on the training data in evaluation mode; its augmentation has noise of its own, so that measuring changes
    nothing."""
    if run.options.until is None:
        return None
    noise, augment = generator("training accuracy", run.options.seed), run.augment
    prepare = None if augment is None else lambda x: augment(x, noise)
    return accuracy(run.model.eval(), run.pixels, run.targets, prepare=prepare)


def _step(run: Run, x: Tensor, y: Tensor) -> Tensor:
    """One update of the weights; the batch's loss sum and hits."""
    x = x if run.augment is None else run.augment(x, run.generator)
    x, y = x.to(run.options.device), y.to(run.options.device)
    if x.dim() == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    with torch.autocast(torch.device(run.options.device).type, torch.bfloat16, enabled=run.options.bf16):
        out = run.model(x)
    loss = F.cross_entropy(out.to(torch.promote_types(out.dtype, torch.float32)), y)
    run.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    run.optimizer.step()
    return torch.stack([loss.detach() * len(y), (out.argmax(1) == y).sum()])
