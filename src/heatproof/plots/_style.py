"""Colours, words and small helpers that every figure shares. Nothing here touches matplotlib's global settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..types import METHODS, spec_of

Array = np.ndarray[Any, Any]

INK = "#1f2329"
MUTED = "#656c76"
RULE = "#d5d9df"
CURVE = "#1259b8"
FLOOR = "#8a919b"
ZONE = "#d0561a"
PAPER = "#fefefd"

VERDICT_COLOURS = {
    "undefined": "#6b7280",
    "input-dominated": "#a3195c",
    "insensitive": "#cc4c0e",
    "undecided": "#927000",
    "sensitive": "#00785a",
}
"""Colour-blind safe with the direct labels beside them; no figure relies on the colour alone."""

METRIC_NAMES = {
    "spearman": "Spearman, signed",
    "spearman_abs": "Spearman, absolute",
    "spearman_support": "Spearman, absolute, where not zero",
    "ssim": "SSIM",
    "hog": "HOG",
}

CHECK_NAMES = {
    "cascading": "cascading randomisation",
    "reverse": "reverse cascading",
    "independent": "independent randomisation",
    "full": "full randomisation",
    "graded": "graded randomisation",
    "biases": "biases alone",
    "smooth": "smoothed maps",
    "labels": "label randomisation",
    "random_logit": "random logit",
}


def metric_name(metric: str) -> str:
    """How a metric is written for people.

    Example:
        >>> metric_name("ssim(preset='code')"), metric_name("my own")
        ('SSIM, preset code', 'my own')
    """
    name, _, options = metric.partition("(")
    if name not in METRIC_NAMES:
        return metric
    words = options.removesuffix(")").replace("=", " ").replace("'", "")
    return f"{METRIC_NAMES[name]}, {words}" if words else METRIC_NAMES[name]


def in_reading_order(metrics: Iterable[object]) -> list[str]:
    """Metrics without repetition as people read them: support-only after absolute, unknown ones last."""
    order = {metric: place for place, metric in enumerate(METRIC_NAMES)}
    return sorted(dict.fromkeys(map(str, metrics)), key=lambda m: order.get(m.partition("(")[0], len(order)))


def check_name(check: str) -> str:
    """How a check is written for people."""
    return CHECK_NAMES.get(check, check.replace("_", " "))


def is_control(method: str, config: Mapping[str, Any]) -> bool:
    """Whether a row of a run is a control, a map with no model in it: the run says so, or the method's `Spec` does."""
    known = METHODS.get(method.partition("(")[0])
    spec = spec_of(known) if known else None
    return method in (config.get("controls") or ()) or (spec is not None and not spec.uses_model)


def plain(text: object, limit: int = 0) -> str:
    """One line that fonts and XML can take: what cannot be printed is replaced, the middle of a long text left out."""
    line = "".join(c if c.isprintable() else "?" for c in " ".join(str(text).split()))
    if limit and len(line) > limit:
        tail = limit // 3
        line = line[: limit - tail - 1] + "…" + line[-tail:]
    return line


def write(target: Figure | Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text that is never read as mathematics: names of files and classes may hold ``$`` or a backslash."""
    target.text(x, y, text, **{"parse_math": False, "color": INK, "fontsize": 8, **style})


def save(figure: Figure, target: Any, **options: Any) -> None:
    """The figure as a file; letters that its font lacks are drawn as boxes, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(target, **options)


def fitted(text: str, width: float, largest: float) -> tuple[str, float]:
    """The text and the font size, points, at which it fits into ``width`` inches (DejaVu: about .6 em a letter)."""
    letters = width * 72 / 0.6
    smallest = 0.65 * largest
    text = plain(text, int(letters / smallest))
    return text, min(largest, letters / max(len(text), 1))


def tile(figure: Figure, box: tuple[float, float, float, float], image: Array) -> None:
    """Draw an image, uint8 ``(H, W, 3)``, into a box (left, bottom, width, height) given in inches from the corner."""
    width, height = figure.get_size_inches()
    left, bottom, wide, high = box
    axes = figure.add_axes((left / width, bottom / height, wide / width, high / height))
    axes.imshow(image)
    axes.set_axis_off()


def tile_size(picture: Array, side: float) -> tuple[float, float]:
    """Width and height, inches, of a tile for a picture ``(H, W, 3)`` whose larger side becomes ``side``."""
    high, wide = picture.shape[:2]
    return side * wide / max(wide, high), side * high / max(wide, high)
