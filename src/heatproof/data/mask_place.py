"""A mask of a photo in the geometry of the model's input: the resize and crop that the photo went through."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from .decode import read_pixels
from .images import ImageSet
from .preprocess import Preprocess, prepare


def placed(mask: NDArray[np.bool_], preprocess: Preprocess, name: str) -> Tensor:
    """The mask after the resize (nearest pixel) and crop of its photo. ``(H, W)`` bool -> ``(1, h, w)`` bool.

    Through a preprocessing function goes the mask as a black and white picture; what comes out nearer to white than to
    black is object.
    """
    picture = np.where(mask, np.uint8(255), np.uint8(0))[:, :, None]
    if preprocess.function is None:
        plain = dataclasses.replace(preprocess, interpolation="nearest", mean=None, std=None, channels=1)
        return prepare(picture, plain, name) > 0.5
    shown, black, white = (prepare(p, preprocess, name) for p in (picture, picture * 0, picture * 0 + 255))
    if not (shown.shape == black.shape == white.shape and (white != black).any()):
        raise InputError(
            f"preprocess {preprocess.function} gives black and white pictures of the size of {name} the same values, so "
            "that a mask cannot follow it; give size, resize, mean and std instead"
        )
    return (shown - white).abs().sum(0, keepdim=True) < (shown - black).abs().sum(0, keepdim=True)


def check_same_geometry(images: ImageSet, preprocess: Preprocess) -> None:
    """Refuse a preprocessing that does not give the first photo again as it is in the set."""
    first = images.pixels[0]
    again = prepare(read_pixels(images.files[0].path), preprocess, images.names[0]) if images.files else first
    if again.shape[1:] != first.shape[1:] or not torch.allclose(again.expand_as(first), first, rtol=0, atol=1e-4):
        raise InputError(
            f"preprocess={preprocess} does not give {images.names[0]} as it is in the images, so that masks would not "
            "fit; give the preprocessing that the images were read with, one without chance in it"
        )
