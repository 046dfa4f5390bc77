"""Training-dataset occlusion (section 3.1, figures 2 and 7): the same patch of noise on all images."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...engine.model import all_outputs
from ...faithfulness.patch import MARGIN, SIZE, attribution_inside_patch, random_patch, with_patch
from ...score import logit
from ..lab import Lab
from ..numbers import over
from ..types import Measured, Number
from .noise import GRADIENT, RECTGRAD, maps_by_chunk, methods, taken

INNER = SIZE - MARGIN
SHOWN = 8
DRAWS = 5
SEEN = 0.5
"""Of the mean gradient outside the patch: what is as bright as that is seen beside it."""


def trainings(lab: Lab) -> Measured:
    """Test accuracy of the network without and with the patch, and what another patch changes."""
    images, targets = lab.labelled("CIFAR10", "test")
    clean = hits(lab.network("cifar-clean"), images, targets)
    model, patched = lab.network("cifar-patched"), with_patch(images, own_patch())
    occluded = hits(model, patched, targets)
    numbers = {"clean": over(clean), "patched": over(occluded), "lost": over(clean - occluded)}
    few = patched[: lab.pick(100, 1000, 10_000)]
    numbers |= {f"changed/{place}": share for place, share in changed(model, few).items()}
    return Measured(numbers)


def patched(lab: Lab) -> Measured:
    """Attribution inside the patch of every method (figure 7), and the gradient there (figure 2)."""
    images = lab.labelled("CIFAR10", "test", lab.pick(50, 200, 10_000))[0]
    model, x = lab.network("cifar-patched"), with_patch(images, own_patch())
    found = taken(model, x, methods(lab, 50), inside, 50)
    maps = shown(lab, model, x)
    drawn = {f"map/{name}": m[:SHOWN].float() for name, m in maps.items()}
    arrays = {**found.arrays, "images": (x[:SHOWN] + 1) / 2, **drawn}
    return Measured({**found.numbers, **nonzero(maps[GRADIENT])}, arrays, found.words)


def own_patch(seed: int = 0) -> Tensor:
    """The patch of the training set, and others, in [-1, 1]."""
    return random_patch(3, seed=seed) * 2 - 1


def hits(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    return (classes(model, images) == targets).double()


def classes(model: nn.Module, images: Tensor) -> Tensor:
    return all_outputs(model, images, logit, min(500, len(images))).argmax(1)


def changed(model: nn.Module, patched: Tensor) -> dict[str, Number]:
    """Share of images whose class another patch of noise changes: in place of the known one, and in the opposite corner."""
    before = classes(model, patched)
    found: dict[str, list[Tensor]] = {"patch": [], "opposite": []}
    for seed in range(1, DRAWS + 1):
        other = own_patch(seed)
        opposite = with_patch(patched.flip(2, 3), other.flip(1, 2)).flip(2, 3)
        for place, x in (("patch", with_patch(patched, other)), ("opposite", opposite)):
            found[place].append((classes(model, x) != before).double())
    return {place: over(torch.stack(draws)) for place, draws in found.items()}


def inside(maps: Tensor, how: str | None, rows: slice) -> tuple[Tensor, Tensor]:
    """The authors' signed sum inside the patch less its margin, and the share of |m| over that of the area. A `Read`."""
    found = attribution_inside_patch(maps, preprocess=how)
    return found.inside_signed, found.times


def shown(lab: Lab, model: nn.Module, x: Tensor) -> dict[str, Tensor]:
    """Maps of the gradient and of RectGrad."""
    both = {GRADIENT: lab.method("gradient"), RECTGRAD: lab.method("rectgrad")}
    parts = [maps for _, maps in maps_by_chunk(model, x, both, 50)]
    return {name: torch.cat([part[name] for part in parts]).cpu() for name in both}


def nonzero(gradient: Tensor) -> dict[str, Number]:
    """Share of the patch's pixels with a gradient that is not zero, by image; and of images in which it is seen."""
    size = gradient.abs().sum(1).double()
    corner = size[:, :INNER, :INNER]
    rest = (size.sum((1, 2)) - corner.sum((1, 2))) / (size[0].numel() - INNER**2)
    return {
        "nonzero": over((corner != 0).double().mean((1, 2))),
        "seen": over((corner.mean((1, 2)) > SEEN * rest).double()),
    }
