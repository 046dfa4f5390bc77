"""What removed pixels become, by name: nothing is neutral, so a result should hold under more than one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

from ..engine.chunks import chunk_slices, normal_like, sample_generators
from ..errors import InputError
from ..perturb import blurred
from .road import road_imputed

FILLS = {
    "black": "black in pixel space (FullGrad paper)",
    "mean": "the data set's mean colour (the authors' code, ROAR)",
    "blur": "the image itself, Gaussian blur of a tenth of its shorter side",
    "noise": "uniform noise over each channel's own range in the image",
    "road": "weighted mean of the neighbours plus a little noise (ROAD)",
}
"""Every fill by name, and what it is."""
BLUR = 0.1
"""Standard deviation of the blur as a share of the shorter side. Fong & Vedaldi 2017 have 10 of 224, RISE about 3: both
leave a digit of 28 pixels readable."""
ROAD_NOISE = 0.01
"""Standard deviation of ROAD's noise as a share of the image's range; the authors: .01 for pixels in [0, 1]."""

Filler = Callable[[Tensor], Tensor]
"""Which pixels go, bool ``(B, 1, H, W)`` -> the images with those replaced, ``(B, C, H, W)``."""


def filler(
    fill: Any,
    images: Tensor,
    *,
    black: Tensor | float | None = None,
    mean: Tensor | None = None,
    seed: int = 0,
    index: Any = None,
) -> Filler:
    """What replaces pixels of these images ``(B, C, H, W)``; noise is drawn once, so all masks of an image share it.

    Args:
        fill: one of `FILLS`, a number or ``(C,)``, in the model's units.
        black: a black pixel in the model's units, ``(C,)`` or a number; None for 0.
        mean: of the data set, ``(C,)``; "mean" needs it.
        seed, index: noise comes from (seed, place in the data set); index int64 ``(B,)``, default 0 to B - 1.

    Raises:
        InputError: unknown name, a colour that does not fit, "mean" without a mean.

    Example:
        >>> filler(0.5, torch.ones(1, 1, 1, 2))(torch.tensor([[[[True, False]]]]))
        tensor([[[[0.5000, 1.0000]]]])
    """
    if not isinstance(fill, str):
        return _by(colour(fill, images), images)
    if fill not in FILLS:
        raise InputError(f"fill={fill!r}; expected a number, a (C,) tensor or one of {', '.join(FILLS)}")
    if fill == "black":
        return _by(colour(0.0 if black is None else black, images, "black"), images)
    if fill == "mean":
        return _by(colour(_needed(mean), images, "mean"), images)
    if fill == "blur":
        return _by(blurred(images, BLUR * min(images.shape[2:])), images)
    if fill == "noise":
        return _by(_uniform(images, seed, index), images)
    return _road(images, seed, index)


_MEANS: Any = WeakTensorKeyDictionary()


def mean_colour(images: Tensor) -> Tensor:
    """Mean over all images and pixels, ``(N, C, H, W) -> (C,)``, in their units; computed once for a tensor."""
    if (known := _MEANS.get(images)) is None:
        parts = [images[s].detach().cpu().double().sum((0, 2, 3)) for s in chunk_slices(len(images), 256)]
        pixels = images[:, 0].numel()
        known = _MEANS[images] = (torch.stack(parts).sum(0) / pixels).to(images)
    found: Tensor = known
    return found


def _by(value: Tensor, images: Tensor) -> Filler:
    return lambda removed: torch.where(removed, value, images)


def colour(given: Any, images: Tensor, name: str = "fill") -> Tensor:
    """A number or ``(C,)`` as ``(C or 1, 1, 1)`` like the images; `name` is what was given, for errors."""
    try:
        value = torch.as_tensor(given, dtype=images.dtype, device=images.device)
    except (TypeError, ValueError, RuntimeError):
        also = " or a name" if name == "fill" else ""
        raise InputError(f"{name}={given!r} is no colour; expected a number, a (C,) tensor{also}") from None
    if value.dim() > 1 or value.numel() not in (1, images.shape[1]) or not value.isfinite().all():
        raise InputError(
            f"{name} has shape {tuple(value.shape)} and values {value.flatten()[:4].tolist()}; expected a finite "
            f"number, or ({images.shape[1]},) for these images, in the model's units"
        )
    return value.reshape(-1, 1, 1)


def _needed(mean: Tensor | None) -> Tensor:
    if mean is None:
        raise InputError(
            "fill='mean' is the mean colour of the data set, which a batch does not tell; give the colour itself, such as "
            "fill=images.mean((0, 2, 3)) over all of it"
        )
    return mean


def _uniform(images: Tensor, seed: int, index: Any) -> Tensor:
    generators = sample_generators(seed, index, len(images), "fill")
    draws = torch.stack([torch.rand(images.shape[1:], generator=g) for g in generators]).to(images)
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return low + draws * (high - low)


def _road(images: Tensor, seed: int, index: Any) -> Filler:
    spread = images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)
    noise = ROAD_NOISE * spread * normal_like(images, sample_generators(seed, index, len(images), "road"))
    return lambda removed: torch.where(removed, road_imputed(images, removed) + noise, images)
