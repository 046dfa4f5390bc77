"""Figures of the randomised networks: curves with floors, ours against published, film strips."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure

from ...plots.plates import Series, curves, photo_of, picture_of, points, tiles
from ..types import Measured, Number, Picture
from . import published
from .randomisation_audit import ABSOLUTE, SIGNED
from .randomisation_judges import METRIC, NAMES

SHOWN = (
    "gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "gradient_x_input",
    "ig_smoothgrad",
)  # fmt: skip
ROWS = ("gradient", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients",
        "gradient_x_input", "ig_smoothgrad", "vargrad")  # fmt: skip


PRODUCT_LIKE = ("guided_backprop", "gradient_x_input", "deeplift", "lrp")


def methods_of(found: Measured, check: str, metric: str, shown: Sequence[str] = SHOWN) -> list[str]:
    first = found.listed(f"places/{check}")[0]
    return [m for m in shown if f"{check}/{m}/{metric}/{first}" in found.numbers]


def curve(found: Measured, metric: str, check: str = "cascading", shown: Sequence[str] = SHOWN) -> Figure:
    """One curve for each method over the stages; of a cascade at the right end what random networks score."""
    places, ticks = found.listed(f"places/{check}"), found.listed(f"stages/{check}")
    alone = check == "independent"
    series = {}
    for m in methods_of(found, check, metric, shown):
        numbers = [_at(found, f"{check}/{m}/{metric}/{p}") for p in places]
        numbers += [] if alone else [Number(_at(found, f"floor/{m}/{metric}").value)]
        series[NAMES[m]] = Series.of([float(i) for i in range(len(numbers))], numbers)
    label = "the one layer that is drawn again" if alone else "layers drawn again, up to and with"
    return curves(series, y_label=METRIC[metric], x_label=label, ticks=ticks if alone else [*ticks, "floor"])


def _at(found: Measured, name: str) -> Number:
    return found.numbers.get(name, Number(float("nan")))


def against(found: Measured, net: str) -> Figure:
    """Our numbers over the published ones, absolute and signed."""
    groups = {}
    for word, metric, table in (
        ("absolute", ABSOLUTE, published.CASCADE_ABS),
        ("signed", SIGNED, published.CASCADE_SIGNED),
    ):
        pairs = [
            (theirs, found.value(f"cascading/{m}/{metric}/{i + 1}"))
            for m, values in table[net].items() for i, theirs in enumerate(values)
        ]  # fmt: skip
        groups[word] = (np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]))
    return points(groups, x_label="published", y_label="measured here", line=True)


def strip(found: Measured, check: str, view: str, shown: Sequence[str] = ROWS) -> Figure:
    """Methods by stages, the photo first; every map on a scale of its own."""
    names = [m for m in shown if f"strip/{check}/{m}" in found.arrays]
    first = photo_of(found.arrays["photo"])
    rows = [
        [
            first if r == 0 else None,
            *(drawn(found.arrays[f"strip/{check}/{m}"][s], view) for s in range(_count(found, check, m))),
        ]
        for r, m in enumerate(names)
    ]
    return tiles(rows, [NAMES[m] for m in names], ["image", "original", *found.listed(f"stages/{check}")])


def drawn(values: object, view: str) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    held = np.asarray(values)
    return picture_of(np.abs(held), "absolute") if view == "absolute" else picture_of(held, "diverging")


def _count(found: Measured, check: str, method: str) -> int:
    return len(found.arrays[f"strip/{check}/{method}"])


def of_networks(
    spots: Sequence[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]]],
    on: Mapping[str, str],
    cnn: str,
    mlp: str,
) -> tuple[Picture, ...]:
    """Pictures of the four small networks."""
    found: list[Picture] = []
    for name, top, bottom, strips in spots:
        found += [
            Picture(f"Cascading randomisation, {on[name]}: rank correlation with absolute values", "figures 4 and 20", name,
                    partial(curve, metric=ABSOLUTE), top),
            Picture(f"Cascading randomisation, {on[name]}: rank correlation with signs", "figures 4 and 20", name,
                    partial(curve, metric=SIGNED), bottom),
            *(Picture(f"Layer after layer drawn again, {on[name]}: {word}", "figures 26 to 35", name,
                      partial(strip, check="cascading", view=view), strips, photos=True)
              for word, view in (("magnitudes", "absolute"), ("signs", "diverging"))),
        ]  # fmt: skip
    return (*found, *_of_orders(cnn), *_of_tables(cnn, mlp))


def _of_orders(cnn: str) -> tuple[Picture, ...]:
    few = ("gradient", "guided_backprop", "gradcam", "guided_gradcam", "integrated_gradients", "vargrad")
    rows: tuple[tuple[str, str, Callable[[Measured], Figure], tuple[str, ...], bool], ...] = (
        ("One layer at a time drawn again, CNN on MNIST", "figure 21", partial(curve, metric=ABSOLUTE, check="independent"),
         ("S1-Fig21-mnist", "S4-Fig22-23"), False),
        ("One layer at a time drawn again, CNN on MNIST: maps", "figures 30 to 33",
         partial(strip, check="independent", view="diverging"), ("S1-Fig21-mnist",), True),
        ("Layers drawn again from the bottom up, CNN on MNIST", "older appendix, figure 28-A",
         partial(curve, metric=ABSOLUTE, check="reverse", shown=few), ("S4-Fig28-A",), False),
        ("DeepLIFT and epsilon-LRP under cascading randomisation, with signs", "older appendix, figure 28-C",
         partial(curve, metric=SIGNED, shown=PRODUCT_LIKE), ("S4-Fig28-C", "S4-Fig28-B"), False),
    )  # fmt: skip
    return tuple(Picture(title, source, cnn, draw, claims, photos) for title, source, draw, claims, photos in rows)


def _of_tables(cnn: str, mlp: str) -> tuple[Picture, ...]:
    return (
        Picture("Published and measured similarities, CNN on MNIST", "figure 20", cnn, partial(against, net="cnn"),
                ("S1-Fig20-table", "S1-Fig20-table-signed")),
        Picture("Published and measured similarities, MLP on MNIST", "figure 4", mlp, partial(against, net="mlp"),
                ("S1-Fig4-table-mlp", "S1-Fig4-table-mlp-signed")),
    )  # fmt: skip
