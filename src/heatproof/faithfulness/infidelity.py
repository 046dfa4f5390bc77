"""Infidelity (Yeh et al. 2019): does a map, read as a linear model, foretell what a perturbation does to the score?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..engine.call import like_inputs
from ..engine.model import output, own
from ..errors import InputError
from ..perturb import scores
from ..score import logit
from ..types import Score
from .kind import Batch
from .perturbations import Perturbing, perturbed
from .probe import batches, finite_or_nan


@dataclass(frozen=True)
class Infidelity:
    """Each float64 ``(B,)``, with ``s = I^T Phi`` and ``d = f(x) - f(x - I)`` over the perturbations I.

    Attributes:
        raw: ``E[(s - d)^2]``, score units squared; fair only to maps in units of the score.
        scaled: ``E[(beta s - d)^2]`` with the beta that makes it least: a map's scale does not count, nor its sign.
        agreement: ``E[s d] / sqrt(E[s^2] E[d^2])`` in [-1, 1]: scale does not count, sign does; NaN where s or d is
            always 0. ``scaled = E[d^2] (1 - agreement^2)``.
    """

    raw: Tensor
    scaled: Tensor
    agreement: Tensor


def infidelity(
    model: nn.Module,
    images: Tensor,
    maps: Tensor,
    targets: Any = None,
    *,
    perturbation: str = "gaussian",
    samples: int = 50,
    sigma: float = 0.15,
    size: float = 0.25,
    reading: str = "gradient",
    fill: float | Tensor = 0.0,
    score: Score = logit,
    chunk: int = 8,
    seed: int = 0,
    index: Tensor | None = None,
) -> Infidelity:
    """``E_I[(I^T Phi - (f(x) - f(x - I)))^2]``. ``(B, C, H, W), (B, C or 1, H, W) -> (B,)`` each.

    Source: Yeh et al. 2019, arXiv:1901.09392, definition 2.1; beta as in the authors' code. Deviations: sigma is a share
    of each image's range, as in `smooth`; a map of one channel stands for all channels of its pixel.

    Args:
        maps: raw and signed, of `targets`.
        targets: int64 ``(B,)``; None = the predicted class.
        perturbation: "gaussian" noise I, or "square": I = x - fill in a square at a random place, 0 elsewhere.
        samples: perturbations of each image. sigma, size: of the noise and of the square's side.
        reading: "gradient" = I^T Phi; "attribution" = sum of Phi where I removes pixels, for maps times the input.
        fill: a number, ``(C, 1, 1)`` or a tensor like the images, in the model's units.
        chunk, seed, index: images per pass; noise comes from (seed, index).

    Raises:
        InputError: maps or options that do not fit.

    Example:
        >>> linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
        >>> linear[1].weight.data = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 0.0]])
        >>> found = infidelity(linear, torch.rand(1, 1, 2, 2), 3 * linear[1].weight.data[:1].reshape(1, 1, 2, 2))
        >>> found.agreement.round(decimals=3)
        tensor([1.], dtype=torch.float64)
    """
    options = Perturbing(perturbation, samples, sigma, size, reading)
    if maps.dim() != 4 or maps.shape[0] != len(images) or maps.shape[2:] != images.shape[2:]:
        raise InputError(
            f"infidelity got maps {tuple(maps.shape)} for images {tuple(images.shape)}; expected one an image"
        )
    private, parts, start = own(model), [], 0
    for count, batch in batches(private, images, targets, score, chunk, index):
        stack = maps[start : start + count]
        stack = torch.cat([stack, stack[-1:].expand(chunk - count, *stack.shape[1:])])
        foretold, change = products(private, batch, {"": stack}, options, score, like_inputs(fill, batch.x), seed)
        parts.append([v[:count] for v in errors_of(foretold[""], change)])
        start += count
    return Infidelity(*(torch.cat(column) for column in zip(*parts, strict=True)))


def products(
    model: nn.Module,
    batch: Batch,
    maps: Mapping[str, Tensor],
    options: Perturbing,
    score: Score,
    fill: Tensor,
    seed: int,
) -> tuple[dict[str, Tensor], Tensor]:
    """s of every map and d, ``(samples, B)`` float64; all maps meet the same perturbations, one held at a time."""
    before = scores(output(model, batch.x, score), score, batch.target).double()
    foretold: dict[str, list[Tensor]] = {name: [] for name in maps}
    change = []
    for x, gone in perturbed(batch, options, fill, seed):
        change.append(before - scores(output(model, x, score), score, batch.target).double())
        weight = (batch.x.double() - x.double()) if options.reading == "gradient" else gone
        for name, stack in maps.items():
            foretold[name].append((weight * stack.double()).flatten(1).sum(1))
    return {name: torch.stack(s) for name, s in foretold.items()}, torch.stack(change)


def errors_of(s: Tensor, d: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """raw, scaled and agreement of s, d ``(samples, B)``, each ``(B,)``; NaN where the map is not finite."""
    ss, sd, dd = (s * s).mean(0), (s * d).mean(0), (d * d).mean(0)
    beta = torch.where(ss == 0, torch.zeros_like(ss), sd / ss)
    found = ((s - d).square().mean(0), (beta * s - d).square().mean(0), sd / (ss * dd).sqrt())
    raw, scaled, agreement = (finite_or_nan(v) for v in found)
    return raw, scaled, agreement.clamp(-1, 1)
