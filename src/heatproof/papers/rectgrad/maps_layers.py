"""What happens layer by layer: where attributions lie on their way to the input, and how often units fire where."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...engine.model import own
from ...engine.passes import INPUT, forward
from ...faithfulness.noise_level import noise_level
from ...rules.padding import padding_trick
from ...rules.rectgrad import RectGrad
from ...rules.threshold import Threshold
from ...score import logit
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .maps import CHUNK, strongest
from .maps_images import boxed_photos, boxes_of, scenes, shown

KINDS = ("Saliency Map", "Gradient * activation", "RectGrad")
DRAWN, FILTERS, LAYERS = 2, 8, 5
CONSTANT = 1e-6
"""Total variation over the sum: rounding leaves less."""
STROKE, BOX = 0.25, 1.0
"""Share of a cell that must be object: strokes are narrower than the cells of deep layers, boxes hold some background."""


def scene_layers(lab: Lab) -> Measured:
    """On scenes with digits, with boxes for the attributions and strokes for the activations."""
    found = scenes(lab.pick(60, 120, 1000))
    return _layers(lab, lab.network("scenes"), found.pixels, boxes_of(found), found.masks, STROKE)


def photo_layers(lab: Lab) -> Measured:
    """On SqueezeNet and photos with boxes; some layers and filters are kept as pictures."""
    photos, boxes = boxed_photos(lab, lab.pick(8, 17))
    model = lab.photo_net("squeezenet1_0")
    found = _layers(lab, model, photos.pixels, boxes, boxes, BOX)
    words = {"names": "\n".join(str(name) for name in photos.names[:DRAWN])}
    arrays = pictures(model, photos.pixels[:DRAWN].to(lab.device))
    return Measured(found.numbers, arrays | {"photos": shown(photos.take(range(DRAWN)))}, words)


def _layers(lab: Lab, model: nn.Module, x: Tensor, boxes: Tensor, objects: Tensor, share: float) -> Measured:
    """Numbers of attributions by layer (0 is the input) and kind, and of activations by layer."""
    noise: dict[str, list[Tensor]] = {kind: [] for kind in KINDS}
    fires = []
    for part, box, thing in zip(
        torch.split(x, CHUNK), torch.split(boxes, CHUNK), torch.split(objects, CHUNK), strict=True
    ):
        held = stages(model, part.to(lab.device))
        for kind, maps in held.items():
            noise[kind].append(torch.stack([_noise(m.cpu(), box) for m in maps], 1))
        fires.append([_firing(a.cpu(), thing, share) for a, _ in hidden(model, part.to(lab.device), None)[1:]])
    numbers: dict[str, Number] = {}
    for kind, parts in noise.items():
        outside, variation = torch.cat(parts, 2)
        start = rough(variation)
        numbers |= _growth(kind, "outside", outside[: start + 1]) | _growth(kind, "variation", variation[: start + 1])
        numbers[f"{kind}/start"] = Number(float(start))
    for layer, columns in enumerate(zip(*fires, strict=True), start=1):
        numbers |= _frequencies(layer, torch.cat(columns, 1))
    return Measured(numbers | {"layers": Number(float(len(fires[0])))})


def stages(model: nn.Module, x: Tensor) -> dict[str, list[Tensor]]:
    """Figure 6: the mean over channels of the attribution at the input and behind each ReLU, by kind."""
    plain, rect = hidden(model, x, None), hidden(model, x, 98.0)
    return {
        "Saliency Map": [r.mean(1, keepdim=True) for _, r in plain],
        "Gradient * activation": [(a * r).mean(1, keepdim=True) for a, r in plain],
        "RectGrad": [(a * r).mean(1, keepdim=True) for a, r in rect],
    }


def hidden(model: nn.Module, x: Tensor, q: float | None) -> list[tuple[Tensor, Tensor]]:
    """Value and arriving gradient of the predicted logit, at the input and at each ReLU with a height and a width.

    RectGrad with the padding trick for a percentile q; for None the plain gradient, which is PR3 with tau = 0: a > 0.
    """
    plain = q is None
    rules = RectGrad(
        Threshold(q or 0.0, 0.0 if plain else None), "pr3" if plain else "pr1", padding_trick(not plain), False
    )
    run = forward(own(model), x, logit, rules.rules(len(x)))
    taps = [rules.places[gate] for gate in rules.settle(run.out)]
    first, *grads = run.gradients(logit, run.target(logit, None), INPUT, *(tap.name for tap in taps))
    return [(x, first), *((tap.value, r) for tap, r in zip(taps, grads, strict=True) if tap.value.dim() == 4)]


def _noise(maps: Tensor, boxes: Tensor) -> Tensor:
    """Share of |map| outside the cells that a box touches over the share of such cells (1 is chance), and total variation
    over the sum of |map|. ``(2, N)``"""
    cells = F.adaptive_max_pool2d(boxes.float(), (maps.shape[2], maps.shape[3])) > 0
    found = noise_level(maps, cells)
    return torch.stack([found.outside_times, found.relative_variation])


def rough(variation: Tensor) -> int:
    """The deepest layer whose map is not the same everywhere, as the gradient is in front of an average over positions."""
    return max(layer for layer, values in enumerate(variation) if layer == 0 or bool((values > CONSTANT).any()))


def _growth(kind: str, what: str, noise: Tensor) -> dict[str, Number]:
    """By layer, from ``(L + 1, N)``, the input first; growth from the last layer to the input, and at each step."""
    name = f"{kind}/{what}"
    numbers = {f"{name}/{layer}": over(values) for layer, values in enumerate(noise)}
    numbers[f"{name}/growth"] = over(noise[0] - noise[-1])
    steps = (noise[:-1] / noise[1:]).log()
    finite = torch.where(steps.isfinite(), steps, torch.nan)
    return numbers | {f"{name}/step/{layer}": over(values) for layer, values in enumerate(finite)}


def _firing(a: Tensor, objects: Tensor, share: float) -> Tensor:
    """How often each filter fires on cells of the object and on those without any of it. ``(2, N, C)``, NaN: no cell."""
    cover = F.adaptive_avg_pool2d(objects.double(), (a.shape[2], a.shape[3]))
    active = (a > 0).double()
    where = torch.stack([cover >= share - 1e-9, cover == 0]).double()
    return (active * where).sum((3, 4)) / where.sum((3, 4))


def _frequencies(layer: int, fires: Tensor) -> dict[str, Number]:
    """Of one layer: how often its units fire on object and background, their ratio, and how alike filters are in both."""
    both = fires.nanmean(1)
    used = both.sum(0) > 0
    alike = float(torch.corrcoef(both[:, used])[0, 1])
    thing, back = fires.mean(2)
    ratio = (thing / back).log()
    return {
        f"fires/{layer}/object": over(thing),
        f"fires/{layer}/background": over(back),
        f"fires/{layer}/log ratio": over(torch.where(ratio.isfinite(), ratio, torch.nan)),
        f"fires/{layer}/alike": Number(alike if math.isfinite(alike) else float("nan")),
    }


def pictures(model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Maps of some layers, from the output to the input (figure 6), and the first filters of the same (figure 13)."""
    arrays: dict[str, Tensor] = {}
    for kind, maps in stages(model, x).items():
        arrays |= {f"map/{kind}/{i}": _halved(m) for i, m in enumerate(evenly(maps))}
    units = [a[:1, :FILTERS] for a, _ in hidden(model, x, None)[1:]]
    return arrays | {f"units/{i}": a.float() for i, a in enumerate(evenly(units))}


def evenly(layers: list[Tensor]) -> list[Tensor]:
    """The first, the last, and some between."""
    last = len(layers) - 1
    return [layers[round(i * last / LAYERS)] for i in range(LAYERS + 1)]


def _halved(maps: Tensor) -> Tensor:
    return strongest(maps.cpu()) if maps.shape[-1] > 200 else maps.float().cpu()
