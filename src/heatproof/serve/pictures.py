"""Maps and photos as pictures that stand in the page itself."""

from __future__ import annotations

import base64
import io
from typing import Any

from PIL import Image
from torch import Tensor

from ..plots._style import Array
from ..plots.visualise import View, colours

VIEWS: tuple[View, ...] = ("absolute", "diverging")


def tiles(maps: Tensor) -> list[dict[str, Any]]:
    """Both views of each map, all on one scale, so that a weak class looks weak beside a strong one. ``(K, C, H, W)``"""
    drawn = {view: colours(maps.numpy(), view) for view in VIEWS}
    return [
        {**{view: png_uri(drawn[view][k]) for view in VIEWS}, "empty": not bool(maps[k].any())}
        for k in range(len(maps))
    ]


def png_uri(image: Array) -> str:
    """A picture, uint8 ``(H, W, 3)``, as an address that needs no request."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=4)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
