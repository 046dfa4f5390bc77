"""Maps of RectGrad over the threshold: what q changes, and what tau is in each layer."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...faithfulness.noise_level import noise_level
from ...methods.rectgrad import rectgrad_layers
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .maps import CHUNK, explained, mapped, strongest
from .maps_images import boxed_photos, boxes_of, scenes, shown

QUANTILES = (0, 10, 20, 80, 90, 95, 99)
"""Those of figure 4."""
MIDDLE = (20, 50, 80)
TAU_ZERO, DRAWN = "tau = 0", 4
TOP = 0.1


def photo_sweep(lab: Lab) -> Measured:
    """Figure 4 on SqueezeNet and photos with boxes."""
    photos, boxes = boxed_photos(lab, lab.pick(8, 12, 17))
    maps, numbers = swept(lab, lab.photo_net("squeezenet1_0"), photos.pixels)
    words = {"names": "\n".join(str(name) for name in photos.names[:DRAWN])}
    arrays = {name: strongest(m[:DRAWN]) for name, m in maps.items()}
    arrays["photos"] = shown(photos.take(range(DRAWN)))
    return Measured(numbers | focus(maps, boxes), arrays, words)


def scene_sweep(lab: Lab) -> Measured:
    """The same on scenes with digits."""
    found = scenes(lab.pick(60, 120, 1000))
    maps, numbers = swept(lab, lab.network("scenes"), found.pixels)
    return Measured(numbers | focus(maps, boxes_of(found)))


def resnet_sweep(lab: Lab) -> Measured:
    """The same on the pretrained CIFAR-10 ResNet-20."""
    x, _ = lab.cifar_units(lab.pick(40, 80, 1000))
    return Measured(swept(lab, lab.resnet20(), x)[1])


def cifar_sweep(lab: Lab) -> Measured:
    """The same on the paper's CIFAR-10 network."""
    x, _ = lab.labelled("CIFAR10", "test", lab.pick(60, 120, 1000))
    return Measured(swept(lab, lab.network("cifar-clean"), x)[1])


def swept(lab: Lab, model: nn.Module, x: Tensor) -> tuple[dict[str, Tensor], dict[str, Number]]:
    """Maps for every threshold, with the padding trick and without a final threshold, and what tells them apart."""
    options = "padding_trick=True, final_threshold=False"
    wanted = {TAU_ZERO: f"rectgrad(tau=0.0, {options})"}
    wanted |= {f"q = {q}": f"rectgrad(q={q}, {options})" for q in sorted({*QUANTILES, *MIDDLE})}
    maps = explained(lab, model, x, wanted)
    numbers = {f"nonzero/{name}": over((m != 0).flatten(1).double().mean(1)) for name, m in maps.items()}
    guided = lab.method("guided_backprop")
    times = mapped(lab, model, x, {"guided": lambda net, part, target: guided(net, part, target) * part})["guided"]
    numbers |= {f"alike/guided/{q}": over(correlation(maps[f"q = {q}"], times)) for q in MIDDLE}
    pairs = [(80, 90), (90, 95), (95, 99), (80, 99)]
    for low, high in pairs:
        shares = [(maps[f"q = {q}"] != 0).flatten(1).double().mean(1) for q in (low, high)]
        numbers[f"sparser/{low} to {high}"] = over(shares[0] - shares[1])
    alike = {"20 to 80": ("q = 20", "q = 80"), "0 to 20": ("q = 0", "q = 20")}
    numbers |= {f"alike/{name}": over(correlation(maps[a], maps[b])) for name, (a, b) in alike.items()}
    numbers["region"] = over(in_region(maps["q = 99"], maps["q = 20"]))
    return maps, numbers | thresholds(model, x.to(lab.device), maps)


def thresholds(model: nn.Module, x: Tensor, maps: Mapping[str, Tensor]) -> dict[str, Number]:
    """Share of layers and images whose tau is exactly 0, and of the units that pass; maps whose every tau is 0, and those
    of them that are the map of tau = 0 bit for bit."""
    numbers = {}
    same, known = 0, 0
    for q in (0, *MIDDLE, 99):
        chunks = [rectgrad_layers(model, part, q=q, padding_trick=True) for part in torch.split(x, CHUNK)]
        tau = torch.cat([torch.stack([layer.tau for layer in layers]) for layers in chunks], 1)
        passed = torch.cat([torch.stack([layer.passed for layer in layers]) for layers in chunks], 1)
        numbers[f"zero/{q}"] = Number(float((tau == 0).double().mean()))
        numbers[f"layers/{q}"] = Number(float((tau == 0).all(1).double().sum()))
        numbers[f"passed/{q}"] = Number(float(passed.double().mean()))
        silent = (tau == 0).all(0).cpu()
        known += int(silent.sum())
        same += int((maps[f"q = {q}"] == maps[TAU_ZERO]).flatten(1).all(1)[silent].sum())
    counts = {"layers": len(tau), "tau 0 in all layers": known, "identical": same}
    return numbers | {name: Number(float(count)) for name, count in counts.items()}


def focus(maps: dict[str, Tensor], masks: Tensor) -> dict[str, Number]:
    """Share of |map| on the object by threshold, and what it gains from one to another."""
    inside = {name: 1 - noise_level(m, masks).outside_share for name, m in maps.items()}
    numbers = {f"inside/{name}": over(value) for name, value in inside.items()}
    numbers["inside/area"] = over(masks.flatten(1).double().mean(1))
    for low, high in ((0, 20), (80, 99)):
        numbers[f"gain/{low} to {high}"] = over(inside[f"q = {high}"] - inside[f"q = {low}"])
    return numbers


def correlation(a: Tensor, b: Tensor) -> Tensor:
    """Pearson's, map by map; NaN where one is zero everywhere. ``(N,)``"""
    x, y = (m.flatten(1).double() - m.flatten(1).double().mean(1, keepdim=True) for m in (a, b))
    found: Tensor = (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))
    return found


def in_region(sparse: Tensor, dense: Tensor) -> Tensor:
    """Share of |sparse| that lies on the tenth of the pixels where |dense| is highest. ``(N,)``"""
    high, size = dense.abs().flatten(1), sparse.abs().flatten(1).double()
    places = high.topk(round(TOP * high.shape[1]), dim=1).indices
    return size.gather(1, places).sum(1) / size.sum(1)
