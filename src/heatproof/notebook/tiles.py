"""Pictures of images and maps that stand in the HTML itself."""

from __future__ import annotations

from markupsafe import Markup

from ..plots._style import Array
from ..report.film import EXACT, data_uri, shrunk

SIDE = 144
"""Pixels of the larger side of a tile: larger pictures are averaged down, small ones enlarged as squares."""


def tile(picture: Array, alt: str) -> Markup:
    """A picture, uint8 ``(H, W, 3)``, with its text alternative. Its size is an attribute: styles may be gone."""
    small = max(picture.shape[:2]) <= EXACT
    image = shrunk(picture, SIDE)
    larger = max(1, round(0.7 * SIDE / max(image.size))) if small else 1
    return Markup('<img{} src="{}" alt="{}" width="{}" height="{}">').format(
        Markup(' class="pixelated"') if small else "", data_uri(image, small), alt, *(larger * n for n in image.size)
    )
