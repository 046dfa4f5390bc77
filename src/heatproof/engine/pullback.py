"""The way back of a pass: gradients of the scores of one class or many at any of its places."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError, ModelError, out_of_memory
from ..types import Score
from .guard import Taint, check_graph
from .interpose import Interpose, RuleSet
from .watch import passing

GROUP = 4
"""Targets in one backward pass where they may be together; more are no faster on a CPU."""
_TOGETHER: ContextVar[bool] = ContextVar("heatproof_together", default=False)


@contextmanager
def differentiated() -> Iterator[None]:
    """Within: what autograd raises is told as `ModelError`."""
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        raise ModelError(f"the model cannot be differentiated: {str(error).strip().splitlines()[0]}") from error


def pull_back(
    out: Any, score: Score, targets: Tensor, roots: list[Any], rules: RuleSet | None, *, keep: bool
) -> list[Tensor]:
    """Gradients of the scores of targets (K, B) at the roots, each (K, ...).

    One by one: in a product for many classes at once the rounding of a class hangs on its place, and of two equal
    classes each would beat the other in a competition. `together` allows it, for what does not compete.
    """
    if _TOGETHER.get() and rules is None and isinstance(out, Tensor) and not _stays_alone(out):
        try:
            columns = [_batched(out, score, t, roots) for t in torch.split(targets, GROUP)]
            return [torch.cat(parts) for parts in zip(*columns, strict=True)]
        except RuntimeError as error:  # a hook of the user's that looks at its gradient, say: one by one it may work
            if out_of_memory(error):
                raise
    rows = [_single(out, score, t, roots, rules, keep=keep or len(targets) > 1) for t in targets]
    return [torch.stack(column) for column in zip(*rows, strict=True)]


@contextmanager
def together() -> Iterator[None]:
    """Within: plain gradients of `GROUP` targets come of one backward pass, each with the rounding of its place in it.

    ViT-tiny: 28 ms a target on 2 cores, 35 one by one. Convolutions in groups, which then take longer, stay alone.
    """
    token = _TOGETHER.set(True)
    try:
        yield
    finally:
        _TOGETHER.reset(token)


def _batched(out: Tensor, score: Score, targets: Tensor, roots: list[Any]) -> tuple[Tensor, ...]:
    passing(0)
    cotangents = torch.stack([_cotangent(out, score, t) for t in targets])
    return torch.autograd.grad(out, roots, cotangents, retain_graph=True, is_grads_batched=True)


def _stays_alone(out: Tensor) -> bool:
    """Whether a convolution in groups is part of the graph, or a function of the user's, which may not know batches."""
    seen, todo = set(), [out.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if getattr(node, "_saved_groups", 1) != 1 or hasattr(node, "_forward_cls"):
            return True
        todo += [parent for parent, _ in node.next_functions]
    return False


def _single(
    out: Any, score: Score, target: Tensor, roots: list[Any], rules: RuleSet | None, *, keep: bool
) -> tuple[Tensor, ...]:
    passing(0)
    if isinstance(out, Tensor):
        return _grad(out, roots, _cotangent(out, score, target, rules), keep)
    return _grad(scores_of(out, score, target).sum(), roots, None, keep)


def _grad(out: Tensor, roots: list[Any], cotangent: Tensor | None, keep: bool) -> tuple[Tensor, ...]:
    return torch.autograd.grad(out, roots, cotangent, retain_graph=keep)


def _cotangent(out: Tensor, score: Score, target: Tensor, rules: RuleSet | None = None) -> Tensor:
    """dscore/dout, so that the score's own operations stay outside the model's graph; under the rules if they cover it."""
    with torch.inference_mode(False), torch.enable_grad():
        leaf = out.detach().clone().requires_grad_()
        if rules is None or not rules.covers_score:
            total = scores_of(leaf, score, target).sum()
        else:
            taint = Taint()
            with Interpose([rules.answer], [taint], plain_attention=rules.plain_attention):
                scores = scores_of(leaf.clone(), score, target)
            check_graph(scores, rules.functions, taint, f"{rules.name} (in the score)")
            total = scores.sum()
        if not total.requires_grad:
            raise InputError(f"score={getattr(score, '__name__', score)} does not depend on the model's output")
        return torch.autograd.grad(total, leaf)[0]


def scores_of(out: Any, score: Score, target: Tensor) -> Tensor:
    scores = score(out, target)
    if not isinstance(scores, Tensor) or scores.shape != target.shape:
        got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise InputError(f"score={getattr(score, '__name__', score)} returned {got}; expected {tuple(target.shape)}")
    return scores
