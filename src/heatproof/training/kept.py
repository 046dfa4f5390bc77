"""A network that is trained once: read from its file where the same call has left it, trained and kept there else."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from torch import Tensor, nn

from ..errors import RunError
from ..models.saved import load_network, read_card, save_network
from ..train import Progress, accuracy, train
from . import resume
from .options import chosen

UNFINISHED = ".training"


def kept_network(
    path: str | Path,
    model: nn.Module,
    pixels: Tensor,
    targets: Tensor,
    *,
    epochs: int,
    batch: int = 128,
    lr: float = 1e-3,
    schedule: Literal["onecycle"] | None = "onecycle",
    weight_decay: float = 0.0,
    decayed: Collection[str] | None = None,
    bf16: Any = False,
    seed: int = 0,
    device: str = "cpu",
    facts: Mapping[str, Any] | None = None,
    test: tuple[Tensor, Tensor] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Train the model in place by Adam, or read it; what was interrupted goes on. Returns its card.

    Args:
        path: of the network (.safetensors); the state of an unfinished training lies beside it.
        model: with its first weights, by which the file is known again.
        pixels, targets, epochs, batch, lr, schedule, weight_decay, decayed, bf16, seed, device: as in
            `heatproof.train.train`.
        facts: more for the card.
        test: unseen images and labels, whose accuracy goes on the card.

    Raises:
        RunError: the file is of another training; names what differs.
    """
    path = Path(path)
    options = chosen(model, epochs, batch, lr, "adam", weight_decay, decayed, schedule, seed, None, bf16, device)
    found = resume.identity(options, model, pixels, targets, None)
    found["decayed"] = list(options.decayed)
    if path.exists():
        card = read_card(path)
        _check_same(path, card.get("identity") or {}, found)
        load_network(path, model)
        model.to(device).eval()
        return card
    state = path.with_suffix(UNFINISHED)
    done = train(
        model, pixels, targets, epochs=epochs, batch=batch, lr=lr, schedule=schedule, weight_decay=weight_decay,
        decayed=decayed, bf16=bf16, seed=seed, device=device, checkpoint=state, progress=progress,
    )  # fmt: skip
    on_test = {} if test is None else {"test_accuracy": accuracy(model, *test)}
    card = {**done.card, **on_test, **(facts or {}), "identity": found}
    save_network(path, model, card)
    state.unlink(missing_ok=True)
    return card


def _check_same(path: Path, held: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if other := sorted(k for k in held.keys() | wanted.keys() if held.get(k) != wanted.get(k)):
        said = ", ".join(f"{k} ({held.get(k)!r} there, {wanted.get(k)!r} asked)" for k in other[:4])
        raise RunError(f"{path} is of another training: {said}; delete it to train again, or choose another folder")
