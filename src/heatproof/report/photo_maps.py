"""A map as one grey picture that a page colours: magnitudes above, signed values below.

Grey, since colours would cost as much again, and lose in compression what the eye looks for; a page turns them into the
colours of `heatproof.plots.visualise` by an SVG filter, shows either half, and lays it over the photo.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from ..plots.visualise import absolute, diverging
from .film import EXACT, data_uri, shrunk

Array = np.ndarray[Any, Any]

SIDE = 320
"""Largest side of a photo and its maps, pixels: sharp where one fills half of a page."""
QUALITY = 60
"""Of their WebP: what it loses in noise is not seen under a scale of colours."""
SEAM = 2
"""Rows that repeat the edge of each half, so that neither shines into the other where they are enlarged."""
ZERO, REACH = 128, 127
"""Grey of zero and the distance from it to the strongest value, in the signed half."""


def encoded(saliency: Array, side: int = SIDE) -> str:
    """A data URI. ``(C, H, W)`` -> WebP of grey ``(2 h + 2 SEAM, w)``, max(h, w) at most `side`.

    Above ``sum_c |m|`` from 0 to 255, below ``sum_c m`` around 128, both divided as `absolute` and `diverging` do;
    undefined pixels are transparent.
    """
    magnitudes, signed = absolute(saliency), diverging(saliency)
    unknown = np.isnan(signed)
    grey = _joined([np.where(unknown, 0, 255 * magnitudes), np.where(unknown, 0, ZERO + REACH * signed)], side)
    if unknown.any():
        known = _joined([np.where(unknown, 0, 255)] * 2, side)
        grey = Image.merge("LA", (grey, known)).convert("RGBA")
    return data_uri(grey, max(saliency.shape[-2:]) <= EXACT, QUALITY)


def _joined(halves: list[Array], side: int) -> Image.Image:
    above, below = (np.asarray(shrunk(np.rint(half).astype(np.uint8), side)) for half in halves)
    return Image.fromarray(np.concatenate([above, *[above[-1:]] * SEAM, *[below[:1]] * SEAM, below]))
