"""Images with the maps of several methods beside them: `heatproof.show`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from ..data.images import ImageSet
from ..data.preprocess import Preprocess, as_picture, scales
from ..errors import InputError
from ..experiment.files import write_bytes
from ..plots._style import Array
from ..plots.tiles import tiles
from ..plots.visualise import View, colour, natural_view
from ..report.bench_parts import Head, Score, Scores
from ..report.export import Format, image
from ..report.words import count
from . import shows
from .fragment import Fragment, written
from .tiles import tile

KEYS = {
    "diverging": "Red raises the score, blue lowers it, white is zero.",
    "absolute": "From black, which is zero, to pale yellow: how much a pixel counts, whatever the sign.",
}


@dataclass(frozen=True, eq=False)
class Sheet:
    """Images and their maps as pictures, uint8 ``(H, W, 3)`` each; shows itself in a notebook.

    Attributes:
        images: one picture an image. titles: their names.
        maps: for each method one picture an image. views: how each method is drawn.
        left_out: how many images are not among them.
    """

    images: list[Array]
    titles: list[str]
    maps: dict[str, list[Array]]
    views: dict[str, View]
    left_out: int = 0

    _repr_html_ = shows("sheet")

    def __repr__(self) -> str:
        return f"Sheet({count(len(self.images), 'image')}, {', '.join(self.maps)})"

    def save(self, path: str | Path) -> Path:
        """The sheet as a figure; the ending says what kind of file.

        Raises:
            InputError: an ending other than .png, .pdf or .svg.
        """
        format: Any = Path(path).suffix.lower().removeprefix(".")
        if format not in get_args(Format):
            raise InputError(f"save({str(path)!r}): expected a name that ends in {', '.join(get_args(Format))}")
        rows = [[picture, *(maps[i] for maps in self.maps.values())] for i, picture in enumerate(self.images)]
        return write_bytes(Path(path), image(tiles(rows, self.titles, ["image", *self.maps]), format))


def show(
    images: Tensor | ImageSet,
    maps: Tensor | Mapping[str, Tensor],
    *,
    preprocess: Preprocess | None = None,
    view: View | None = None,
    overlay: float = 0.0,
    titles: Sequence[str] = (),
    most: int = 8,
) -> Sheet:
    """Images with maps beside them, as pictures: shown by a notebook, saved by `Sheet.save`. Never used for a number.

    Every map is divided by the 99.5 percentile of its own magnitudes, so that strengths of two maps cannot be compared.

    Args:
        images: ``(B, C, H, W)`` in the model's units, or what `heatproof.read_images` gives.
        maps: ``(B, C, H, W)`` or ``(B, 1, H, W)``, raw, as methods return them; or several of them by name.
        preprocess: whose mean and std are undone. None: pixels in [0, 1] are taken as they are, any other image is
            stretched from its own minimum to its maximum.
        view: "diverging" keeps signs, "absolute" shows magnitudes; None takes, for each method, the one that hides nothing.
        overlay: opacity of the map over the grey image, in (0, 1); 0 draws the map alone.
        titles: of the images; None takes their file names, or numbers.
        most: so many images are shown at most.

    Raises:
        InputError: shapes or options that do not fit.

    Example:
        >>> show(torch.rand(2, 3, 8, 8), {"gradient": torch.randn(2, 3, 8, 8)})
        Sheet(2 images, gradient)
    """
    stack = images.pixels if isinstance(images, ImageSet) else images
    named = dict(maps) if isinstance(maps, Mapping) else {"map": maps}
    _check(stack, named, view, overlay, most)
    shown = min(len(stack), most)
    photos = [
        images.picture(i) if isinstance(images, ImageSet) else _picture(stack[i], preprocess) for i in range(shown)
    ]
    known = images.names if isinstance(images, ImageSet) else [f"image {i}" for i in range(shown)]
    names = [*titles[:shown], *known[len(titles) : shown]]
    arrays = {name: m[:shown].detach().float().cpu().numpy() for name, m in named.items()}
    views: dict[str, View] = {name: view or natural_view(m) for name, m in arrays.items()}
    drawn = {
        name: [_over(photo, colour(m, views[name]), overlay) for photo, m in zip(photos, stack, strict=True)]
        for name, stack in arrays.items()
    }
    return Sheet(photos, names, drawn, views, len(stack) - shown)


def html(sheet: Sheet) -> str:
    """One row an image, one column a method."""
    rows = []
    for i, (name, picture) in enumerate(zip(sheet.titles, sheet.images, strict=True)):
        found = [Score(tile(maps[i], f"{method} map of {name}")) for method, maps in sheet.maps.items()]
        rows.append((name, False, [Score(tile(picture, name)), *found]))
    heads = [Head(name) for name in ("as the model sees it", *sheet.maps)]
    notes = [key for view, key in KEYS.items() if view in sheet.views.values()]
    notes += ["Each map has a scale of its own."]
    notes += [f"{count(sheet.left_out, 'more image')} not shown; see most=."] if sheet.left_out else []
    return written(Fragment("Maps", tables=[Scores("", "", heads, rows)], notes=[" ".join(notes)]))


def _picture(values: Tensor, preprocess: Preprocess | None) -> Array:
    if preprocess is not None and preprocess.mean is not None:
        return as_picture(values, *scales(preprocess, len(values)))
    unit = bool((values >= 0).all() and (values <= 1).all())
    return as_picture(values, *(((0.0,), (1.0,)) if unit else (None, None)))


def _over(photo: Array, picture: Array, opacity: float) -> Array:
    """A map over the grey photo."""
    if not opacity:
        return picture
    grey = photo.mean(2, keepdims=True)
    return np.asarray((opacity * picture + (1 - opacity) * grey).round(), np.uint8)


def _check(images: Tensor, maps: Mapping[str, Tensor], view: str | None, overlay: float, most: int) -> None:
    if images.dim() != 4 or not maps or most < 1:
        raise InputError(
            f"show(images of shape {tuple(images.shape)}, {count(len(maps), 'method')}, {most=}); expected images "
            "(B, C, H, W), maps of at least one method, and at least one image to show"
        )
    if view not in (None, *get_args(View)) or not 0 <= overlay < 1:
        raise InputError(
            f"show({view=}, {overlay=}); expected view None, {', '.join(get_args(View))}; overlay in [0, 1)"
        )
    batch, channels, *size = images.shape
    for name, found in maps.items():
        if not isinstance(found, torch.Tensor) or found.dim() != 4 or len(found) != batch or [*found.shape[2:]] != size:
            got = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise InputError(
                f"show(images, {{{name!r}: {got}}}); expected a tensor {(batch, channels, *size)} or {(batch, 1, *size)}, "
                "one map for each image"
            )
