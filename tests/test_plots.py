"""Figures: what a map looks like, and that every figure can be drawn from what a run may leave."""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import synthetic_results
from heatproof.errors import InputError
from heatproof.experiment.results import Results
from heatproof.plots import (
    absolute,
    class_sheet,
    colour,
    combined,
    curves,
    diverging,
    efficient_bars,
    film_strip,
    kept_bars,
    noise_curves,
    planted_bars,
    sheet,
    similarity_bars,
)
from heatproof.plots._curve import Curve, curve_of
from heatproof.plots._select import checks_of, first_check
from heatproof.plots._style import INK, VERDICT_COLOURS, fitted, is_control, metric_name, plain
from heatproof.plots.classes import class_tiles
from heatproof.plots.combined import spread
from heatproof.plots.visualise import View, colours, natural_view
from heatproof.report.spark import spark
from heatproof.types import METHODS, Spec


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return synthetic_results.results(tmp_path_factory.mktemp("run"), size=20, photos=1)


def drawn(figure: Figure, format: str = "png") -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=format)
    return buffer.getvalue()


def texts(figure: Figure) -> str:
    found = [t.get_text() for t in figure.findobj(matplotlib.text.Text)]
    return "\n".join(found)


def test_magnitudes_are_divided_by_their_percentile_and_clipped() -> None:
    saliency = np.random.default_rng(1).normal(size=(3, 40, 50))
    total = np.abs(saliency).sum(0)
    expected = np.minimum(total / np.quantile(total, 0.995), 1)
    np.testing.assert_allclose(absolute(saliency), expected, rtol=1e-12)
    assert absolute(saliency).max() == 1


def test_one_outlier_does_not_darken_the_rest() -> None:
    saliency = np.random.default_rng(2).normal(size=(1, 40, 40))
    spoiled = saliency.copy()
    spoiled[0, 3, 3] = 1e6
    assert np.median(absolute(spoiled)) > 0.9 * np.median(absolute(saliency))


def test_signed_maps_keep_zero_sign_and_symmetry() -> None:
    saliency = np.random.default_rng(3).normal(size=(3, 30, 30))
    saliency[:, :10] = 0
    values = diverging(saliency)
    assert np.all(values[:10] == 0)
    assert np.array_equal(np.sign(values), np.sign(saliency.sum(0)))
    np.testing.assert_array_equal(diverging(-saliency), -values)
    assert values.min() == -1
    assert values.max() == 1


@pytest.mark.parametrize("view", ["absolute", "diverging"])
def test_a_zero_map_is_drawn_as_zero_and_a_sparse_one_is_not(view: View) -> None:
    zero, sparse = np.zeros((3, 30, 30)), np.zeros((3, 30, 30))
    sparse[0, 5, 7] = 2.5
    assert len(np.unique(colour(zero, view).reshape(-1, 3), axis=0)) == 1
    assert (colour(sparse, view) != colour(zero, view)).any(-1).nonzero() == (np.array([5]), np.array([7]))
    assert absolute(sparse)[5, 7] == diverging(sparse)[5, 7] == 1


@pytest.mark.parametrize("view", ["absolute", "diverging"])
def test_undefined_pixels_are_grey_stripes_and_leave_the_others_alone(view: View) -> None:
    saliency = np.random.default_rng(4).normal(size=(2, 32, 32))
    holed = saliency.copy()
    holed[1, 8:24, 8:24] = np.nan
    holed[0, 0, 0] = np.inf
    image = colour(holed, view)
    hole = image[8:24, 8:24].reshape(-1, 3)
    assert np.all(hole == hole[:, :1])
    assert len(np.unique(hole)) == 2
    assert np.isnan(diverging(holed)[0, 0])
    assert np.all(colour(np.full((3, 9, 9), np.nan), view).std(-1) == 0)
    assert image[:8, 1:].std(-1).max() > 0


