"""One seeded trainer for classifiers that fit into memory."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ._version import __version__
from .models.saved import load_network as load_network
from .models.saved import read_card as read_card
from .models.saved import save_network as save_network
from .progress import Auto, shown, training_bar
from .training import resume
from .training.evaluate import accuracy as accuracy
from .training.loop import Augment as Augment
from .training.loop import Epoch as Epoch
from .training.loop import Progress as Progress
from .training.loop import Run, begin, run_epoch
from .training.noise import random_state
from .training.noise import seeded as seeded
from .training.optimiser import OPTIMIZERS as OPTIMIZERS
from .training.options import check_data, chosen
from .training.precision import has_bf16 as has_bf16


@dataclass(frozen=True)
class Training:
    """What a training left.

    Attributes:
        history: one `Epoch` for each pass.
        seconds: wall time, with that of interrupted calls up to their last whole epoch.
        card: what the weights follow from, in what JSON can hold, for `save_network`.
    """

    history: tuple[Epoch, ...]
    seconds: float
    card: dict[str, Any]


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
    progress: Progress | Auto = None,
    bf16: bool | Literal["auto"] = False,
    until: float | None = None,
    checkpoint: str | Path | None = None,
) -> Training:
    """Train the model in place on cross-entropy; afterwards it is on `device`, in evaluation mode.

    On a CPU the result is the same to the last bit for the same arguments and number of threads, interrupted and resumed
    or not. Batches differ by at most one image in size, and every image is seen once an epoch.

    Args:
        model: the network, initialised by the caller (`seeded`).
        pixels: ``(N, ...)`` in the units that the model takes, or what `augment` turns into them (bytes, say).
        targets: int64 ``(N,)``.
        epochs, batch: passes over the data, with `until` the most; images a step.
        lr: the learning rate; under "onecycle" the highest.
        optimizer: "adam" (its decay is an L2 penalty), "adamw" (decoupled decay) or "sgd" (momentum 0.9).
        weight_decay: applies to `decayed`.
        decayed: names of parameters; default all of two or more dimensions, so neither biases nor norms.
        schedule: "onecycle" (Smith & Topin, arXiv:1708.07120) or None for a constant rate.
        seed: of the order of the data, of `augment` and of the model's own noise (dropout).
        augment: ``(batch on the CPU, generator) -> batch``, before the batch goes to the device.
        bf16: bfloat16 autocast; weights stay float32. "auto": where the device has it in hardware (`has_bf16`), there it
            is up to twice as fast.
        until: stop after the first epoch whose accuracy on the training data, all of it in evaluation mode
            (`Epoch.evaluated`), reaches this share; needs ``schedule=None``.
        checkpoint: a file for the state after every epoch. The same call, with a network built anew, goes on from it, or
            reads a finished training out of it. Not noticed: another torch, or another number of threads.
        progress: called with (steps done, steps in all, a word on them); "auto" shows a bar in a terminal or a notebook.

    Raises:
        InputError: data or options that cannot be used.
        RunError: the checkpoint is damaged, or of another training (names what differs); nothing was changed.
        HeatproofError: the loss is no longer finite.
    """
    options = chosen(model, epochs, batch, lr, optimizer, weight_decay, decayed, schedule, seed, until, bf16, device)
    check_data(pixels, targets)
    path = None if checkpoint is None else Path(checkpoint)
    found = resume.identity(options, model, pixels, targets, augment) if path else {}
    state = resume.read(path, found) if path else None
    with shown(progress, "training", training_bar) as told:
        run = begin(options, model, pixels, targets, augment, told)
        try:
            with random_state(options.seed, torch.device(options.device)):
                if state is not None:
                    resume.restore(run, state)
                while not run.finished:
                    run_epoch(run)
                    if path is not None:
                        resume.save(path, run, found)
        finally:
            model.to(memory_format=torch.contiguous_format).eval()  # type: ignore[call-overload]
    return Training(tuple(run.history), run.seconds, _card(run))


def _card(run: Run) -> dict[str, Any]:
    last = run.history[-1]
    return {
        **asdict(run.options),
        "decayed": list(run.options.decayed),
        "epochs": len(run.history),
        "images": len(run.pixels),
        "loss": last.loss,
        "train_accuracy": last.accuracy if last.evaluated is None else last.evaluated,
        "seconds": round(run.seconds, 1),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "heatproof": __version__,
    }
