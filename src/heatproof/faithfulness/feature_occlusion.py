"""Feature-map occlusion (RectGrad paper, section 3.2): what switching off units on the background or the object costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from ..engine.chunks import sample_generators
from ..engine.model import own
from ..errors import InputError
from ..score import logit, margin
from ..types import Score
from .activations import Units
from .kind import Batch
from .probe import batches, check_masks

ROWS = ("background", "object")


@dataclass(frozen=True)
class Occluding:
    """Options of feature-map occlusion."""

    layers: tuple[str, ...] = field(default=(), metadata={"help": "convolutions, by module path; all of the network"})
    trials: int = field(default=50, metadata={"help": "random orders"})
    steps: int = field(default=10, metadata={"help": "shares switched off, up to all"})
    average: str = field(
        default="margins", metadata={"help": "margins: mean of margins (paper); logits: of logits first (its code)"}
    )

    def __post_init__(self) -> None:
        if self.trials < 1 or self.steps < 1 or self.average not in ("margins", "logits"):
            raise InputError(
                f"trials={self.trials}, steps={self.steps}, average={self.average!r}; expected numbers from 1 on, and "
                "margins or logits"
            )
        if len(set(self.layers)) < len(self.layers):
            raise InputError(f"layers={self.layers}; give each layer once")

    @property
    def levels(self) -> tuple[float, ...]:
        return tuple(step / self.steps for step in range(self.steps + 1))


@dataclass(frozen=True)
class FeatureOcclusion:
    """By layer: margins ``(B, levels)`` float64, logit units, NaN where it has no unit on that side; and units that may be
    switched off, int64 ``(B,)``. levels: shares of these."""

    margins: Mapping[str, Tensor]
    units: Mapping[str, Tensor]
    levels: tuple[float, ...]


def feature_occlusion(
    model: nn.Module,
    images: Tensor,
    masks: Tensor,
    targets: Any = None,
    *,
    occlude: str = "background",
    layers: tuple[str, ...] = (),
    trials: int = 50,
    steps: int = 10,
    average: str = "margins",
    score: Score = logit,
    chunk: int = 8,
    seed: int = 0,
    index: Tensor | None = None,
) -> FeatureOcclusion:
    """Margin of the class as units of a layer are switched off at random places. ``(B, C, H, W), (B, 1, H, W)``.

    Units are all channels at the places where the mask, averaged over each place, is above one half ("object") or not
    ("background"); a growing share of them, exactly ``round(share * units)``, is set to 0 in a random order. Source: Kim et
    al. 2019, arXiv:1902.04893, section 3.2 and figure 3; deviation: masks are resized by area (the code: cubic).

    Args:
        masks: bool, True on the object.
        targets: int64 ``(B,)``; None = the predicted class.
        occlude: "background" or "object".
        layers: names as `layers_of` gives them; () = all.
        trials: random orders that are averaged. steps: shares between 0 and 1.
        average: "margins" = mean of margins; "logits" = margin of mean logits, which is at least as high, since the
            largest of means is at most the mean of the largest.
        chunk, seed, index: images per pass; orders come from (seed, index, layer).

    Raises:
        InputError: masks, layers or options that do not fit. NotApplicable: no convolution layer.
    """
    options = Occluding(tuple(layers), trials, steps, average)
    if occlude not in ROWS:
        raise InputError(f"occlude={occlude!r}; expected background or object")
    masks = check_masks(masks, images)
    private = own(model)
    network = Units(private)
    found: list[dict[str, tuple[Tensor, Tensor]]] = []
    for count, batch in batches(private, images, targets, score, chunk, index, masks):
        shapes = chosen(network.shapes(batch.x), options.layers)
        sides = {name: units_on(batch, shape, occlude) for name, shape in shapes.items()}
        curves = {name: margins_without(network, batch, name, side, options, seed) for name, side in sides.items()}
        found.append({name: (curves[name][:count], sides[name].flatten(1).sum(1)[:count]) for name in shapes})
    names = list(found[0])
    margins = {name: torch.cat([part[name][0] for part in found]) for name in names}
    units = {name: torch.cat([part[name][1] for part in found]) for name in names}
    return FeatureOcclusion(margins, units, options.levels)


def layers_of(model: nn.Module, x: Tensor) -> tuple[str, ...]:
    """Names of the layers that `feature_occlusion` can occlude, in call order.

    Example:
        >>> from heatproof.models.nets.rectgrad_cnn import RectGradCNN
        >>> layers_of(RectGradCNN().eval(), torch.zeros(1, 3, 32, 32))
        ('conv1', 'conv2', 'conv3', 'conv4')
    """
    return tuple(Units(model).shapes(x))


def chosen(shapes: Mapping[str, tuple[int, int, int]], layers: tuple[str, ...]) -> dict[str, tuple[int, int, int]]:
    """The layers asked for, all for none, or `InputError`."""
    if unknown := [name for name in layers if name not in shapes]:
        raise InputError(f"there is no layer {unknown[0]!r} to occlude; the network has {', '.join(shapes)}")
    return {name: shapes[name] for name in layers or shapes}


def units_on(batch: Batch, shape: tuple[int, int, int], occlude: str) -> Tensor:
    """Which units are on that side, bool ``(B, C, h, w)``."""
    if batch.masks is None:
        raise InputError("feature-occlusion needs masks, True on the object; give data that has them")
    here = adaptive_avg_pool2d(batch.masks.double(), shape[1:]) > 0.5
    return (here if occlude == "object" else ~here).expand(-1, shape[0], -1, -1)


def margins_without(network: Units, batch: Batch, layer: str, side: Tensor, options: Occluding, seed: int) -> Tensor:
    """Margins at every share, ``(B, levels)`` float64."""
    units = side.flatten(1).sum(1)
    first, last = ({layer: hidden} for hidden in (torch.zeros_like(side), side))  # any order is the same here
    outs = [[network.without(batch.x, first)], *([] for _ in options.levels[1:-1]), [network.without(batch.x, last)]]
    draws = sample_generators(seed, batch.index, len(side), f"occlusion/{layer}")
    for _ in range(options.trials if options.steps > 1 else 0):
        place = _places(side, draws)
        for share, found in zip(options.levels[1:-1], outs[1:-1], strict=True):
            count = (units * share).round()[:, None, None, None]
            found.append(network.without(batch.x, {layer: place < count}))
    curve = [_average(torch.stack(found).double(), batch.target, options.average) for found in outs]
    return torch.stack(curve, 1).masked_fill((units == 0)[:, None], torch.nan)


def _places(side: Tensor, draws: list[torch.Generator]) -> Tensor:
    """Place of every unit of the side in a random order, one past the last for all others. ``(B, C, h, w)`` int64."""
    total = side[0].numel()
    order = torch.stack([torch.randperm(total, generator=g) for g in draws]).to(side.device)
    inside = side.flatten(1).gather(1, order)
    rank = (inside.cumsum(1) - 1).masked_fill(~inside, total)
    return torch.empty_like(rank).scatter_(1, order, rank).reshape(side.shape)


def _average(outs: Tensor, target: Tensor, average: str) -> Tensor:
    """Margin over the orders of ``(orders, B, classes)``, ``(B,)``."""
    if average == "logits":
        return margin(outs.mean(0), target)
    return torch.stack([margin(out, target) for out in outs]).mean(0)