def test_zero_of_a_signed_map_is_the_neutral_centre() -> None:
    image = colour(np.array([[[0.0, 1.0, -1.0]]]), "diverging").astype(int)
    assert image[0, 0].max() - image[0, 0].min() <= 2
    assert image[0, 0].min() > 240
    near = colour(np.array([[[0.0, 0.003, -0.003, 1.0, -1.0, 1.0]]]), "diverging")[0]
    assert np.all(near[:3] == near[0])
    assert image[0, 1, 0] > image[0, 1, 2]  # red raises the score
    assert image[0, 2, 2] > image[0, 2, 0]


def test_magnitudes_grow_brighter_step_by_step() -> None:
    image = colour(np.linspace(0, 1, 200)[None, None], "absolute").astype(float)[0]
    assert np.all(np.diff(image @ [0.2126, 0.7152, 0.0722]) > -0.8)


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 4, 4), (3, 0, 4)])
def test_a_map_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"expected \(C, H, W\)"):
        colour(np.zeros(shape), "absolute")


def test_the_natural_view_hides_no_sign() -> None:
    assert natural_view(np.ones((1, 2, 2))) == "absolute"
    assert natural_view(np.array([[[1.0, -1e-9]]])) == "diverging"


@pytest.mark.parametrize(
    ("count", "height", "width"), [(1, 28, 28), (3, 28, 28), (11, 299, 299), (16, 30, 90), (7, 64, 20)]
)
def test_a_sheet_holds_every_method_inside_the_page(count: int, height: int, width: int) -> None:
    rng = np.random.default_rng(count)
    maps = {f"method_{i}(steps=16, rule='midpoint')": rng.normal(size=(3, height, width)) for i in range(count)}
    photo = rng.integers(0, 255, (height, width, 3), dtype=np.uint8)
    figure = sheet(photo, maps, "tench.jpg: tench (97 %)", {"guided_backprop": "no ReLU in this model " * 9})
    drawn(figure)
    assert "tench (97 %)" in texts(figure)
    assert "guided_backprop was not computed: no ReLU" in texts(figure)
    boxes = [axes.get_position() for axes in figure.axes[: count + 1]]
    assert all(0 <= b.x0 < b.x1 <= 1 and 0 <= b.y0 < b.y1 <= 1 for b in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    size = figure.get_size_inches()
    for box in boxes:
        assert box.width * size[0] / (box.height * size[1]) == pytest.approx(width / height, rel=1e-6)


def test_a_sheet_names_every_method_over_its_own_map() -> None:
    maps = {"gradient": -np.ones((3, 8, 8)), "gradcam": np.ones((1, 8, 8))}
    figure = sheet(np.zeros((8, 8, 3), np.uint8), maps, "a")
    names = {t.get_text(): t.get_position() for t in figure.texts}
    for axes, name in zip(figure.axes, ["picture", "gradient", "gradcam"], strict=False):
        assert names[name][0] == pytest.approx(axes.get_position().x0)
        assert names[name][1] > axes.get_position().y1
    shown = [axes.images[0].get_array() for axes in figure.axes[:3]]
    np.testing.assert_array_equal(shown[1], colour(maps["gradient"], "diverging"))
    np.testing.assert_array_equal(shown[2], colour(maps["gradcam"], "absolute"))


def test_a_sheet_says_where_a_map_is_zero() -> None:
    """A black tile is a result (deconvnet on SqueezeNet), and must not look like a failure."""
    maps = {"deconvnet": np.zeros((3, 8, 8)), "gradient": np.ones((3, 8, 8))}
    said = " ".join(texts(sheet(np.zeros((8, 8, 3), np.uint8), maps, "a")).split())
    assert "deconvnet is zero everywhere" in said
    assert "gradient is zero" not in said


@pytest.mark.parametrize("picture", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((3, 4, 4), np.uint8)])
def test_a_sheet_refuses_a_picture_of_another_kind(picture: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected uint8 \(H, W, 3\)"):
        sheet(picture, {"gradient": np.ones((1, 4, 4))}, "title")


def test_a_sheet_without_a_map_lists_what_was_refused() -> None:
    photo = np.zeros((4, 4, 3), np.uint8)
    assert "no layer" in " ".join(texts(sheet(photo, {}, "title", {"gradcam": "no layer"})).split())
    with pytest.raises(InputError, match="nothing to draw"):
        sheet(photo, {}, "title")


def test_names_are_never_read_as_mathematics(run: Results) -> None:
    odd = "a $\\frac{ $^ \udcff\x00\n<b>"
    saliency = np.ones((1, 8, 8))
    strip = dataclasses.replace(run.strips[0], title=odd, stages=[odd], maps={odd: saliency[None]})
    named = dataclasses.replace(
        run, curves=run.curves.replace("gradient", odd), verdicts=run.verdicts.replace("gradient", odd)
    )
    figures = [sheet(np.zeros((8, 8, 3), np.uint8), {odd: saliency}, odd, {odd: odd}), film_strip(strip)]
    for figure in [*figures, curves(named, "spearman"), combined(named, "spearman")]:
        drawn(figure, "svg")
        assert "$\\frac{ $^ ?? <b>" in texts(figure)


@pytest.mark.parametrize("draw", [curves, combined])
def test_metrics_and_checks_are_never_read_as_mathematics(run: Results, draw: Callable[..., Figure]) -> None:
    odd = "a $\\frac{ $^ \udcff\x00\n<b>"
    tables = {name: getattr(run, name).replace({"spearman": odd, "cascading": odd}) for name in ("curves", "floors")}
    both = pd.concat([tables["curves"], tables["curves"].assign(check="reverse")])  # so that the check is named too
    figure = draw(dataclasses.replace(run, **{**tables, "curves": both}), odd, odd)
    drawn(figure, "svg")
    assert texts(figure).count("a $\\frac{ $^ ?? <b>") >= 2


def test_a_film_strip_has_a_tile_for_every_method_and_stage(run: Results) -> None:
    strip = run.strips[0]
    figure = film_strip(strip, ["gradient", "gradcam"], "diverging")
    assert len(figure.axes) == 2 * len(strip.stages)
    for place, saliency in enumerate([*strip.maps["gradient"], *strip.maps["gradcam"]]):
        np.testing.assert_array_equal(figure.axes[place].images[0].get_array(), colour(saliency, "diverging"))
    assert all(stage in texts(figure) for stage in strip.stages)
    assert len(film_strip(strip).axes) == len(strip.maps) * len(strip.stages)
    with pytest.raises(InputError, match="no film strip of \\['lrp'\\]"):
        film_strip(strip, ["gradient", "lrp"])


def test_curves_show_what_the_results_say(run: Results) -> None:
    figure = curves(run, "spearman_abs")
    titles = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert titles == list(run.verdicts["method"])
    axes = figure.axes[titles.index("guided_backprop")]
    rows = run.curves[(run.curves["method"] == "guided_backprop") & (run.curves["metric"] == "spearman_abs")]
    lines = [line.get_xydata() for line in axes.lines]
    assert any(np.array_equal(line, rows[["share", "mean"]].to_numpy()) for line in lines)
    assert any(len(line) == 2 and np.allclose(np.asarray(line)[:, 1], 0.41) for line in lines)
    zone = axes.collections[0 + 1].get_paths()[0].get_extents()
    assert (zone.x0, zone.x1, zone.y1) == (0.5, 1, 1)
    assert zone.y0 == pytest.approx(0.41 + 0.5 * 0.59)


def test_the_zone_follows_the_threshold_of_the_run(run: Results) -> None:
    strict = dataclasses.replace(run, config=run.config | {"thresholds": {"excess": 0.2}})
    axes = curves(strict, "spearman_abs").axes[list(run.verdicts["method"]).index("guided_backprop")]
    assert axes.collections[1].get_paths()[0].get_extents().y0 == pytest.approx(0.41 + 0.2 * 0.59)


def test_a_curve_that_nobody_measured_is_an_error(run: Results) -> None:
    with pytest.raises(InputError, match=r"metric='psnr'.*'hog', 'spearman'.*cascading"):
        curves(run, "psnr")
    with pytest.raises(InputError, match="check='reverse'"):
        combined(run, "spearman", "reverse")


def test_independent_stages_are_drawn_by_number(run: Results) -> None:
    other = run.curves.assign(check="independent", share=1 / 8)
    figure = combined(dataclasses.replace(run, curves=other), "spearman")
    assert figure.axes[0].get_xlabel() == "stage"
    assert figure.axes[0].get_xlim() == (0, 8)
    drawn(curves(dataclasses.replace(run, curves=other), "spearman"))


def test_the_combined_panel_names_each_line_at_its_end(run: Results) -> None:
    figure = combined(run, "spearman_abs")
    placed = {t.get_text(): t.get_position()[1] for t in figure.axes[0].texts}
    assert set(placed) == set(run.verdicts["method"]) - {"vanilla_custom"}  # never defined after stage 0
    heights = sorted(placed.values())
    assert min(np.diff(heights)) > 0.04
    ends = run.curves[(run.curves["metric"] == "spearman_abs") & (run.curves["stage"] == 8)].set_index("method")["mean"]
    assert sorted(placed, key=placed.__getitem__)[0] == "random_map"
    assert abs(placed["guided_backprop"] - ends["guided_backprop"]) < 0.05


def test_spread_keeps_order_gap_and_bounds() -> None:
    values = np.sort(np.random.default_rng(5).random(9)).tolist()
    placed = spread(values, 0.1, 0.0, 1.0)
    assert min(np.diff(placed)) > 0.1 - 1e-9
    assert placed[0] >= 0
    assert placed[-1] <= 1 + 1e-9
    assert spread([], 0.1, 0, 1) == []
    assert spread([0.2, 0.8], 0.1, 0, 1) == [0.2, 0.8]


def test_controls_are_known_from_the_run_or_from_their_spec(monkeypatch: pytest.MonkeyPatch) -> None:
    def blank(model: object, inputs: object, target: object = None) -> None: ...

    blank.__heatproof_spec__ = Spec(uses_model=False)  # type: ignore[attr-defined]
    monkeypatch.setitem(METHODS, "blank", blank)  # type: ignore[arg-type]
    assert is_control("blank(seed=3)", {})
    assert is_control("edges", {"controls": ["edges"]})
    assert not is_control("edges", {})


def test_long_names_keep_both_ends_and_fit() -> None:
    text, size = fitted("integrated_gradients(steps=16, baseline=0.0, rule='midpoint')", 1.7, 8)
    assert text.startswith("integrated_gradients")
    assert text.endswith("point')")
    assert len(text) * 0.6 * size <= 1.7 * 72 + 1e-9
    assert plain("a\n b\t\x07") == "a b ?"


def test_no_global_setting_changes(run: Results, tmp_path: Path) -> None:
    before = dict(matplotlib.rcParams)
    film_strip(run.strips[0], ["gradcam"]).savefig(tmp_path / "strip.pdf")
    combined(run, "ssim").savefig(tmp_path / "combined.svg")
    assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "strip.pdf").read_bytes().startswith(b"%PDF")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return synthetic_results.full_results(tmp_path_factory.mktemp("whole"), size=20, photos=1)


