"""The network that is explained, trained by the run itself where none was given."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from ..models.factory import fresh
from ..models.saved import load_network, save_network
from ..train import Progress, train
from .retrain import hits
from .retrain_task import Task

NETWORK = "network.safetensors"
SEED = 999
"""Beside those of the retrained networks, 0 and on."""


def original_network(task: Task, folder: Path, dataset: str, progress: Progress | None = None) -> nn.Module:
    """The explained network of a run folder, with a card; trained by the recipe where it is not there yet."""
    network, path = fresh(task.factory, 1000 * task.seed + SEED), folder / NETWORK
    if path.exists():
        load_network(path, network)
        return network.to(task.recipe.device)
    r, state = task.recipe, folder / "network.state"
    trained = train(
        network, *task.train, epochs=r.epochs, batch=r.batch, lr=r.lr, optimizer=r.optimizer,  # type: ignore[arg-type]
        weight_decay=r.weight_decay, schedule=r.schedule, seed=1000 * task.seed + SEED, device=r.device, bf16=r.bf16,  # type: ignore[arg-type]
        progress=progress, checkpoint=state,
    )  # fmt: skip
    accuracy = float(hits(network, *task.test).double().mean())
    save_network(path, network, {"data": dataset, "accuracy": accuracy, **trained.card})
    state.unlink(missing_ok=True)
    return network
