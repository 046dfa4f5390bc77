"""Images whose object is known: photos with boxes, and scenes with digits."""

from __future__ import annotations

import torch
from torch import Tensor

from ...data.digits import Scenes, digit_scenes
from ...data.images import ImageSet
from ...data.masks import masks_for, smaller_than
from ...data.preprocess import Preprocess
from ..lab import IMAGENET, Lab

LARGEST = 0.25
"""Of an image: larger objects leave little background to be wrong on."""


def boxed_photos(lab: Lab, limit: int | None = None) -> tuple[ImageSet, Tensor]:
    """Photos whose boxes cover less than a quarter, evenly from all of them, and the boxes ``(N, 1, 224, 224)`` bool."""
    photos = lab.photos()
    found = masks_for(photos, lab.data / "imagenet-samples" / "images.csv", _preprocess())
    places = smaller_than(found, LARGEST)
    if limit is not None and limit < len(places):
        places = [places[i * len(places) // limit] for i in range(limit)]
    return photos.take(places), found.masks[places]


def scenes(count: int) -> Scenes:
    """Digit scenes that the network has not seen."""
    return digit_scenes("test", count, 0)


def boxes_of(found: Scenes) -> Tensor:
    """The boxes of the digits as masks ``(N, 1, H, W)`` bool."""
    masks = torch.zeros_like(found.masks)
    for mask, (top, left, bottom, right) in zip(masks, found.boxes.tolist(), strict=True):
        mask[0, top:bottom, left:right] = True
    return masks


def shown(photos: ImageSet) -> Tensor:
    """Photos in [0, 1] ``(N, 3, H, W)``, halved, as pictures draw them."""
    mean, std = (torch.tensor(IMAGENET[k])[:, None, None] for k in ("mean", "std"))
    return torch.nn.functional.avg_pool2d((photos.pixels * std + mean).clamp(0, 1), 2)


def _preprocess() -> Preprocess:
    return Preprocess(224, 256, IMAGENET["mean"], IMAGENET["std"])
