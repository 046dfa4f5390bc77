"""The pictures of claims: drawings in the colours of the page, photos as pixels; one that fails says why."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import dataclass

from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from ..papers.types import Measured, Picture
from ..plots._palette import BROWN, CRIMSON, LILAC, LIME, PURPLE, SKY, TEAL
from .svg import inline_svg

DPI = 180
"""Of pictures made of photos: sharp at twice the size of a small screen."""
SCREEN = 128
"""Pixels of a page for an inch of a figure: 7.2 inches fill a column."""
COLOURS = {TEAL: "teal", PURPLE: "purple", BROWN: "brown", CRIMSON: "crimson", LIME: "lime", SKY: "sky", LILAC: "lilac"}
"""Beyond those that every page has."""


@dataclass(frozen=True)
class Drawn:
    """A picture for the page: lines (``svg``), or pixels (``uri``), or why there is neither (``problem``).

    Attributes:
        width, height: on the page, in its pixels.
    """

    width: int = 0
    height: int = 0
    svg: str = ""
    uri: str = ""
    problem: str = ""


def drawn(picture: Picture, found: Measured, prefix: str, label: str) -> Drawn:
    """A picture as HTML can hold it.

    Args:
        prefix: put before every id of a drawing. label: the text alternative of a drawing.
    """
    try:
        figure = picture.draw(found)
        width, height = (round(SCREEN * float(side)) for side in figure.get_size_inches())
        if picture.photos:
            return Drawn(width, height, uri=pixels(figure))
        return Drawn(width, height, svg=lines(figure, prefix, label))
    except Exception as error:  # a picture that fails must not lose the page with all the others
        return Drawn(problem=f"{type(error).__name__}: {error}")


def lines(figure: Figure, prefix: str, label: str) -> Markup:
    """A drawing whose colours follow the page, light or dark."""
    svg = inline_svg(figure, prefix, label)
    return Markup(re.sub("|".join(COLOURS), lambda colour: f"var(--{COLOURS[colour[0]]})", svg))


def pixels(figure: Figure) -> str:
    """A figure as WebP in a data URI; without loss where that costs little, as for small maps."""
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DPI, pil_kwargs={"compress_level": 1})
    image = Image.open(held).convert("RGB")
    exact, near = _webp(image, lossless=True), _webp(image, lossless=False)
    data = exact if len(exact) < 1.5 * len(near) else near
    return "data:image/webp;base64," + base64.b64encode(data).decode("ascii")


def _webp(image: Image.Image, lossless: bool) -> bytes:
    held = io.BytesIO()
    image.save(held, "WEBP", lossless=lossless, quality=20 if lossless else 82, method=2)
    return held.getvalue()
