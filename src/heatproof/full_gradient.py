"""The full gradient of a network: input-gradient and bias-gradients, explicit and implicit (FullGrad paper, section 3).

f(x) = <df/dx, x> + sum over operations <df/dy, r> (equation 1, with b = r = y - J x; `engine.residual`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from .engine.guard import fixed_batch
from .engine.layout import LAST, TOKENS, on_grid
from .engine.model import check_inputs, own
from .engine.ops import CONVOLUTION
from .engine.passes import TERMS, Pass, forward
from .engine.residual import BATCH_NORM_OPS
from .engine.terms import FoldedBatch, Traced
from .errors import EscapedOp, ModelError
from .notebook import shows
from .psi import Psi
from .score import check_target, logit
from .types import Score

Result = TypeVar("Result")

LAYERS = CONVOLUTION | BATCH_NORM_OPS
"""What the official code takes a bias-gradient of for the map."""

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-3}
"""Largest relative residual that is rounding and no error; .1 for the half precisions."""


@dataclass(frozen=True)
class Term:
    """The share of one operation in the score.

    Attributes:
        name: path of the module that ran the operation, else "op:index"; the same module used twice gives two terms.
        op: the operation (conv2d, batch_norm, gelu, ...).
        value: ``(B, *shape of the operation's output)``, df/dy times r, signed, score units; ``(K, B, ...)`` for K classes.
        index: number of the call in the pass; the score's own calls are counted on from a million.
        output: which of the call's outputs (an LSTM has several).
        grid: what `on_grid` needs to know of the layout: "channels first", "channels last", (height, width) of tokens, or
            None for a term without places in the image.
    """

    name: str
    op: str
    value: Tensor
    index: int = 0
    output: int = 0
    grid: str | tuple[int, int] | None = None

    def on_grid(self) -> Tensor | None:
        """The value as ``(B, C, h, w)`` (tokens put back on the image grid, without class tokens); None for a term without
        places in the image, such as a linear layer's."""
        return None if self.grid is None else placed(self.value, self.grid)


@dataclass(frozen=True)
class FullGradient:
    """The decomposition of a score, exact: output = input_term + all terms, summed for each sample.

    Attributes:
        output: ``(B,)``, the score. input_term: ``(B, C, H, W)``, gradient times input.
        terms: one for each operation with a nonzero residual, in call order; the score's own operations come last.
        residual: ``(B,)``, output - sums: rounding. ``(K, B)`` targets put K in front of everything.
    """

    output: Tensor
    input_term: Tensor
    terms: list[Term] = field(repr=False)
    residual: Tensor

    _repr_html_ = shows("full_gradient")

    def __repr__(self) -> str:
        shapes = f"output={tuple(self.output.shape)}, input_term={tuple(self.input_term.shape)}"
        return f"FullGradient({shapes}, terms={len(self.terms)})"


def full_gradient(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Score = logit) -> FullGradient:
    """Input-gradient and bias-gradients of a score, complete for every eager network.

    Source: Srinivas and Fleuret 2019, equation 1 and section 3.2; deviations: the implicit bias of every operation is found
    by its residual, so that batch norm, GELU, normalisations, gates and attention need no list of layers.

    Networks that fold the batch into another dimension (windows of Swin, sequence-first layers) are run sample by sample.

    Args:
        model, inputs, score: as in `gradient`. target: int64 ``(B,)`` or ``(K, B)``; None explains the predicted class.

    Returns:
        `FullGradient`, all in score units; positive = raises the score.

    Raises:
        EscapedOp: an operation that cannot be seen or has no derivative formula. ModelError: samples depend on each other.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 2)).eval()
        >>> for p, v in zip(net.parameters(), ([[2.0]], [1.0], [[3.0], [0.0]], [-1.0, 0.0])): p.data = torch.tensor(v)
        >>> d = full_gradient(net, torch.ones(1, 1), torch.tensor([0]))
        >>> d.output.item(), d.input_term.item(), [t.value.sum().item() for t in d.terms]  # example 2: f = 8
        (8.0, 6.0, [3.0, -1.0])
    """
    return decompose(model, inputs, target, score, _stack)


def full_gradient_map(
    model: nn.Module,
    inputs: Tensor,
    target: Any,
    score: Score,
    psi: Psi,
    *,
    merge_bn: bool = False,
    only_layers: bool = False,
    gradients_only: bool = False,
) -> Tensor:
    """Equation 2 of the FullGrad paper, ``(B, 1, H, W)``; each layer's share is added during the backward and dropped.

    Args:
        psi: post-processing. merge_bn: see `fullgrad`. only_layers: convolutions and batch norms alone.
        gradients_only: the gradient at a layer instead of its share (`simple_fullgrad`).
    """
    size = (inputs.shape[2], inputs.shape[3])

    def one(run: Pass, row: Tensor, score: Score, *, keep: bool) -> Tensor:
        maps = torch.zeros(len(row), 1, *size, dtype=inputs.dtype, device=inputs.device)
        parts: list[Tensor] = []

        def add(traced: Traced, grad: Tensor) -> None:
            value = share(traced, grad)
            parts.append(summed(_by_sample(value, len(row))))
            if (only_layers and traced.op not in LAYERS) or (merge_bn and traced.in_next):
                return
            grid = grid_of(traced, run)
            if grid is None:
                return
            if merge_bn and traced.merged is not None:
                value = share(replace(traced, residual=traced.merged), grad)
            if gradients_only:
                value = _felt(grad, traced.residual)
            maps.add_(psi(placed(value, grid), size, scratch=not gradients_only))  # eq. 2, second term

        output, grad = pull(run, score, row, add, keep=keep)
        input_term = grad * run.leaf.detach()
        check_complete(output, [summed(input_term), *parts])
        return maps + psi(input_term, size)  # eq. 2, first term

    def reduce(run: Pass, target: Tensor, score: Score) -> Tensor:
        if target.dim() == 1:
            return one(run, target, score, keep=run.shared)
        return torch.stack([one(run, row, score, keep=True) for row in target])

    return decompose(model, inputs, target, score, reduce)


def _felt(grad: Tensor, residual: Tensor) -> Tensor:
    """The gradient at a layer, for those samples that have a residual there: a ReLU6 counts where it is saturated."""
    if residual.dim() < grad.dim() or len(residual) != len(grad):
        return grad
    return grad * residual.flatten(1).any(1).reshape(-1, *[1] * (grad.dim() - 1))


def decompose(
    model: nn.Module,
    inputs: Tensor,
    target: Any,
    score: Score,
    reduce: Callable[[Pass, Tensor, Score], Result],
) -> Result:
    """`reduce` of one pass with terms; where the batch is folded, of one pass a sample, put together along the batch."""
    private = own(model)
    check_inputs(private, inputs)

    def run_on(batch: Tensor, target: Any) -> Result:
        with torch.inference_mode(False), torch.enable_grad():  # whatever mode the caller is in
            run = forward(private, batch, score, None, TERMS)
            return reduce(run, run.target(score, target), score)

    try:
        return run_on(inputs, target)
    except FoldedBatch:
        if fixed_batch(private) is not None:
            raise EscapedOp(
                "the program folds its batch into another dimension, and was exported for a fixed batch size, so that its "
                "samples cannot be told apart; export it with a batch of 1, or give the eager model"
            ) from None
    if target is not None:
        check_target(target, len(inputs), inputs.device, None)
    whole: Result = _joined([run_on(inputs[i : i + 1], _only(target, i, len(inputs))) for i in range(len(inputs))])
    return whole


def pull(
    run: Pass, score: Score, row: Tensor, each: Callable[[Traced, Tensor], None], *, keep: bool
) -> tuple[Tensor, Tensor]:
    """Score ``(B,)`` and gradient at the input; on the way back `each` is given every operation with a residual and the
    gradient at its output, one at a time, so that no more than one layer's share is alive."""
    scores, of_score = run.scored(score, row)

    def reader(traced: Traced) -> Callable[[Any], None]:
        def read(gradients: Any) -> None:
            grad = gradients[traced.edge.output_nr]
            if grad is not None:
                each(traced, grad)

        return read

    handles = [t.edge.node.register_prehook(reader(t)) for t in (*run.traced, *of_score)]
    try:
        grad = run.input_gradient(scores, score, row, keep=keep)
    finally:
        for handle in handles:
            handle.remove()
    return scores.detach(), grad


def share(traced: Traced, grad: Tensor) -> Tensor:
    """df/dy * r (equation 1); of complex values the real part, which is what reaches the score."""
    if traced.residual.is_complex() or grad.is_complex():
        return (grad.conj() * traced.residual).real
    return grad * traced.residual


def grid_of(traced: Traced, run: Pass) -> str | tuple[int, int] | None:
    """Where the places of an operation's output lie in the image; see `Term.grid`."""
    layout = traced.layout
    if layout is None or traced.shape[0] != len(run.leaf) or layout.size == (1, 1):
        return None
    return layout.size if layout.kind == TOKENS else layout.kind


def placed(value: Tensor, grid: str | tuple[int, int]) -> Tensor:
    """A value with places in the image as ``(..., C, h, w)``."""
    if grid == LAST:
        return value.movedim(-1, -3)
    return value if isinstance(grid, str) else on_grid(value, grid)


def check_complete(output: Tensor, parts: list[Tensor]) -> Tensor:
    """output - sum of the parts, each ``(B,)`` in float64; raises `ModelError` where it is more than rounding."""
    total = torch.stack([p.double() for p in parts])
    residual = output.double() - total.sum(0)
    size = torch.maximum(output.double().abs(), total.abs().amax(0))
    worst = (residual.abs() / size.clamp_min(torch.finfo(torch.float64).tiny)).max().item()
    if not worst <= TOLERANCE.get(output.dtype, 0.1):
        raise ModelError(
            f"the full gradient misses the score by {worst:.1e} of its size: "
            + ("the samples of a batch depend on each other, or " if len(output) > 1 else "")
            + "the derivative of an operation is not the one that autograd uses (a hook, a write to .data); use "
            "gradient_x_input" + (", or give one image at a time" if len(output) > 1 else "")
        )
    return residual.to(output.dtype)


def _stack(run: Pass, target: Tensor, score: Score) -> FullGradient:
    if target.dim() == 1:
        return _one(run, target, score)
    return _assembled([_one(run, row, score) for row in target], torch.stack)


def _one(run: Pass, row: Tensor, score: Score) -> FullGradient:
    terms: list[Term] = []

    def keep(traced: Traced, grad: Tensor) -> None:
        if traced.residual.any():
            value = _by_sample(share(traced, grad), len(row))
            terms.append(Term(traced.name, traced.op, value, traced.index, traced.output, grid_of(traced, run)))

    output, grad = pull(run, score, row, keep, keep=True)
    terms.sort(key=_place)
    input_term = grad * run.leaf.detach()
    residual = check_complete(output, [summed(input_term), *(summed(t.value) for t in terms)])
    return FullGradient(output, input_term, terms, residual)


def _assembled(parts: list[FullGradient], join: Callable[[list[Tensor]], Tensor]) -> FullGradient:
    """Decompositions of other classes or other samples in one; an operation without a share in one of them has zeros."""
    known = {_place(t): t for part in parts for t in part.terms}
    terms = []
    for place, term in sorted(known.items()):
        held = [
            next((t.value for t in part.terms if _place(t) == place), torch.zeros_like(term.value)) for part in parts
        ]
        terms.append(replace(term, value=join(held)))
    return FullGradient(
        join([p.output for p in parts]), join([p.input_term for p in parts]), terms, join([p.residual for p in parts])
    )


def _place(term: Term) -> tuple[int, int]:
    return term.index, term.output


def summed(value: Tensor) -> Tensor:
    """``(B, ...) -> (B,)`` float64: over places in the value's own type, which is 20 times faster, then in float64."""
    places = value.sum(tuple(range(2, value.dim()))) if value.dim() > 2 else value
    return places.reshape(len(value), -1).sum(1, dtype=torch.float64)


def _by_sample(value: Tensor, batch: int) -> Tensor:
    return value if value.dim() and value.shape[0] == batch else value[None]


def _only(target: Any, i: int, batch: int) -> Tensor | None:
    """The target of one sample; one of a wrong shape as it is, for the pass to refuse."""
    if target is None:
        return None
    whole: Tensor = torch.as_tensor(target)
    return whole[..., i : i + 1] if whole.shape[-1:] == (batch,) else whole


def _joined(single: list[Any]) -> Any:
    """Results of one sample each, along the batch: the dimension after a leading K."""
    first = single[0]
    if isinstance(first, Tensor):
        return torch.cat(single, first.dim() - 4)
    batch = first.output.dim() - 1
    return _assembled(single, lambda values: torch.cat(values, batch))
