"""The images of a bench with the masks that it measures against: photos, grids of photos, or scenes that have them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..data.grids import grids
from ..data.masks import Masks, has_masks, masks_for
from ..engine.model import all_outputs
from ..errors import InputError
from ..faithfulness.kind import Kind
from ..score import logit, predicted
from .inputs import Inputs


@dataclass(frozen=True)
class BenchData:
    """What a bench takes besides the model.

    Attributes:
        given: with the images that are measured.
        targets: int64 ``(N,)``; None for the predicted class.
        masks: bool ``(N, 1, H, W)`` or None.
        source: where the masks are from, "" where there are none.
        notes: what to say of them.
    """

    given: Inputs
    targets: Tensor | None
    masks: Tensor | None
    source: str = ""
    notes: tuple[str, ...] = ()


def bench_data(
    kind: Kind, given: Inputs, masks: str | None, count: int | None, target: Tensor | None, seed: int, chunk: int
) -> BenchData:
    """The images with masks where the bench uses them; images without one are left out. What is measured by class has the
    classes of its source.

    Args:
        masks: as `masks_for` takes them. count: of 2x2 grids to make of the photos, None for the photos themselves.

    Raises:
        InputError: masks or a target for a bench that has no use for them, or no masks for one that needs them.
    """
    if not kind.masks and (masks or count):
        raise InputError(f"bench {kind.name} has no use for {'--masks' if masks else '--grids'}; leave it out")
    if kind.by_class:
        return _by_class(kind, given, target)
    if count:
        return _gridded(given, masks, count, target, seed, chunk)
    if masks is None and not (kind.masks and has_masks(given.images)):
        if kind.masks == "needed":
            raise InputError(
                f"bench {kind.name} measures against masks of the object; give --masks (a csv with boxes, a folder of "
                "PNGs, beside, nonzero), --grids, or --data digits, the built-in scenes whose masks are known"
            )
        return BenchData(given, target, None)
    return _kept(given, masks_for(given.images, masks, given.loaded.preprocess), target)


def _by_class(kind: Kind, given: Inputs, target: Tensor | None) -> BenchData:
    """The images under their own classes: one class said of all of them would make each an image of it."""
    if target is not None:
        raise InputError(f"bench {kind.name} measures images of the classes that --pairs names; leave --target out")
    found = _classes(given)
    source = given.images.source
    whose = f"in {source}" if found is not None else f"as the model predicts it: {source} has none in its numbering"
    return BenchData(given, found, None, notes=(f"images are chosen by their class {whose}",))


def _classes(given: Inputs) -> Tensor | None:
    """The classes that the source gives its images, numbered as the model's outputs, ``(N,)``; None where unknown."""
    found, names = given.images, given.listed or given.loaded.categories
    if names and all(label in names for label in found.labels):
        return torch.tensor([names.index(str(label)) for label in found.labels])
    numbers = found.classes is None or all(name.isdigit() for name in found.classes)
    return found.targets if names is None or numbers else None


def _kept(given: Inputs, found: Masks, target: Tensor | None) -> BenchData:
    places = list(found.kept)
    images = given.images if len(places) == len(given.images) else given.images.take(places)
    chosen = None if target is None else target[places]
    return BenchData(replace(given, images=images), chosen, found.masks[places], found.source, found.notes)


def _gridded(given: Inputs, masks: str | None, count: int, target: Tensor | None, seed: int, chunk: int) -> BenchData:
    """Grids of photos of different predicted classes."""
    if masks or target is not None:
        raise InputError(
            "--grids makes its own masks and explains the class of one cell; leave --masks and --target out"
        )
    said = predicted(all_outputs(given.loaded.model, given.images.pixels, logit, chunk), logit).cpu()
    images, found, targets = grids(given.images, said, count, seed)
    return BenchData(replace(given, images=images), targets, found.masks, found.source, found.notes)
