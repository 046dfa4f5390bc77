"""Coherence of maps: on the object, and alike for images of one class; with and without the 95-percentile threshold."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...faithfulness.noise_level import noise_level
from ...faithfulness.rectgrad_code import percentile_cut
from ...plots.visualise import diverging
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .maps_images import boxed_photos, boxes_of, scenes, shown

RECTGRAD = "rectgrad(q=98, padding_trick=True, final_threshold=False)"
OURS = {"RectGrad": RECTGRAD, "RectGrad PRR": RECTGRAD.replace("q=98", "q=98, prr=True")}
SINGLE = ("Saliency Map", "Gradient * Input", "Epsilon-LRP")
COHERENT = ("SmoothGrad", "Guided Backpropagation", "Integrated Gradients", "DeepLIFT")
BASELINES = (*SINGLE, *COHERENT)
QUICK = ("Saliency Map", "Gradient * Input", "Guided Backpropagation")
VARIANTS = {
    "RectGradMod": RECTGRAD.replace("q=98", "q=98, rule='mod'"),
    "no padding trick": "rectgrad(q=98, final_threshold=False)",
}
DRAWN, SIDE, CHUNK, Q = 6, 12, 6, 98.0
"""Photos that are kept as pictures; cells across a digit's box; images a pass; the paper's percentile."""


def texts(lab: Lab) -> dict[str, str]:
    """Methods by the paper's names; RectGrad without its final threshold, as the paper draws it."""
    samples = lab.pick(10, 15, 50)
    return {
        "Saliency Map": "gradient", "Gradient * Input": "gradient_x_input", "Guided Backpropagation": "guided_backprop",
        "SmoothGrad": f"smoothgrad(n={samples})", "Integrated Gradients": f"integrated_gradients(steps={samples})",
        "Epsilon-LRP": "lrp(epsilon=0.0001)", "DeepLIFT": "deeplift", **OURS,
    }  # fmt: skip


def photo_maps(lab: Lab) -> Measured:
    """Where maps of SqueezeNet lie beside boxes of the object, and how they look."""
    photos, boxes = boxed_photos(lab, lab.pick(12, 17))
    maps = explained(lab, lab.photo_net("squeezenet1_0"), photos.pixels, texts(lab) | VARIANTS)
    arrays = {f"map/{name}": strongest(m[:DRAWN]) for name, m in maps.items() if name != "no padding trick"}
    arrays |= {f"cut/{name}": strongest(percentile_cut(maps[name][:DRAWN])) for name in BASELINES}
    numbers = places(maps, boxes) | appearances(maps)
    words = {"names": "\n".join(str(name) for name in photos.names[:DRAWN])}
    return Measured(numbers, arrays | {"photos": shown(photos.take(range(DRAWN)))}, words)


def scene_maps(lab: Lab) -> Measured:
    """The same on scenes with digits, and how alike maps of one digit are, box upon box."""
    found = scenes(lab.pick(60, 120, 1000))
    maps = explained(lab, lab.network("scenes"), found.pixels, texts(lab) | VARIANTS)
    numbers = places(maps, boxes_of(found))
    cut = {name: percentile_cut(maps[name]) if name in BASELINES else maps[name] for name in (*BASELINES, *OURS)}
    for kind, held in (("plain", maps), ("cut", cut)):
        alike = {name: class_likeness(held[name], found.boxes, found.targets) for name in (*BASELINES, *OURS)}
        single = torch.stack([alike[name] for name in SINGLE]).mean(0)
        numbers |= {f"{kind}/{name}/alike": over(value) for name, value in alike.items()}
        numbers |= {f"{kind}/{name}/alike gap": over(alike["RectGrad"] - alike[name]) for name in BASELINES}
        numbers |= {f"{kind}/{name}/alike over single": over(alike[name] - single) for name in COHERENT}
    pair = (found.targets == found.targets[0]).nonzero().flatten()[:2].tolist()
    pair += (found.targets == found.targets[1]).nonzero().flatten()[:2].tolist()
    arrays = {f"map/{name}": maps[name][pair] for name in (*BASELINES, *OURS)}
    return Measured(numbers, arrays | {"photos": found.pixels[pair]})