def bars_of(figure: Figure, panel: int) -> list[float]:
    return [bar.get_width() for bar in figure.axes[panel].patches]


def test_bars_are_as_long_as_the_numbers_and_ticks_stand_at_the_floor(whole: Results) -> None:
    figure = similarity_bars(whole, "labels", ["spearman", "spearman_abs"])
    names = [m for m in whole.verdicts["method"] if m != "vanilla_custom"]
    rows = whole.curves[(whole.curves["check"] == "labels") & (whole.curves["metric"] == "spearman_abs")]
    assert bars_of(figure, 1) == [float(v) for v in rows.set_index("method")["mean"][names]]
    ticks = [line.get_xdata()[0] for line in figure.axes[1].lines if line.get_color() == INK]
    assert ticks == [whole.floor(m, "spearman_abs", "labels")["floor"] for m in names]
    assert "undefined" in texts(figure)
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim()


def test_kept_bars_stand_beside_the_expected_share(whole: Results) -> None:
    figure = kept_bars(whole)
    assert bars_of(figure, 0) == [0.41, 0.2013, 0.19] * 2
    assert bars_of(figure, 1) == [0.83, 0.33, 0.31] * 2
    ticks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_color() == INK]
    assert ticks == [0.1998] * 6
    assert not [line for line in figure.axes[1].lines if line.get_color() == INK]  # no expectation of the magnitude
    assert "cgi: top block random" in texts(figure)


