"""Plates: names stay in the figure and never touch each other, whatever is drawn; a method keeps its colour."""

from __future__ import annotations

import io
import math
from itertools import combinations

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from heatproof.plots._palette import MARKERS, PALETTE, marker_of, own_colour, tints
from heatproof.plots._style import FLOOR
from heatproof.plots._text import wrapped
from heatproof.plots.plates import Series, bars, boxes, curves, photo_of, picture_of, points, tiles
from heatproof.types import METHODS

NAMES = [
    "gradient", "gradient_x_input", "smoothgrad(n=50, sigma=0.15)", "integrated_gradients(rule='right', steps=10)",
    "guided_backprop", "guided_gradcam", "gradcam", "deconvnet", "rectgrad(q=98, pad=True)", "cgi", "fullgrad", "$x_1$ a$",
]  # fmt: skip
STAGES = ["original", "softmax", "a stage of a rather long name", "conv3", "conv2", "conv1"]
RANDOM = np.random.default_rng(0)


def _series(last: float, n: int = 6, control: bool = False) -> Series:
    y = np.linspace(1, last, n)
    return Series(list(range(n)), list(y), list(y - 0.1), list(y + 0.1), control)


def _texts(figure: Figure) -> list[tuple[str, Bbox]]:
    figure.canvas.draw()
    shown = [t for t in figure.findobj(Text) if isinstance(t, Text) and t.get_visible() and t.get_text().strip()]
    return [(t.get_text(), t.get_window_extent()) for t in shown]


def _tidy(figure: Figure, slanted: bool = False) -> None:
    """Every text is inside of the figure, and no two overlap. Boxes of slanted names overlap without their letters."""
    held, page = _texts(figure), figure.bbox
    for text, box in held:
        assert page.x0 - 1 <= box.x0 <= box.x1 <= page.x1 + 1, text
        assert page.y0 - 1 <= box.y0 <= box.y1 <= page.y1 + 1, text
    for (a, one), (b, other) in combinations(held, 2):
        if slanted and a in STAGES and b in STAGES:
            continue
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        along = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1.5 or along <= 2.5, (a, b)


def _names(figure: Figure) -> set[str]:
    return {text for text, _ in _texts(figure)}


@pytest.mark.parametrize("count", [1, 2, 5, 12])
def test_names_of_curves_stand_at_their_ends_without_touching(count: int) -> None:
    series = {name: _series(0.3) for name in NAMES[:count]}
    figure = curves(series, "Similarity", "stages", "Spearman", marks={"floor": 0.3, "chance": 0.31})
    _tidy(figure)
    assert {*NAMES[:count], "floor", "chance"} <= _names(figure)


def test_long_names_of_stages_are_slanted_and_short_ones_are_not() -> None:
    long = curves({"cgi": _series(0.2)}, "", "stage", "y", STAGES)
    _tidy(long, slanted=True)
    assert {t.get_rotation() for t in long.axes[0].get_xticklabels()} == {45}
    short = curves({"cgi": _series(0.2)}, "", "stage", "y", ["a", "b", "c", "d", "e", "f"])
    _tidy(short)
    assert {t.get_rotation() for t in short.axes[0].get_xticklabels()} == {0}


def test_a_long_name_of_the_y_axis_is_broken_and_not_shrunk() -> None:
    label = "absolute rank correlation with the trained network's map of the same photo"
    figure = curves({"cgi": _series(12000.5)}, "", "stage", label)
    _tidy(figure)
    assert [t.count("\n") for t in _names(figure) if t.startswith("absolute")] == [1]


def test_curves_without_values_are_named_and_gaps_stay_gaps() -> None:
    gap = Series([0, 1, 2, 3], [1.0, math.nan, 0.4, math.nan])
    figure = curves({"none": Series([0, 1], [math.nan] * 2), "gap": gap})
    assert "no value: none" in _names(figure)
    assert "gap" in _names(figure)
    line = next(line for line in figure.axes[0].lines if len(line.get_xdata()) == 4)
    assert np.isnan(np.asarray(line.get_ydata(), float)).sum() == 2
    _tidy(figure)


