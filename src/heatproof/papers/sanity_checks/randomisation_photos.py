"""Weights of pretrained ImageNet networks drawn again block by block (figures 2, 3, 4, 5 and 8 to 18), on photos."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ...experiment.results import Results
from ..lab import IMAGENET, Lab
from ..types import Measured
from .randomisation_audit import ABSOLUTE, SIGNED, gathered, named

PHOTOS = (
    "n01558993/robin.jpg", "n02096585/Boston_bull.jpg", "n01532829/house_finch.jpg", "n02105162/malinois.jpg",
)  # fmt: skip
METRICS = (SIGNED, ABSOLUTE, "ssim", "hog")
POOL = 2
"""Side of the squares that one point of a drawn map is the mean of."""


def mobilenet(lab: Lab) -> Measured:
    return of_photos(lab, "mobilenet_v2", seeds=lab.pick(1, 5, 5))


def squeezenet(lab: Lab) -> Measured:
    return of_photos(lab, "squeezenet1_0", seeds=lab.pick(1, 1, 5))


def texts(lab: Lab) -> dict[str, str]:
    few = lab.pick(3, 3, 50)
    return {
        "gradient": "gradient",
        "smoothgrad": f"smoothgrad(n={few})",
        "gradient_x_input": "gradient_x_input",
        "guided_backprop": "guided_backprop",
        "gradcam": "gradcam",
        "guided_gradcam": "guided_gradcam",
        "integrated_gradients": f"integrated_gradients(steps={few})",
    }


def of_photos(lab: Lab, net: str, seeds: int) -> Measured:
    """Cascading and independent, with batch-norm statistics measured again at each stage."""
    pixels, names = chosen(lab)
    given = net, lab.photo_net(net), pixels.to(lab.device), seeds
    results = audit_photos(lab, *given)
    found = gathered(results)
    fixed = gathered(audit_photos(lab, *given, classes="fixed", only=("gradcam",))).numbers
    kept = {f"fixed/{name}": n for name, n in fixed.items() if name.startswith("cascading/")}
    mean, std = (torch.tensor(IMAGENET[k])[:, None, None] for k in ("mean", "std"))
    photos = {f"photo/{i}": avg_pool2d(pixels[i] * std + mean, POOL) for i in range(3)}
    return Measured({**found.numbers, **kept}, {**photos, **drawn(results)}, {**found.words, "names": "\n".join(names)})


def audit_photos(
    lab: Lab,
    name: str,
    model: nn.Module,
    pixels: Tensor,
    seeds: int,
    classes: str = "predicted",
    only: tuple[str, ...] = (),
) -> Results:
    """classes: "predicted" explains each network's own class. only: methods on the cascade alone; else all on both."""
    methods = {n: text for n, text in texts(lab).items() if n in only or not only}
    checks = ("cascading",) if only else ("cascading", "independent")
    return lab.audit(
        f"{name}-{classes}", model, pixels, named(lab, methods), checks=checks, metrics=METRICS, classes=classes,
        seeds=seeds, nulls=lab.pick(2, 3, 5), stages=lab.pick(4, 4, 20), chunk=len(pixels), keep_maps="strips",
    )  # fmt: skip


def chosen(lab: Lab) -> tuple[Tensor, tuple[str, ...]]:
    """Birds and dogs, as the figures have; unreduced all photos."""
    held = lab.photos()
    few = [held.names.index(n) for n in PHOTOS if n in held.names]
    places = lab.pick(few, few, list(range(len(held))))
    return held.pixels[places], tuple(held.names[p] for p in places)


def drawn(results: Results) -> dict[str, Tensor]:
    """Maps of the first photo, "strip/PHOTO/CHECK/METHOD/VIEW"; of the others guided backprop alone."""
    found: dict[str, Tensor] = {}
    for s in results.strips:
        for method, maps in s.maps.items():
            if s.image == 0 or method == "guided_backprop":
                where = f"strip/{s.image}/{s.check}/{method}"
                found[f"{where}/absolute"] = _small(torch.from_numpy(maps).abs())
                if s.check == "cascading" and s.image == 0:
                    found[f"{where}/diverging"] = _small(torch.from_numpy(maps))
    return found


def _small(maps: Tensor) -> Tensor:
    """Channels summed, fewer points, the largest magnitude of each map 1: halves hold that."""
    pooled = avg_pool2d(maps.sum(1, keepdim=True), POOL)
    return (pooled / pooled.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-30)).half()
