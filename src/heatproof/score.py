"""Scores: what a map explains. ``score(out, target) -> (B,)``, with out as the model returned it.

The default is the logit of the class (semantics.md 0.1): papers print the softmax, their code takes the logit.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .errors import InputError, ModelError
from .types import Score


def logit(out: Tensor, target: Tensor) -> Tensor:
    """The class's own output, also for multi-label outputs. ``(B, classes), (B,) -> (B,)``, logit units."""
    return out.gather(1, target[:, None]).squeeze(1)


def probability(out: Tensor, target: Tensor) -> Tensor:
    """Softmax probability of the class. ``(B, classes), (B,) -> (B,)`` in [0, 1]."""
    return logit(out.softmax(1), target)


def log_probability(out: Tensor, target: Tensor) -> Tensor:
    """Log of the softmax probability of the class, nats. ``(B, classes), (B,) -> (B,)``."""
    return logit(out.log_softmax(1), target)


def margin(out: Tensor, target: Tensor) -> Tensor:
    """Logit of the class minus the largest other logit. ``(B, classes), (B,) -> (B,)``."""
    others = out.scatter(1, target[:, None], float("-inf"))
    return logit(out, target) - others.amax(1)


def label_probability(out: Tensor, target: Tensor) -> Tensor:
    """Sigmoid probability of one label of a multi-label model. ``(B, labels), (B,) -> (B,)`` in [0, 1]."""
    return logit(out, target).sigmoid()


def single_logit(out: Tensor, target: Tensor) -> Tensor:
    """Binary models with one logit: ``+out`` for class 1, ``-out`` for class 0. ``(B,)`` or ``(B, 1) -> (B,)``."""
    value = _one_number(out, "single_logit")
    return torch.where(target > 0, value, -value)


def value(out: Tensor, target: Tensor) -> Tensor:
    """Regression: the number itself, ``(B,)`` or ``(B, 1) -> (B,)``; the target is ignored (use 0)."""
    return _one_number(out, "value")


SCORES: dict[str, Score] = {
    f.__name__: f for f in (logit, probability, log_probability, margin, label_probability, single_logit, value)
}


def _one_number(out: Tensor, name: str) -> Tensor:
    if not (out.dim() == 1 or (out.dim() == 2 and out.shape[1] == 1)):
        raise ModelError(f"score={name} takes an output of (B,) or (B, 1), but the model returned {tuple(out.shape)}")
    return out.reshape(len(out))


def classes(out: Any, score: Score) -> int | None:
    """Number of classes the score can explain on this output; None where only the caller can know."""
    if score is single_logit:
        return 2
    if score is value:
        return 1
    if isinstance(out, Tensor) and out.dim() == 2:
        return out.shape[1]
    return None


def check_output(out: Any, score: Score, batch: int) -> None:
    """Raise `ModelError` where the score cannot take what the model returned."""
    known = score in SCORES.values()
    if not isinstance(out, Tensor):
        if known:
            what = f"a {type(out).__name__}" + (f" with keys {list(out)}" if isinstance(out, dict) else "")
            raise ModelError(
                f"the model returned {what}, and score={_name(score)} takes a tensor; pass your own "
                "score=lambda out, target: ... that picks the logits and returns (B,)"
            )
        return
    if out.dim() == 0 or len(out) != batch:
        raise ModelError(f"the model returned {tuple(out.shape)} for {batch} inputs; expected (B, classes) or (B,)")
    if known and score in (single_logit, value):
        _one_number(out, _name(score))
    elif known and (out.dim() != 2 or out.shape[1] < 2):
        raise ModelError(
            f"score={_name(score)} takes an output of (B, classes) with at least 2 classes, but the model returned "
            f"{tuple(out.shape)}; use score=single_logit for one binary logit, score=value for a regression, "
            "or your own score=lambda out, target: ... that returns (B,)"
        )
    if not out.isfinite().all():
        raise ModelError(
            f"the model returned {int((~out.isfinite()).sum())} NaN or infinite outputs of {out.numel()}; check its "
            "weights, and that the inputs are normalised as in its training"
        )


def predicted(out: Any, score: Score) -> Tensor:
    """The class a map explains when none is given: int64 ``(B,)``."""
    if not isinstance(out, Tensor):
        raise InputError(f"target=None needs a tensor of outputs, got a {type(out).__name__}; give target=, int64 (B,)")
    if score is single_logit:
        return (out.reshape(len(out)) > 0).long()
    if score is value:
        return torch.zeros(len(out), dtype=torch.int64, device=out.device)
    if out.dim() == 2:
        return out.argmax(1)
    shape = tuple(out.shape)
    raise InputError(
        f"target=None needs an output of (B, classes) to pick the predicted class from, got {shape}; "
        "give target=, int64 of shape (B,)"
    )


def check_target(target: Any, batch: int, device: torch.device, limit: int | None) -> Tensor:
    """The target as int64 ``(B,)`` or ``(K, B)`` on the inputs' device, or `InputError`."""
    if not isinstance(target, Tensor):
        try:
            target = torch.as_tensor(target)
        except (TypeError, ValueError, RuntimeError) as error:
            raise InputError(
                f"target={target!r} is no tensor of classes: {error}; expected int64 ({batch},), one class for each input"
            ) from None
    if target.dtype != torch.int64 or target.dim() not in (1, 2) or target.shape[-1] != batch or target.numel() == 0:
        raise InputError(
            f"target has dtype {target.dtype} and shape {tuple(target.shape)}; expected int64 ({batch},), one class for "
            f"each input, or (K, {batch}) to explain K classes"
        )
    if target.layout != torch.strided or target.is_meta:
        raise InputError(
            f"target is a {target.layout} tensor on {target.device}; expected a dense one with numbers in it, int64 (B,)"
        )
    if limit is not None and (target.min() < 0 or target.max() >= limit):
        bad = target[(target < 0) | (target >= limit)][0].item()
        raise InputError(f"target {bad} is out of range: the model has {limit} classes; expected 0 to {limit - 1}")
    found: Tensor = target.to(device)
    return found


def _name(score: Score) -> str:
    return str(getattr(score, "__name__", repr(score)))