def mobile_maps(lab: Lab) -> Measured:
    """Where maps of MobileNetV2 lie beside boxes; the methods of one gradient each."""
    photos, boxes = boxed_photos(lab, 17)
    wanted = {name: text for name, text in texts(lab).items() if name in ("RectGrad", *QUICK)}
    return Measured(gaps(explained(lab, lab.photo_net("mobilenet_v2"), photos.pixels, wanted), boxes))


def explained(lab: Lab, model: nn.Module, x: Tensor, wanted: Mapping[str, str]) -> dict[str, Tensor]:
    """Maps of the predicted class, summed over colours as the paper draws them. ``(N, 1, H, W)`` each, on the CPU."""
    return mapped(lab, model, x, {name: lab.method(text) for name, text in wanted.items()})


def mapped(lab: Lab, model: nn.Module, x: Tensor, wanted: Mapping[str, Callable[..., Tensor]]) -> dict[str, Tensor]:
    """As `explained`, of methods."""
    with torch.no_grad():
        target = torch.cat([model(part.to(lab.device)).argmax(1) for part in torch.split(x, CHUNK)])
    found = {}
    for name, explain in wanted.items():
        parts = [
            explain(model, *pair)
            for pair in zip(torch.split(x.to(lab.device), CHUNK), torch.split(target, CHUNK), strict=True)
        ]
        found[name] = torch.cat(parts).detach().sum(1, keepdim=True).cpu()
    return found


def places(maps: Mapping[str, Tensor], masks: Tensor) -> dict[str, Number]:
    """Where maps lie, and what the variants of RectGrad change."""
    outside = {name: noise_level(maps[name], masks).outside_share for name in ("RectGrad", "RectGradMod")}
    return gaps(maps, masks) | _modified(maps, outside) | _techniques(maps)


def gaps(maps: Mapping[str, Tensor], masks: Tensor) -> dict[str, Number]:
    """Share of |map| outside the masks, as it is and after the baselines' threshold, and what RectGrad has less."""
    outside = {name: noise_level(m, masks).outside_share for name, m in maps.items()}
    numbers = {f"plain/{name}/outside": over(value) for name, value in outside.items()}
    numbers["area outside"] = over((~masks).flatten(1).double().mean(1))
    for name in (name for name in BASELINES if name in maps):
        cut = noise_level(percentile_cut(maps[name]), masks).outside_share
        numbers[f"cut/{name}/outside"] = over(cut)
        for kind, value in (("plain", outside[name]), ("cut", cut)):
            numbers[f"{kind}/{name}/outside gap"] = over(value - outside["RectGrad"])
    numbers["cut/RectGrad/outside"] = over(noise_level(percentile_cut(maps["RectGrad"]), masks).outside_share)
    near = F.max_pool2d(masks.float(), 5, 1, 2) > 0
    return numbers | {"near/RectGrad/outside": over(noise_level(maps["RectGrad"], near).outside_share)}


def _modified(maps: Mapping[str, Tensor], outside: Mapping[str, Tensor]) -> dict[str, Number]:
    """What RectGradMod has more than RectGrad: outside the object, and of negative sign."""
    names = ("RectGrad", "RectGradMod")
    against = {name: maps[name].clamp(max=0).abs().sum((1, 2, 3)) / maps[name].abs().sum((1, 2, 3)) for name in names}
    return {
        "mod gap": over(outside["RectGradMod"] - outside["RectGrad"]),
        "mod worse": over((outside["RectGradMod"] > outside["RectGrad"]).double()),
        "mod against gap": over(against["RectGradMod"] - against["RectGrad"]),
        **{f"against/{name}": over(value) for name, value in against.items()},
    }


