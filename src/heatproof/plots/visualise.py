"""From a map to a picture of it: the one place where maps are normalised for the eye. Never used for a number."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import matplotlib
import numpy as np

from ..errors import InputError
from ._style import Array

View = Literal["absolute", "diverging"]

PERCENTILE = 99.5
"""Maps are divided by this percentile of their magnitudes: a maximum would let one outlier pixel darken the rest."""

_COLOURS = {"absolute": "magma", "diverging": "RdBu_r"}
_LEVELS = 257
"""Odd, so that zero of a diverging map has a colour of its own, the centre."""


def absolute(saliency: Array) -> Array:
    """How strongly each pixel counts, whatever the sign. ``(C, H, W) -> (H, W)`` in [0, 1].

    ``sum_c |m|`` divided by its 99.5 percentile and clipped (the magnitude view of Adebayo et al. 2018, with a
    percentile of magnitudes in place of min-max). Zero stays zero, and so does a map that is zero everywhere; pixels
    that are NaN or infinite become NaN.

    Example:
        >>> absolute(np.array([[[0.0, -2.0]], [[0.0, 2.0]]])).tolist()
        [[0.0, 1.0]]
    """
    return np.clip(_scaled(np.abs(_checked(saliency)).sum(0)), 0.0, 1.0)


def diverging(saliency: Array) -> Array:
    """What speaks for the class and what against it. ``(C, H, W) -> (H, W)`` in [-1, 1], positive = raises the score.

    ``sum_c m`` divided by the 99.5 percentile of its magnitude and clipped. Zero stays exactly zero (PAIR's version
    sends it to .5 and clips one side only); pixels that are NaN or infinite become NaN.

    Example:
        >>> diverging(np.array([[[0.0, -2.0, 1.0]], [[0.0, -2.0, 0.0]]])).round(2).tolist()
        [[0.0, -1.0, 0.25]]
    """
    return np.clip(_scaled(_checked(saliency).sum(0)), -1.0, 1.0)


def colour(saliency: Array, view: View) -> Array:
    """A map as an image. ``(C, H, W) -> uint8 (H, W, 3)``.

    Magnitudes run from black through purple to pale yellow (magma, perceptually uniform); signed maps from blue
    (lowers the score) through white (zero) to red (raises it). Undefined pixels are grey with diagonal stripes.
    """
    values = absolute(saliency) if view == "absolute" else diverging(saliency)
    unknown = np.isnan(values)
    position = np.where(unknown, 0.0, values if view == "absolute" else (values + 1) / 2)
    image: Array = _palette(view).take(np.rint(position * (_LEVELS - 1)).astype(np.intp), axis=0)
    if unknown.any():
        image[unknown] = _stripes(values.shape)[unknown]
    return image


def colours(maps: Array, view: View) -> Array:
    """Maps on one shared scale as images. ``(K, C, H, W) -> uint8 (K, H, W, 3)``.

    What `colour` does, with the 99.5 percentile of all maps together: a weak map looks weak beside a strong one.
    """
    count, channels, height, width = maps.shape
    stacked = maps.transpose(1, 0, 2, 3).reshape(channels, count * height, width)
    return colour(stacked, view).reshape(count, height, width, 3)


def natural_view(saliency: Array) -> View:
    """The view that hides nothing: diverging where any value is negative, absolute elsewhere."""
    return "diverging" if bool((saliency < 0).any()) else "absolute"


def palette(view: View, length: int = 96) -> Array:
    """The colours of a view from lowest to highest, uint8 ``(length, 3)``, to draw a colour key with."""
    return _palette(view)[np.linspace(0, _LEVELS - 1, length).astype(np.int64)]


@lru_cache
def _palette(view: View) -> Array:
    colours = matplotlib.colormaps[_COLOURS[view]].resampled(_LEVELS)
    return np.asarray(colours(np.arange(_LEVELS), bytes=True))[:, :3]


def _checked(saliency: Array) -> Array:
    saliency = np.asarray(saliency)
    if saliency.ndim != 3 or 0 in saliency.shape:
        raise InputError(f"a map of shape {saliency.shape} cannot be drawn; expected (C, H, W): one image, no batch")
    return np.where(np.isfinite(saliency), saliency, np.nan).astype(np.float64)


def _scaled(values: Array) -> Array:
    magnitudes = np.abs(values[np.isfinite(values)])
    if not magnitudes.size or magnitudes.max() == 0:
        return values
    # under one pixel in 200 may be non-zero: then the percentile is zero and the largest magnitude takes its place
    return values / (float(np.percentile(magnitudes, PERCENTILE)) or float(magnitudes.max()))


def _stripes(shape: tuple[int, ...]) -> Array:
    rows, columns = np.indices(shape)
    period = max(2, round(min(shape) / 8))
    dark = (rows + columns) // period % 2 == 0
    return np.where(dark[..., None], np.uint8(176), np.uint8(204)).astype(np.uint8).repeat(3, -1)
