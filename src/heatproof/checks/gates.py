"""Accuracy gates: without them, maps of a network trained on permuted labels say nothing (semantics.md 3.S1.25)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..engine.chunks import chunk_slices
from ..errors import InputError, ModelError

TRAINED = 0.95
"""Training accuracy that a network must exceed to count as fitted (Sanity Checks, section 4)."""
NEAR_CHANCE = 0.05
"""Distance from chance that is always allowed; three standard errors are, where those are more."""
BATCH = 256


@dataclass(frozen=True)
class Gate:
    """One condition of a conclusion. value: None where it was not measured; then `holds` is None too."""

    name: str
    value: float | None
    rule: Literal["over", "at most"]
    limit: float
    fails: str
    """What it means where it does not hold, for the sentence that the report prints."""

    @property
    def holds(self) -> bool | None:
        if self.value is None:
            return None
        return self.value > self.limit if self.rule == "over" else self.value <= self.limit


def trained(whose: str, labels: str, accuracy: float | None) -> Gate:
    """Over 95 % accuracy on the training images and the labels that it was trained on, in evaluation mode."""
    shown = "" if accuracy is None else f"{accuracy:.1%}"
    fails = (
        f"{whose} has learned only {shown} of its training labels (over {TRAINED:.0%} needed: train it for more epochs)"
    )
    return Gate(f"{whose}: training accuracy on {labels}", accuracy, "over", TRAINED, fails)


def at_chance(whose: str, predicted: Tensor, targets: Tensor) -> Gate:
    """Test accuracy no further from chance than max(5 %, 3 standard errors). ``(N,), (N,)``."""
    accuracy, chance, allowed = chance_level(predicted, targets)
    fails = (
        f"{whose} is right on {accuracy:.1%} of the test images where {chance:.1%} is chance, so it knows the labels"
    )
    return Gate(f"{whose}: test accuracy less chance", abs(accuracy - chance), "at most", allowed, fails)


def above_chance(whose: str, predicted: Tensor, targets: Tensor) -> Gate:
    """Test accuracy over chance by more than `at_chance` allows: a network that learned nothing has nothing to lose."""
    accuracy, chance, allowed = chance_level(predicted, targets)
    fails = f"{whose} is right on {accuracy:.1%} of the test images where {chance:.1%} is chance, so it learned nothing"
    return Gate(f"{whose}: test accuracy", accuracy, "over", chance + allowed, fails)


def chance_level(predicted: Tensor, targets: Tensor) -> tuple[float, float, float]:
    """Accuracy, what these predictions would reach on labels independent of them, and the allowed distance.

    Chance is ``sum_c p_c q_c`` with the shares of class c among labels and predictions: 1/k where the k classes are equally
    frequent, and right also where one is not (the paper's data are balanced).

    Example:
        >>> accuracy, chance, allowed = chance_level(torch.tensor([0, 1, 2, 3]), torch.tensor([0, 1, 3, 2]))
        >>> accuracy, chance, round(allowed, 4)
        (0.5, 0.25, 0.6495)
    """
    classes = int(torch.stack([predicted.max(), targets.max()]).max()) + 1
    shares = [torch.bincount(labels.cpu(), minlength=classes).double() / len(labels) for labels in (predicted, targets)]
    accuracy = float((predicted.cpu() == targets.cpu()).double().mean())
    chance = float((shares[0] * shares[1]).sum())
    return accuracy, chance, max(NEAR_CHANCE, 3 * sqrt(chance * (1 - chance) / len(targets)))


def judged(gates: Sequence[Gate], unknown: Sequence[str] = ()) -> dict[str, Any]:
    """What a run records: every gate, whether the check may conclude, and why in one sentence.

    Args:
        unknown: conditions without a number that nobody measured ("the same first weights").
    """
    broken = [gate.fails for gate in gates if gate.holds is False]
    missing = [gate.name for gate in gates if gate.holds is None] + list(unknown)
    if broken:
        why = f"Nothing can be concluded from the permuted labels: {'; '.join(broken)}."
    elif missing:
        why = f"The conclusion rests on your word for what could not be measured: {'; '.join(missing)}."
    else:
        why = "The networks have learned their labels, and the permuted ones know nothing of the true labels."
    rows = [{k: v for k, v in asdict(gate).items() if k != "fails"} | {"holds": gate.holds} for gate in gates]
    return {"concluded": not broken, "why": why, "gates": rows, "not_measured": missing}


@torch.no_grad()
def predictions(model: nn.Module, pixels: Tensor) -> Tensor:
    """The class of each image, int64 ``(N,)`` on the CPU, in batches on the device of the model.

    Raises:
        ModelError: an output that is not ``(B, classes)``, not finite, or a model in training mode.
    """
    if any(module.training for module in model.modules()):
        raise ModelError(f"{type(model).__name__} is in training mode; call model.eval() first")
    where = next((p.device for p in model.parameters()), pixels.device)
    found = []
    for part in chunk_slices(len(pixels), BATCH):
        out = model(pixels[part].to(where))
        if not isinstance(out, Tensor) or out.dim() != 2 or out.shape[1] < 2 or not bool(out.isfinite().all()):
            got = tuple(out.shape) if isinstance(out, Tensor) else type(out).__name__
            raise ModelError(f"{type(model).__name__} returned {got}; expected finite logits (B, classes)")
        found.append(out.argmax(1).cpu())
    return torch.cat(found)


def check_data(pixels: Tensor, targets: Tensor, what: str) -> None:
    """Raise `InputError` unless there is one int64 class for each of at least one image."""
    if targets.dtype != torch.int64 or targets.dim() != 1 or len(targets) != len(pixels) or not len(targets):
        raise InputError(
            f"{what}: {tuple(pixels.shape)} pixels with targets of {targets.dtype}, {tuple(targets.shape)}; expected "
            "int64 (N,), one class for each of at least one image"
        )
    if int(targets.min()) < 0:
        raise InputError(f"{what}: a target is {int(targets.min())}; classes are numbered from 0")
