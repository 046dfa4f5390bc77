"""Pixel perturbation: what happens to the output as the least, or the most, salient pixels go (FullGrad, section 5.1)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..engine.chunks import chunk_slices, padded, sample_places
from ..engine.model import check_inputs, output, own
from ..errors import InputError
from ..score import check_target, classes, logit, predicted
from ..types import Score
from .fills import filler
from .masking import check_masking
from .option_types import check_chunk
from .ranks import tied_share
from .removal import FRACTIONS, Order, Perturbation, check_options, curve, everything, perturbation, reading, unit_of


def pixel_perturbation(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    targets: Any = None,
    *,
    fractions: tuple[float, ...] = FRACTIONS,
    which: str = "least",
    rank: str = "abs",
    ties: str = "exact",
    fill: Any = "black",
    black: Tensor | float | None = None,
    score: Score = logit,
    seed: int = 0,
    index: Any = None,
    chunk: int = 8,
) -> Perturbation:
    """The output after removal of pixels in the order of a map. ``(B, C, H, W), (B, C or 1, H, W) -> (F, B)``.

    Source: FullGrad paper, section 5.1, ``|f(x) - f(x')| / |f(x)|`` of the most confident class; areas: deletion and
    insertion of RISE (arXiv:1806.07421), by trapezoids that include all and no pixels. Deviations: exact counts under ties;
    black is black in pixel space, where the authors' code has the mean colour.

    Args:
        model: in evaluation mode; never touched.
        targets: classes, int64 ``(B,)``; None for the predicted ones.
        fractions: shares of pixels to remove, ascending. which: "least" or "most" salient first.
        rank: "abs" ranks by sum_c |m|, "signed" by sum_c m.
        ties: "exact" removes exact counts, ties in a seeded order; "all" removes every pixel up to the k-th value, as the
            authors' research code.
        fill: a name of `fills.FILLS`, a number or ``(C,)``, in the model's units.
        black: a black pixel in the model's units, a number or ``(C,)``. None = 0, which is black only for inputs in [0, 1];
            for normalised inputs give ``(0 - mean) / std``, since 0 is their mean colour.
        seed, index: of ties and noise, each image its own; index int64 ``(B,)``, places in the data set, default 0 to
            B - 1.
        chunk: images per forward.

    Raises:
        InputError: shapes or options that do not fit, NaN in the maps. ModelError: as `gradient`.

    Example:
        >>> from heatproof import value
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(4, 1, bias=False)).eval()
        >>> _ = net[1].weight.data.copy_(torch.tensor([[1.0, -1, 2, 0.25]]))
        >>> x = torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2)
        >>> pixel_perturbation(net, x, x * net[1].weight.view(2, 2), fractions=(0.5,), score=value).change
        tensor([[0.3333]])
    """
    private = own(model)
    check_inputs(private, images)
    check_masking("pixel_perturbation", images, maps, 0, which, rank)
    check_options(fractions, (which,), rank, ties)
    check_chunk(chunk)
    given = None if targets is None else _one_each(check_target(targets, len(images), images.device, None))
    places = sample_places(index, len(images))
    maps = maps.detach().to(images.device)
    curves, unit = [], ""
    for rows in chunk_slices(len(images), chunk):
        x = padded(images[rows].detach(), chunk)
        out = output(private, x, score)
        unit = unit_of(out, score)
        target = _targets(out, None if given is None else padded(given[rows], chunk), len(x), score)
        fills = filler(fill, x, black=black, seed=seed, index=padded(places[rows], chunk))
        order = Order(padded(maps[rows], chunk), rank, ties, seed, padded(places[rows], chunk))

        def read(changed: Tensor, target: Tensor = target) -> Tensor:
            return reading(output(private, changed, score), target, score)

        ends = reading(out, target, score), read(fills(everything(x)))
        curves.append(curve(read, fills, order, which, fractions, *ends)[..., : rows.stop - rows.start])
    return perturbation(torch.cat(curves, -1), fractions, tied_share(maps, rank), unit)


def _one_each(target: Tensor) -> Tensor:
    if target.dim() != 1:
        raise InputError(f"targets have shape {tuple(target.shape)}; expected one class for each image, (B,)")
    return target


def _targets(out: Any, given: Tensor | None, batch: int, score: Score) -> Tensor:
    """The classes to follow: those given, checked against the output, or the predicted ones."""
    if given is None:
        return predicted(out, score)
    return check_target(given, batch, given.device, classes(out, score))