def test_entropy_and_planted_bars_show_every_method(whole: Results) -> None:
    assert bars_of(efficient_bars(whole), 0) == pytest.approx(list(whole.efficient["rise"]))
    figure = planted_bars(whole)
    rows = whole.planted.set_index("method").loc[[m for m in whole.verdicts["method"] if m != "vanilla_custom"]]
    for place, column in enumerate(("inside_own", "inside_other", "gain")):
        assert bars_of(figure, place) == list(rows[column])
    assert {line.get_xdata()[0] for line in figure.axes[0].lines if line.get_color() == INK} == {0.0625}
    words = [t for t in figure.axes[2].texts if t.get_text()]
    assert [t.get_text().strip() for t in words] == list(rows["moved"])
    assert {t.get_text().strip(): t.get_color() for t in words} == {
        "yes": VERDICT_COLOURS["sensitive"], "no": VERDICT_COLOURS["insensitive"], "unclear": VERDICT_COLOURS["undecided"]
    }  # fmt: skip


def test_the_noise_curves_have_a_panel_per_metric_and_a_tick_per_level(whole: Results) -> None:
    figure = noise_curves(whole)
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert titles[1:3] == ["Spearman, absolute", "Spearman, absolute, where not zero"]
    line = figure.axes[1].lines[0].get_xydata()
    np.testing.assert_array_equal(line, np.column_stack([range(6), [1, 0.98, 0.9, 0.7, 0.5, 0.46]]))
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["0", "0.1", "0.3", "1", "3", "10"]
    drawn(figure)