def _techniques(maps: Mapping[str, Tensor]) -> dict[str, Number]:
    """What the padding trick and PRR change, and how sparse maps are."""
    rough = {name: noise_level(maps[name]).relative_variation for name in OURS}
    edge = {name: _border(maps[name]) for name in ("RectGrad", "no padding trick")}
    pixels = {name: _nonzero(maps[name]) for name in OURS}
    cut = {name: _nonzero(percentile_cut(maps[name], Q)) for name in BASELINES}
    return {
        "smoother": over(rough["RectGrad"] - rough["RectGrad PRR"]),
        **{f"roughness/{name}": over(value) for name, value in rough.items()},
        "border gap": over(edge["no padding trick"] - edge["RectGrad"]),
        **{f"border/{name}": over(value) for name, value in edge.items()},
        "border/chance": over(_border(torch.ones_like(maps["RectGrad"]))),
        **{f"nonzero/{name}": over(share) for name, share in (pixels | cut).items()},
        **{f"nonzero/{name}/times": over(pixels["RectGrad"] / share) for name, share in cut.items()},
    }


def _nonzero(maps: Tensor) -> Tensor:
    """Share of pixels that are not zero. ``(N,)``"""
    return (maps != 0).flatten(1).double().mean(1)


def _border(maps: Tensor) -> Tensor:
    """Share of |map| in the outermost twelfth of the image on each side. ``(N,)``"""
    size = maps.abs().double()
    edge = maps.shape[-1] // 12
    return 1 - size[..., edge:-edge, edge:-edge].sum((1, 2, 3)) / size.sum((1, 2, 3))


def appearances(maps: Mapping[str, Tensor]) -> dict[str, Number]:
    """How close the picture of appendix F.1 is to the one that heatproof draws, and how many maps it leaves blank."""
    numbers = {}
    for name in ("Saliency Map", "RectGrad"):
        theirs = [capped(one.numpy()) for one in maps[name]]
        alike = [_correlation(a, diverging(one.numpy())) for a, one in zip(theirs, maps[name], strict=True)]
        numbers[f"look/{name}"] = over(np.array(alike))
        numbers[f"blank/{name}"] = Number(float(np.mean([not a.any() for a in theirs])))
    return numbers


def capped(one: np.ndarray) -> np.ndarray:
    """Appendix F.1: the sum over colours, capped at its 0.5th and 99.5th percentiles. ``(C, H, W) -> (H, W)``."""
    s = one.sum(0)
    return np.asarray(np.clip(s, np.percentile(s, 0.5), np.percentile(s, 99.5)))


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1]) if a.any() and b.any() else float("nan")


def class_likeness(maps: Tensor, boxes: Tensor, targets: Tensor) -> Tensor:
    """Correlation of |map| in the object's box with those of the same class, less that with other classes. ``(N,)``

    Pseudo-values of the jackknife, whose mean and variance are those of the statistic: what one image has in common with
    all others is not independent of what they have.
    """
    cells = []
    for one, (top, left, bottom, right) in zip(maps.abs().double(), boxes.tolist(), strict=True):
        cells.append(F.adaptive_avg_pool2d(one[:, top:bottom, left:right], SIDE).flatten())
    alike = torch.corrcoef(torch.stack(cells)).nan_to_num()
    count = len(targets)
    rest = [torch.arange(count) != i for i in range(count)]
    without = torch.stack([_likeness(alike[keep][:, keep], targets[keep]) for keep in rest])
    return count * _likeness(alike, targets) - (count - 1) * without


def _likeness(alike: Tensor, targets: Tensor) -> Tensor:
    same = targets[:, None] == targets
    own = (same & ~torch.eye(len(targets), dtype=torch.bool)).double()
    other = (~same).double()
    return ((alike * own).sum(1) / own.sum(1) - (alike * other).sum(1) / other.sum(1)).nanmean()


def strongest(maps: Tensor) -> Tensor:
    """Half the size: of each 2 x 2 block the value of the largest magnitude, so that pictures stay as sparse or noisy."""
    blocks = F.unfold(maps.float(), 2, stride=2)
    best = blocks.abs().argmax(1, keepdim=True)
    return blocks.gather(1, best).reshape(len(maps), 1, maps.shape[2] // 2, maps.shape[3] // 2)