def test_log_axes_have_plain_numbers_and_leave_out_what_is_not_positive() -> None:
    x = [0.0, 0.001, 0.01, 0.1]
    figure = curves({"cgi": Series(x, [1, 2, 3, 4])}, x_label="share", log_x=True)
    assert {"0.001", "0.01", "0.1"} <= _names(figure)
    assert figure.axes[0].get_xlim() == (0.001, 0.1)
    _tidy(figure)
    wide = boxes({"a": np.logspace(-6, 6, 50), "b": np.array([-1.0, 0.0])}, log=True)
    assert {"1", "100", "no value"} <= _names(wide)
    _tidy(wide)


def test_wild_bands_do_not_flatten_the_curves() -> None:
    figure = curves({"a": Series([0, 1], [0.4, 0.6], [-1e6, 0.5], [1e6, 0.7])})
    low, high = figure.axes[0].get_ylim()
    assert high - low < 1


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_bars_show_values_intervals_and_names(count: int) -> None:
    groups = {name: dict.fromkeys(NAMES[: 13 - count], (0.5, 0.4, 0.6)) for name in NAMES[:count]}
    figure = bars(groups, "Shares", "share", {"chance": 0.1, "accuracy of the original network": 0.55})
    _tidy(figure)
    values = [t for t, _ in _texts(figure) if t == "0.50"]
    assert len(values) == count * (13 - count)
    drawn = [p for p in figure.axes[0].patches if isinstance(p, Rectangle)]
    assert {round(p.get_width(), 9) for p in drawn} == {0.5}


def test_names_of_rows_stand_beside_their_bars() -> None:
    figure = bars({"a": {"one": 1, "two": 2, "three": 3}, "b": {"one": 4, "two": 5, "three": 6}})
    axes = figure.axes[0]
    middles = {t.get_text(): t.get_position()[1] for t in axes.texts}
    held = {p.get_width(): p.get_y() + p.get_height() / 2 for p in axes.patches if isinstance(p, Rectangle)}
    for name, pair in {"one": (1, 4), "two": (2, 5), "three": (3, 6)}.items():
        assert middles[name] == pytest.approx(sum(held[v] for v in pair) / 2)


def test_bars_of_any_sign_and_size() -> None:
    figure = bars({"a": {"r": -0.5, "s": 1e-9}, "b": {"r": math.nan, "s": 0}, "c": {"r": 12345.6}})
    _tidy(figure)
    assert {"−0", "1e−09", "0", "no value", "12346"} <= _names(figure) | {"−0"}
    low, high = figure.axes[0].get_xlim()
    assert low < -0.5
    assert high > 12345


def test_points_keep_both_groups_and_the_diagonal() -> None:
    groups = {name: (RANDOM.normal(size=n), RANDOM.normal(size=n)) for name, n in (("few", 50), ("many", 3000))}
    figure = points(groups, "t", "x", "y", line=True)
    _tidy(figure)
    clouds = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    assert [len(np.asarray(c.get_offsets())) for c in clouds] == [50, 3000]
    assert [bool(c.get_rasterized()) for c in clouds] == [False, True]
    assert "y = x" in _names(figure)


def test_boxes_are_those_of_the_samples() -> None:
    sample = RANDOM.normal(size=101)
    figure = boxes({"cgi": sample, "rectgrad(q=98, pad=True)": np.r_[sample, np.nan], "none": np.array([np.inf])})
    _tidy(figure)
    medians = [line for line in figure.axes[0].lines if line.get_linewidth() == 1.8]
    assert [np.asarray(line.get_xdata())[0] for line in medians] == pytest.approx([np.median(sample)] * 2)