def test_tiles_of_a_class_sheet_share_one_scale(whole: Results) -> None:
    maps = np.stack([np.full((3, 6, 6), v) for v in (1.0, 0.25, -0.5)])
    images = colours(maps, "diverging")
    np.testing.assert_array_equal(images[1, 0, 0], colour(np.array([[[1.0, 0.25]]]), "diverging")[0, 1])
    assert len({tuple(i[0, 0]) for i in images}) == 3
    alone = colours(maps[1:2], "diverging")
    np.testing.assert_array_equal(alone[0], images[0])


def test_the_last_tile_is_the_competition_of_the_explained_class(whole: Results) -> None:
    sheet = whole.sheets[0]
    tiles = class_tiles(sheet, "gradient_x_input")
    both = np.concatenate([sheet.maps["gradient_x_input"], sheet.maps["cgi"][3:4]])
    np.testing.assert_array_equal(tiles, colours(both, "diverging"))
    assert len(class_tiles(sheet, "cgi")) == len(class_tiles(sheet, "gradcam")) == 10
    figure = class_sheet(sheet)
    assert len(figure.axes) == 1 + 11 + 10 + 10
    framed = [axes.axison for axes in figure.axes[1:12]]
    assert framed == [place == 3 for place in range(11)]
    assert "competition" in texts(figure)
    drawn(figure)


