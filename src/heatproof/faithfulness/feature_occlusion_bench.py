"""The bench "feature-occlusion": rows "background" and "object" for every layer of the network."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..checks.subject import Record
from ..engine.chunks import padded
from ..errors import InputError
from .activations import Units
from .feature_occlusion import ROWS, Occluding, chosen, margins_without, units_on
from .kind import Bench, Found, Kind, Measure, batch_of, rows
from .probe import logits_at


def work(bench: Bench, shard: list[int]) -> Record:
    """Rows "background" and "object" for every layer."""
    subject, options, batch = bench.subject, bench.options, batch_of(bench, shard)
    network, record = Units(subject.model), Record()
    shapes = chosen(network.shapes(batch.x), options.layers)
    for row in ROWS:
        found: Found = {}
        for layer, shape in shapes.items():
            side = units_on(batch, shape, row)
            curve = margins_without(network, batch, layer, side, options, subject.seed)
            found = {**found, **_numbers(layer, curve, side)}
        record.rows += rows(row, bench.kind, shard, found)
    return record


def _numbers(layer: str, curve: Tensor, side: Tensor) -> Found:
    """The curve, and what is lost of its start: with all units off, for each 1000 units, and for as many units of both
    sides as the smaller of the two has; NaN where that one has none."""
    units = side.flatten(1).sum(1).double()
    lost = curve[:, 0] - curve[:, -1]
    fewer = torch.minimum(units, side[0].numel() - units)
    equal = curve[:, 0] - _between(curve, fewer / units)
    found = {
        (f"lost_equal:{layer}", 0): equal.masked_fill(fewer == 0, torch.nan),
        (f"lost:{layer}", 0): lost,
        (f"lost_per_1000:{layer}", 0): lost / units * 1000,
    }
    return found | {(f"margin:{layer}", k): value for k, value in enumerate(curve.unbind(1), 1)}


def _between(curve: Tensor, share: Tensor) -> Tensor:
    """The curve of equal steps at a share of each row, on straight lines between its points. ``(B, L), (B,) -> (B,)``."""
    at = share.nan_to_num(0) * (curve.shape[1] - 1)
    low = at.floor().long().clamp(max=curve.shape[1] - 2)
    left, right = (curve.gather(1, (low + k)[:, None]).squeeze(1) for k in (0, 1))
    return left + (right - left) * (at - low)


def measures(options: Occluding) -> dict[str, Measure]:
    found: dict[str, Measure] = {}
    for layer in options.layers:
        found[f"margin:{layer}"] = Measure(f"margin with units of {layer} off, logit units", curve=True)
        found[f"lost_equal:{layer}"] = Measure(f"margin lost in {layer}, as many units on both sides, logit units")
        found[f"lost:{layer}"] = Measure(f"margin lost in {layer}, all units of the side, logit units")
        found[f"lost_per_1000:{layer}"] = Measure(f"margin lost in {layer} for each 1000 units off, logit units")
    return found


def prepare(bench: Bench) -> Bench:
    """The bench with the layers named that it occludes.

    Raises:
        InputError: no masks, or no such layer. ModelError: no logits. NotApplicable: no convolution layer.
    """
    subject, options = bench.subject, bench.options
    if bench.masks is None:
        raise InputError("feature-occlusion needs masks, True on the object; give data that has them")
    x = padded(subject.images[:1], subject.chunk)
    logits_at(subject.model, x)
    layers = chosen(Units(subject.model).shapes(x), options.layers)
    return replace(bench, options=replace(options, layers=tuple(layers)))


KIND = Kind(
    name="feature-occlusion",
    title="Feature-map occlusion",
    about="Units of a layer that lie on the background, or on the object, are switched off in random order. The margin "
    "(logit of the class less the largest other) falls more where the network uses what lies there. The two sides "
    "differ in size, so that the loss for as many units on both stands beside that for all.",
    source="Kim et al. 2019 (RectGrad), section 3.2, figure 3",
    work=work,
    options=Occluding,
    measures=measures,
    levels=lambda options: tuple(options.levels),
    axis="share of the side's units off",
    masks="needed",
    control="",
    rows=ROWS,
    prepare=prepare,
)