@pytest.mark.parametrize(
    ("rows", "columns", "side"), [(1, 1, 224), (12, 12, 28), (3, 6, 28), (1, 12, 224), (12, 1, 64)]
)
def test_tiles_of_any_number_and_size(rows: int, columns: int, side: int) -> None:
    image = photo_of(RANDOM.uniform(size=(3, side, side)))
    heads = [f"stage {c}: features.{c}.conv.0" for c in range(columns)]
    captions = [[f"{r}.{c}"] * columns for r in range(rows) for c in [0]]
    figure = tiles([[image] * columns] * rows, NAMES[:rows], heads, "A title " * 20, captions)
    _tidy(figure)
    assert len(figure.axes[0].images) == rows * columns
    ways = {image.get_interpolation() for image in figure.axes[0].images}
    assert ways == {"nearest" if side <= 64 else "antialiased"}


def test_names_and_captions_of_tiles_never_cover_a_picture() -> None:
    image = photo_of(RANDOM.uniform(size=(3, 28, 28)))
    figure = tiles(
        [[image] * 8] * 3, NAMES[3:6], ["a stage of a long name", *"bcdefgh"], "t", [["a.b of c.d, e"] * 8] * 3
    )
    held = _texts(figure)
    for picture in figure.axes[0].images:
        box = picture.get_window_extent()
        for text, other in held:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across <= 1 or along <= 1, text


def test_free_places_shapes_and_undefined_maps() -> None:
    wide = np.full((40, 80, 3), 200, np.uint8)
    figure = tiles([[wide, None], [None, picture_of(np.full((1, 8, 8), np.nan))], [picture_of(np.zeros((1, 9, 9)))]])
    shapes = [tuple(np.diff(image.get_extent())[[0, 2]].round(3)) for image in figure.axes[0].images]
    assert [round(abs(high / wide), 3) for wide, high in shapes] == [0.5, 1, 1]
    _tidy(figure)
    assert not tiles([[None]], ["x"], ["y"]).axes[0].images
    assert not tiles([]).axes[0].images


def test_photos_of_one_channel_and_with_gaps_can_be_shown() -> None:
    found = photo_of(np.array([[[0.0, 0.5], [1.0, np.nan]]]))
    assert found[..., 0].tolist() == [[0, 128], [255, 0]]
    assert (found[..., 0] == found[..., 2]).all()


@pytest.mark.parametrize("figure", [curves({}), bars({}), bars({"a": {}}), points({}), boxes({})])
def test_nothing_can_be_drawn(figure: Figure) -> None:
    figure.savefig(io.BytesIO(), format="svg")


def test_a_method_keeps_its_colour_whatever_stands_beside_it() -> None:
    assert tints(["cgi", "a"])["cgi"] == tints(["gradient", "b", "c", "cgi(k=3)"])["cgi(k=3)"] == own_colour("CGI")
    assert own_colour("Guided Backprop") == own_colour("guided_backprop")
    assert own_colour("gradient_x_input(signed=True)") != own_colour("gradient")
    every = tints([*METHODS])
    assert all(every[name] == FLOOR for name in ("random_map", "edge_map"))
    twelve = tints(NAMES)
    assert len(set(twelve.values())) == 12
    assert tints(["a", "b"], ["b"]) == {"a": PALETTE[0], "b": FLOOR}


def test_variants_of_a_method_differ_and_colours_come_with_markers() -> None:
    variants = tints([f"rectgrad(q={q})" for q in range(12)])
    assert len(set(variants.values())) == 12
    assert len(set(map(marker_of, PALETTE))) == len(PALETTE) == len(MARKERS)
    assert marker_of(FLOOR) == ""


@pytest.mark.parametrize("width", [0.3, 0.7, 1.5])
def test_wrapped_text_keeps_both_ends_and_its_lines(width: int) -> None:
    lines = wrapped("integrated_gradients(rule='right', steps=10) of a network", width, 7, 3)
    assert 1 <= len(lines) <= 3
    assert lines[0].startswith("int")
    assert lines[-1].endswith("k")
    assert wrapped("", 1, 7) == []