def test_panels_of_a_check_are_drawn_against_its_own_floor(whole: Results) -> None:
    for check in ("cascading", "smooth", "graded", "biases", "independent"):
        curve = curve_of(whole, "gradient", "spearman_abs", check)
        floor = whole.floor("gradient", "spearman_abs", check)["floor"]
        assert curve.floor is not None
        assert curve.floor[0] == floor
        assert (curve.zone is not None) == (check in ("cascading", "smooth"))  # the others judge nothing
    assert curve_of(whole, "gradient", "spearman_abs", "graded").x == synthetic_results.SHARES
    assert curve_of(whole, "gradient", "spearman_abs", "independent").x == list(range(1, 9))


def test_lines_without_any_verdict_have_no_colour_of_one(whole: Results) -> None:
    config = {**whole.config, "checks": ["graded", "independent"]}
    run = dataclasses.replace(whole, config=config, by_check=whole.by_check.iloc[:0])
    figure = combined(run, "spearman", "graded")
    assert not {line.get_color() for line in figure.axes[0].lines} & set(VERDICT_COLOURS.values())
    assert not any(verdict in texts(figure).split("\n") for verdict in VERDICT_COLOURS)


def test_metrics_with_options_are_written_for_people(whole: Results) -> None:
    assert metric_name("hog(correlation='spearman', cells=4)") == "HOG, correlation spearman, cells 4"
    names = {"hog": "hog(correlation='spearman')", "ssim": "ssim(preset='code')"}
    figure = noise_curves(dataclasses.replace(whole, calibration=whole.calibration.replace(names)))
    titles = [axes.get_title(loc="left") for axes in figure.axes[:5]]
    assert titles[3:] == ["SSIM, preset code", "HOG, correlation spearman"]


def test_axes_say_what_grows_from_left_to_right(whole: Results) -> None:
    for check, words in (("reverse", "from the input up"), ("graded", "new weights"), ("independent", "one at a time")):
        figure = combined(whole, "spearman", check)
        assert words in figure.axes[0].get_xlabel()
        assert check.split("_")[0] in figure.axes[0].get_title(loc="left")
    assert "features.2-3" in texts(figure)


def test_the_card_is_of_the_first_check_that_judges(whole: Results) -> None:
    assert first_check(whole) == "cascading"
    later = dataclasses.replace(whole, by_check=whole.by_check[whole.by_check["check"] == "smooth"])
    assert first_check(later) == "smooth"
    assert checks_of(later, staged=True)[0] == "smooth"
    nothing = dataclasses.replace(whole, by_check=whole.by_check.iloc[:0])
    turned = dataclasses.replace(nothing, curves=whole.curves[whole.curves["check"].isin(["independent", "reverse"])])
    turned = dataclasses.replace(turned, curves=turned.curves.sort_values("check"))
    assert turned.curves["check"].iloc[0] == "independent"
    assert first_check(turned) == "reverse"


def test_a_small_curve_breaks_where_a_stage_is_missing() -> None:
    missing = float("nan")
    means, lower, upper = [1, missing, 0.2], [1, missing, 0.1], [1, missing, 0.3]
    curve = Curve([0, 0.5, 1], means, lower, upper, 1, True, (0.2, 0.1, 0.3), (0.5, 0.6), False)
    text = spark(curve, 0, "a <b>")
    paths = dict(re.findall(r'class="([a-z-]+)" d="([^"]*)"', text))
    assert paths["l-curve"] == f"M26.0 {y(1)}M204.0 {y(0.2)}"
    assert paths["l-floor"] == f"M26.0 {y(0.2)}L204.0 {y(0.2)}"
    assert paths["l-zone"].startswith(f"M115.0 {y(0.6)}L204.0")
    assert "nan" not in text
    assert 'aria-label="a &lt;b&gt;"' in text


def y(value: float) -> str:
    return f"{110 - value / 1.04 * 104:.1f}"
