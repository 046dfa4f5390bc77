"""Similarities of maps against scipy and scikit-image, and the cases that those do not settle."""

from __future__ import annotations

import math
import pickle
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata, spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.testing import assert_close

from heatproof.errors import InputError
from heatproof.similarity import hog_similarity, spearman, ssim, support_spearman, zero_share
from heatproof.similarity.comparison import read
from heatproof.similarity.correlation import RADIX, Rows, deviations, ranks
from heatproof.similarity.hog import _orientations, hog_features
from heatproof.similarity.maps import Pixels, in_chunks, row_sums
from heatproof.similarity.metrics import KINDS, Metric, metric_from_text, named_metrics
from heatproof.similarity.normalise import NORMALISATIONS
from heatproof.similarity.spearman import ZERO_PATTERN_NULL, ZERO_SHARE

Array = np.ndarray[Any, Any]
Similarity = Callable[..., Tensor]

METRICS: dict[str, Similarity] = {
    "spearman": spearman,
    "spearman_abs": lambda a, b: spearman(a, b, absolute=True),
    "support": support_spearman,
    "ssim": ssim,
    "ssim_code": lambda a, b: ssim(a, b, preset="code"),
    "hog": hog_similarity,
    "hog_spearman": lambda a, b: hog_similarity(a, b, correlation="spearman"),
    "ssim_percentile": lambda a, b: ssim(a, b, normalise="percentile"),
    "ssim_second_moment": lambda a, b: ssim(a, b, normalise="second_moment"),
    "ssim_code_percentile": lambda a, b: ssim(a, b, preset="code", normalise="percentile"),
    "ssim_code_second_moment": lambda a, b: ssim(a, b, preset="code", normalise="second_moment"),
    "hog_percentile": lambda a, b: hog_similarity(a, b, normalise="percentile"),
    "hog_second_moment": lambda a, b: hog_similarity(a, b, normalise="second_moment"),
}
each_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


def maps(*shape: int, seed: int = 0, kind: str = "noise", dtype: torch.dtype = torch.float64) -> Tensor:
    """Noise; with zeros in 60 % of the pixels; or whole numbers of 5 values."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(*shape, generator=generator, dtype=torch.float64)
    if kind == "sparse":
        values = values * (torch.rand(*shape, generator=generator) > 0.6)
    if kind == "ties":
        values = values.round().clamp(-2, 2)
    return values.to(dtype)


def pair(*shape: int, kind: str = "noise", dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    """Two related stacks of maps."""
    a, b = maps(*shape, kind=kind), maps(*shape, seed=1, kind=kind)
    return a.to(dtype), (a + b).to(dtype)


def by_scipy(a: Tensor, b: Tensor, absolute: bool = False) -> Tensor:
    rows = [(m.double().abs() if absolute else m.double()).sum(1).flatten(1).numpy() for m in (a, b)]
    return torch.tensor([spearmanr(x, y).statistic for x, y in zip(*rows, strict=True)], dtype=torch.float64)


def unit(m: Array) -> Array:
    return (m - m.min()) / (m.max() - m.min())


def by_skimage_ssim(a: Tensor, b: Tensor, preset: str = "paper") -> Tensor:
    options: dict[str, Any] = {"win_size": 5, "data_range": 1.0}
    if preset == "code":
        options = {"gaussian_weights": True, "use_sample_covariance": True, "data_range": 2.0, "channel_axis": 0}
    else:
        a, b = a.double().sum(1), b.double().sum(1)
    pairs = zip(a.double().numpy(), b.double().numpy(), strict=True)
    return torch.tensor([structural_similarity(unit(x), unit(y), **options) for x, y in pairs], dtype=torch.float64)


def by_skimage_hog(a: Tensor, b: Tensor, cell: int, block: int, rank: bool = False) -> Tensor:
    out = []
    for x, y in zip(a.double().sum(1).numpy(), b.double().sum(1).numpy(), strict=True):
        f, g = (hog(m / np.abs(m).max(), pixels_per_cell=(cell, cell), cells_per_block=(block, block)) for m in (x, y))
        out.append(spearmanr(f, g).statistic if rank else np.corrcoef(f, g)[0, 1])
    return torch.tensor(out, dtype=torch.float64)


class TestSpearman:
    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    @pytest.mark.parametrize("absolute", [False, True])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_equals_scipy(self, kind: str, absolute: bool, dtype: torch.dtype, channels: int) -> None:
        a, b = pair(5, channels, 17, 13, kind=kind, dtype=dtype)
        assert_close(spearman(a, b, absolute), by_scipy(a, b, absolute), rtol=0, atol=1e-12)

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=40), st.booleans())
    def test_equals_scipy_with_many_ties(self, values: list[tuple[int, int]], absolute: bool) -> None:
        a, b = (torch.tensor(v, dtype=torch.float32).view(1, 1, 1, -1) for v in zip(*values, strict=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scipy warns of constant input
            expected = by_scipy(a, b, absolute)
        assert_close(spearman(a, b, absolute), expected, rtol=0, atol=1e-12, equal_nan=True)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_ties_take_average_ranks(self, dtype: torch.dtype) -> None:
        a, b = (torch.tensor(v, dtype=dtype).view(1, 1, 2, 2) for v in ([1, 2, 2, 3], [1, 2, 3, 4]))
        assert spearman(a, b).item() == pytest.approx(4.5 / math.sqrt(22.5), abs=1e-15)

    def test_negative_zero_ties_with_zero(self) -> None:
        a = torch.tensor([-1.0, -0.0, 0.0, 2.0]).view(1, 1, 2, 2)
        b = torch.tensor([1.0, 2.0, 3.0, 4.0]).view(1, 1, 2, 2)
        for dtype in (torch.float32, torch.float64):
            assert spearman(a.to(dtype), b.to(dtype)).item() == pytest.approx(by_scipy(a, b).item(), abs=1e-15)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_opposite_maps(self, channels: int) -> None:
        a = maps(3, channels, 9, 9)
        assert spearman(a, -a).tolist() == [-1.0] * 3
        assert spearman(a, -a, absolute=True).tolist() == [1.0] * 3

    def test_independent_sparse_maps_agree_as_their_closed_form_says(self) -> None:
        size, kept = 784, 150
        a, b = torch.zeros(40, 1, 28, 28), torch.zeros(40, 1, 28, 28)
        for m, seed in ((a, 0), (b, 1)):
            m.flatten(1)[:, :kept] = maps(40, kept, seed=seed, dtype=torch.float32)
        zeros = size - kept
        null = 3 * zeros * size / (3 * zeros * size + kept**2 - 1)
        assert spearman(a, b, absolute=True).mean().item() == pytest.approx(null, abs=0.002)
        assert abs(support_spearman(a, b).mean().item()) < 0.05
        assert zero_share(a, b).tolist() == [zeros / size] * 40


class TestSupport:
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_equals_scipy_on_the_support(self, dtype: torch.dtype) -> None:
        a, b = (maps(4, 2, 11, 12, kind="sparse", seed=s, dtype=dtype) for s in (0, 1))
        x, y = (m.double().abs().sum(1).flatten(1) for m in (a, b))
        keep = (x != 0) | (y != 0)
        expected = [spearmanr(p[k], q[k]).statistic for p, q, k in zip(x, y, keep, strict=True)]
        assert_close(support_spearman(a, b), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
        assert_close(zero_share(a, b), (~keep).double().mean(1), rtol=0, atol=1e-15)

    def test_without_zeros_it_is_the_absolute_correlation(self) -> None:
        a, b = pair(3, 1, 8, 8)
        assert_close(support_spearman(a, b), spearman(a, b, absolute=True), rtol=0, atol=0)

    def test_one_common_pixel_is_no_correlation(self) -> None:
        a = torch.zeros(1, 1, 4, 4)
        a[0, 0, 1, 2] = 1.0
        assert support_spearman(a, a).isnan().all()
        assert zero_share(a, 0 * a).item() == 15 / 16
        assert zero_share(0 * a, 0 * a).item() == 1


class TestSsim:
    @pytest.mark.parametrize("preset", ["paper", "code"])
    @pytest.mark.parametrize("kind", ["noise", "sparse"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_equals_skimage(self, preset: str, kind: str, channels: int) -> None:
        a, b = pair(6, channels, 28, 23, kind=kind)
        assert_close(ssim(a, b, preset), by_skimage_ssim(a, b, preset), rtol=0, atol=1e-10)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_narrow_types_are_computed_in_float64(self, dtype: torch.dtype) -> None:
        a, b = pair(2, 3, 16, 16, dtype=dtype)
        assert_close(ssim(a, b), by_skimage_ssim(a, b), rtol=0, atol=1e-10)
        assert_close(ssim(a, b, "code"), by_skimage_ssim(a, b, "code"), rtol=0, atol=1e-10)

    def test_scale_offset_and_order_do_not_matter(self) -> None:
        a, b = pair(3, 1, 12, 12)
        assert_close(ssim(a, 7 * b - 3), ssim(a, b), rtol=0, atol=1e-12)
        assert_close(ssim(b, a), ssim(a, b), rtol=0, atol=1e-14)

    def test_flat_windows_of_opposite_height(self) -> None:
        """Where one map is 0 and the other 1 a window scores C1 / (1 + C1)."""
        a, b = torch.zeros(1, 1, 5, 6), torch.zeros(1, 1, 5, 6)
        a[..., 5], b[..., :5] = 1.0, 1.0
        second = structural_similarity(
            a[0, 0].double().numpy(), b[0, 0].double().numpy(), win_size=5, data_range=1, full=True
        )
        first = 1e-4 / (1 + 1e-4)
        assert second[1][2, 2] == pytest.approx(first, abs=1e-12)
        assert ssim(a, b).item() == pytest.approx((first + second[1][2, 3]) / 2, abs=1e-12)

    def test_calibration_on_noise(self) -> None:
        a, b = (torch.rand(1, 1, 120, 120, generator=torch.Generator().manual_seed(s)) * 2 - 1 for s in (0, 1))
        assert abs(spearman(a, b).item()) < 0.03
        assert abs(ssim(a, b).item()) < 0.03
        assert 0.0 < hog_similarity(a, b).item() < 0.2

    def test_one_channel_against_three_compares_channel_sums(self) -> None:
        a, b = maps(2, 1, 14, 14), maps(2, 3, 14, 14, seed=1)
        for metric in METRICS.values():
            reduced = b.abs() if metric in (METRICS["spearman_abs"], support_spearman) else b
            assert_close(metric(a, b), metric(a, reduced.sum(1, keepdim=True)), rtol=0, atol=1e-12)


class TestHog:
    @pytest.mark.parametrize(("side", "cell", "block"), [(28, 7, 2), (32, 8, 2), (48, 16, 3), (57, 16, 3), (64, 16, 3)])
    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    def test_equals_skimage(self, side: int, cell: int, block: int, kind: str) -> None:
        a, b = pair(5, 2, side, side + 3, kind=kind)
        assert_close(hog_similarity(a, b), by_skimage_hog(a, b, cell, block), rtol=0, atol=1e-6)
        close = hog_similarity(a, b, correlation="spearman"), by_skimage_hog(a, b, cell, block, rank=True)
        # features that are equal but for the rounding of scikit-image's float32 sums change ranks
        assert_close(*close, rtol=0, atol=1e-6 if kind == "noise" else 1e-3)

    def test_features_equal_skimage(self) -> None:
        a = maps(3, 28, 28)
        expected = [hog((m / m.abs().max()).numpy(), pixels_per_cell=(7, 7), cells_per_block=(2, 2)) for m in a]
        features = hog_features(a)
        assert features.shape == (3, 324)
        assert_close(features, torch.tensor(np.array(expected)), rtol=0, atol=1e-6)

    @pytest.mark.parametrize("scale", [10.0, 1e-8, 1e8])
    def test_scale_does_not_matter(self, scale: float) -> None:
        a, b = pair(3, 1, 28, 28)
        assert_close(hog_features(scale * a[:, 0]), hog_features(a[:, 0]), rtol=0, atol=1e-7)
        assert_close(hog_similarity(scale * a, b), hog_similarity(a, b), rtol=0, atol=1e-7)

    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    def test_sign_and_offset_do_not_matter(self, kind: str) -> None:
        a = maps(3, 28, 28, kind=kind)
        assert_close(hog_features(-a), hog_features(a), rtol=0, atol=0)
        if kind != "noise":  # rounding of the sum moves gradients at the edge of a bin
            a = (a * 256).round() / 256
        assert_close(hog_features(a + 2), hog_features(a), rtol=0, atol=1e-6)

    def test_cells_can_be_chosen(self) -> None:
        a, b = pair(2, 1, 24, 24)
        assert_close(hog_similarity(a, b, cells=4), by_skimage_hog(a, b, 4, 2), rtol=0, atol=1e-6)

    def test_a_chessboard_has_no_gradient(self) -> None:
        board = (torch.arange(28)[:, None] + torch.arange(28)).remainder(2).double().view(1, 1, 28, 28)
        assert hog_similarity(board, board).isnan().all()
        assert spearman(board, board).item() == 1


def without_outliers(m: Array) -> Array:
    level = np.percentile(np.abs(m), 99)
    return np.clip(m, -level, level)


def by_skimage_normalised(a: Tensor, b: Tensor, preset: str, normalise: str) -> Tensor:
    """SSIM, one pair after the other, in numpy and scikit-image."""
    options: dict[str, Any] = {"gaussian_weights": True, "use_sample_covariance": True, "channel_axis": 0}
    if preset == "paper":
        options, a, b = {"win_size": 5}, a.double().sum(1), b.double().sum(1)
    values = []
    for x, y in zip(a.double().numpy(), b.double().numpy(), strict=True):
        if normalise == "percentile":
            x, y = unit(without_outliers(x)), unit(without_outliers(y))
            data_range = 1.0 if preset == "paper" else 2.0
        else:
            x, y = (m / np.sqrt(np.mean(m**2)) for m in (x, y))
            both = np.stack([x, y])
            data_range = both.max() - both.min()
        values.append(structural_similarity(x, y, data_range=data_range, **options))
    return torch.tensor(values, dtype=torch.float64)


class TestNormalise:
    @pytest.mark.parametrize("preset", ["paper", "code"])
    @pytest.mark.parametrize("normalise", ["percentile", "second_moment"])
    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_ssim_equals_skimage(self, preset: str, normalise: str, kind: str, channels: int) -> None:
        a, b = pair(5, channels, 28, 23, kind=kind)
        a[:, 0, 4, 5] *= 40
        expected = by_skimage_normalised(a, b, preset, normalise)
        assert_close(ssim(a, b, preset, normalise), expected, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("size", [11, 101])
    def test_the_percentile_is_that_of_numpy(self, size: int) -> None:
        """Of 121 values it lies between two, of 101 x 101 on one."""
        a, b = pair(3, 1, size, size, dtype=torch.float32)
        expected = by_skimage_normalised(a, b, "paper", "percentile")
        assert_close(ssim(a, b, normalise="percentile"), expected, rtol=0, atol=1e-10)

    @pytest.mark.parametrize("cells", [None, 4])
    def test_hog_equals_skimage_on_clipped_maps(self, cells: int | None) -> None:
        a, b = pair(4, 1, 28, 28)
        a[:, 0, 4, 5] = b[:, 0, 4, 5] = 60.0
        x, y = (torch.tensor(np.stack([without_outliers(m) for m in p.numpy()])) for p in (a, b))
        result = hog_similarity(a, b, cells=cells, normalise="percentile")
        assert_close(result, by_skimage_hog(x, y, cells or 7, 2), rtol=0, atol=1e-6)
        assert (result < hog_similarity(a, b, cells=cells) - 0.05).all()

    def test_a_clip_removes_what_one_outlier_did(self) -> None:
        """peers.md 3.11: the same outlier moves the SSIM of two unrelated maps from .01 to .97."""
        a, b = maps(4, 1, 64, 64), maps(4, 1, 64, 64, seed=1)
        x, y = a.clone(), b.clone()
        x[..., 9, 9] = y[..., 9, 9] = 300.0
        assert ssim(a, b).mean().item() == pytest.approx(0.01, abs=0.015)
        assert ssim(x, y).mean().item() == pytest.approx(0.97, abs=0.005)
        assert ssim(x, y, normalise="second_moment").mean().item() > 0.9  # it does not cure this
        assert ssim(x, y, normalise="percentile").mean().item() == pytest.approx(0.01, abs=0.01)

    def test_every_map_is_scaled_by_itself(self) -> None:
        """A loud map in the batch changes nothing, nor does a scale of one map of a pair."""
        a, b = pair(3, 2, 16, 16)
        for normalise in NORMALISATIONS:
            alone = ssim(a[:1], b[:1], normalise=normalise)
            loud = torch.cat([a[:1], 1e6 * a[1:]])
            assert_close(ssim(loud, b, normalise=normalise)[:1], alone, rtol=0, atol=0)
            assert_close(ssim(1e-170 * a, 1e9 * b, normalise=normalise), ssim(a, b, normalise=normalise))

    def test_the_second_moment_keeps_zero_where_it_is(self) -> None:
        """A constant added to both maps changes how alike their means are; after min-max it changes nothing."""
        a, b = maps(3, 1, 16, 16), maps(3, 1, 16, 16, seed=1)
        assert_close(ssim(a + 9, b + 9), ssim(a, b), rtol=0, atol=1e-10)
        shifted = ssim(a + 9, b + 9, normalise="second_moment")
        assert ((shifted - ssim(a, b, normalise="second_moment")).abs() > 0.01).all()

    def test_what_changes_nothing_for_hog(self) -> None:
        a, b = pair(3, 1, 28, 28)
        a[0, 0, 3, 3] = 50.0
        assert torch.equal(hog_similarity(a, b), hog_similarity(a, b, normalise="second_moment"))
        assert torch.equal(hog_similarity(a, b), hog_similarity(a, b, normalise="minmax"))
        assert not torch.equal(hog_similarity(a, b), hog_similarity(a, b, normalise="percentile"))

    def test_a_map_that_the_clip_empties_has_no_similarity(self) -> None:
        a = torch.zeros(1, 1, 28, 28)
        a[0, 0, 5, 5:10] = 1.0  # 5 of 784 values
        assert ssim(a, a).item() == 1
        assert ssim(a, a, normalise="percentile").isnan().all()
        for correlation in ("pearson", "spearman"):
            assert hog_similarity(a, a, normalise="percentile", correlation=correlation).isnan().all()


class TestMetric:
    @pytest.mark.parametrize(
        ("text", "row", "same"),
        [
            ("spearman", "spearman", spearman),
            ("spearman_abs", "spearman_abs", METRICS["spearman_abs"]),
            ("spearman_support", "spearman_support", support_spearman),
            (" ssim() ", "ssim", ssim),
            ("ssim(preset='code')", "ssim(preset='code')", METRICS["ssim_code"]),
            ("ssim(preset=code)", "ssim(preset='code')", METRICS["ssim_code"]),
            ("ssim(preset='paper')", "ssim", ssim),
            ("ssim(normalise='percentile')", "ssim(normalise='percentile')", METRICS["ssim_percentile"]),
            (
                "ssim(normalise=second_moment, preset=code)",
                "ssim(preset='code', normalise='second_moment')",
                METRICS["ssim_code_second_moment"],
            ),
            ("hog(correlation=spearman)", "hog(correlation='spearman')", METRICS["hog_spearman"]),
            ("hog(cells=4)", "hog(cells=4)", lambda a, b: hog_similarity(a, b, cells=4)),
            ("hog(cells=None, normalise='percentile')", "hog(normalise='percentile')", METRICS["hog_percentile"]),
        ],
    )
    def test_a_text_names_a_metric(self, text: str, row: str, same: Similarity) -> None:
        a, b = pair(3, 2, 24, 24, kind="sparse")
        metric = metric_from_text(text)
        assert repr(metric) == str(metric) == row
        assert torch.equal(metric(a, b), same(a, b))
        assert metric_from_text(row) == metric
        assert pickle.loads(pickle.dumps(metric)) == metric
        assert hash(metric_from_text(row)) == hash(metric)

    def test_options_tell_metrics_apart(self) -> None:
        texts = ["ssim", "ssim(preset=code)", "hog", "hog(cells=4)", "hog(cells=7)", "spearman", "spearman_abs"]
        assert len({metric_from_text(t) for t in texts}) == len(texts)
        assert list(named_metrics(texts)) == [t.replace("=code", "='code'") for t in texts]
        assert list(KINDS) == ["spearman", "spearman_abs", "spearman_support", "ssim", "hog"]
        with pytest.raises(AttributeError):
            metric_from_text("ssim").name = "hog"  # type: ignore[misc]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("ssimm", "there is no metric 'ssimm'; did you mean ssim?"),
            ("mse", "expected one of spearman, spearman_abs, spearman_support, ssim, hog"),
            ("ssim(presets=code)", "no option 'presets'; did you mean preset?"),
            ("ssim(window=5)", "no option 'window'; it has preset, normalise"),
            ("spearman(absolute=True)", "it has none; metrics are spearman, spearman_abs"),
            ("ssim(preset=2018)", "expected one of paper, code"),
            ("ssim(normalise=max)", "expected one of minmax, percentile, second_moment"),
            ("hog(normalise=max)", "hog_similarity got normalise='max'"),
            ("hog(correlation=kendall)", "pearson, spearman"),
            ("hog(cells=4.0)", "whole pixels"),
            ("hog(cells=True)", "whole pixels"),
            ("hog(cells=0)", "whole pixels"),
            ("ssim(preset=['code'])", "not a plain value"),
            ("ssim(preset=1 + x)", "not a plain value"),
            ("ssim(preset=code, preset=paper)", "each option once"),
            ("ssim(**{'preset': 'code'})", "cannot be read"),
            ("hog(4)", "cannot be read"),
            ("ssim(", "cannot be read"),
            ("a.ssim", "cannot be read"),
            ("", "cannot be read"),
        ],
    )
    def test_mistakes_are_named(self, text: str, says: str) -> None:
        with pytest.raises(InputError) as error:
            metric_from_text(text)
        assert says in str(error.value)

    def test_metrics_by_name(self) -> None:
        given: list[str | Metric] = ["ssim(preset=code)", metric_from_text("hog")]
        named = named_metrics(given)
        assert named == {"ssim(preset='code')": metric_from_text("ssim(preset='code')"), "hog": Metric("hog")}
        assert named_metrics("ssim") == {"ssim": Metric("ssim")}
        with pytest.raises(InputError, match="two metrics are called 'ssim'"):
            named_metrics(["ssim", "hog", "ssim(preset=paper)"])
        with pytest.raises(InputError, match="at least one of spearman"):
            named_metrics([])

    def test_maps_smaller_than_the_window_fail_at_the_first_try(self) -> None:
        a = maps(1, 1, 10, 10)
        assert metric_from_text("ssim")(a, a).item() == 1
        with pytest.raises(InputError, match="smaller than its window of 11"):
            metric_from_text("ssim(preset=code)")(a, a)
        with pytest.raises(InputError, match="cells=6"):
            metric_from_text("hog(cells=6)")(a, a)


class TestEveryMetric:
    @each_metric
    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
    def test_equal_maps_score_exactly_one(self, metric: Similarity, kind: str, dtype: torch.dtype) -> None:
        a = maps(7, 3, 28, 28, kind=kind, dtype=dtype)
        for c in (1, 3):
            assert metric(a[:, :c], a[:, :c].clone(memory_format=torch.channels_last)).tolist() == [1.0] * 7

    @each_metric
    def test_equal_large_maps_score_exactly_one(self, metric: Similarity) -> None:
        a = maps(2, 1, 224, 224, dtype=torch.float32)
        assert metric(a, a.clone()).tolist() == [1.0, 1.0]

    @each_metric
    @pytest.mark.parametrize("value", [0.0, -2.5])
    def test_a_constant_map_has_no_similarity(self, metric: Similarity, value: float) -> None:
        a, b = pair(4, 1, 28, 28)
        a[1], b[3] = value, value
        assert metric(a, b).isnan().tolist() == [False, True, False, True]

    @each_metric
    @pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
    def test_a_map_that_is_not_finite_has_no_similarity(self, metric: Similarity, value: float) -> None:
        a, b = pair(4, 3, 28, 28)
        expected = metric(a, b)
        a[0, 1, 3, 3], b[2, 0, 0, 0] = value, value
        result = metric(a, b)
        assert result.isnan().tolist() == [True, False, True, False]
        assert_close(result[1::2], expected[1::2], rtol=0, atol=0)
        assert zero_share(a, b).isnan().tolist() == [True, False, True, False]

    @each_metric
    def test_every_sample_stands_alone(self, metric: Similarity) -> None:
        a, b = pair(6, 1, 100, 90, dtype=torch.float32)
        whole = metric(a, b)
        for cut in ([0, 1, 2, 3, 4, 5, 6], [0, 3, 6], [0, 1, 6]):
            parts = torch.cat([metric(a[i:j], b[i:j]) for i, j in pairwise(cut)])
            assert_close(parts, whole, rtol=0, atol=0)

    def test_a_lone_map_scores_the_same_with_two_threads(self) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(2)
        try:
            a, b = pair(4, 1, 200, 190, dtype=torch.float32)
            whole, parts = ssim(a, b), torch.cat([ssim(a[i : i + 1], b[i : i + 1]) for i in range(4)])
        finally:
            torch.set_num_threads(before)
        assert_close(parts, whole, rtol=0, atol=0)

    @each_metric
    def test_inputs_stay_as_they_are_and_no_graph_is_kept(self, metric: Similarity) -> None:
        a, b = pair(2, 1, 28, 28)
        a.requires_grad_()
        copies = a.detach().clone(), b.clone()
        result = metric(a, b)
        assert not result.requires_grad
        assert result.dtype == torch.float64
        assert torch.equal(a, copies[0])
        assert torch.equal(b, copies[1])

    @each_metric
    def test_related_maps_score_between_noise_and_one(self, metric: Similarity) -> None:
        a, noise = maps(4, 1, 48, 48), maps(4, 1, 48, 48, seed=9)
        assert (metric(a, noise) < metric(a, a + 0.5 * noise)).all()
        assert (metric(a, a + 0.5 * noise) < 1).all()

    @pytest.mark.parametrize("call", [*METRICS.values(), zero_share])
    @pytest.mark.parametrize(
        ("first", "second", "says"),
        [
            ((2, 1, 28, 28), (3, 1, 28, 28), "B, H and W must be the same"),
            ((2, 1, 28, 28), (2, 1, 28, 27), "B, H and W must be the same"),
            ((2, 3, 28, 28), (2, 2, 28, 28), "C must be the same"),
            ((2, 28, 28), (2, 28, 28), r"\(B, C, H, W\)"),
            ((0, 1, 28, 28), (0, 1, 28, 28), "at least one map"),
            ((2, 0, 28, 28), (2, 1, 28, 28), "at least one pixel"),
        ],
    )
    def test_stacks_that_cannot_be_compared(
        self, call: Similarity, first: tuple[int, ...], second: tuple[int, ...], says: str
    ) -> None:
        with pytest.raises(InputError, match=says):
            call(torch.zeros(first), torch.zeros(second))


def test_other_mistakes_are_named() -> None:
    a = maps(1, 1, 28, 28)
    with pytest.raises(InputError, match="ndarray"):
        spearman(a.numpy(), a)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="complex128"):
        spearman(a + 1j, a)
    with pytest.raises(InputError, match="one device"):
        spearman(a, a.to("meta"))
    with pytest.raises(InputError, match="paper, code"):
        ssim(a, a, preset="2018")
    with pytest.raises(InputError, match="smaller than its window of 5"):
        ssim(a[..., :4, :], a[..., :4, :])
    with pytest.raises(InputError, match="smaller than its window of 11"):
        ssim(a[..., :10], a[..., :10], preset="code")
    with pytest.raises(InputError, match="pearson, spearman"):
        hog_similarity(a, a, correlation="kendall")
    with pytest.raises(InputError, match="at least 4 x 4"):
        hog_similarity(a[..., :3, :], a[..., :3, :])
    for cells in (0, 16):
        with pytest.raises(InputError, match=f"cells={cells}"):
            hog_similarity(a, a, cells=cells)
    for metric in (ssim, hog_similarity):
        with pytest.raises(InputError, match="minmax, percentile, second_moment"):
            metric(a, a, normalise="max")


class TestZeroPattern:
    def test_shared_zeros_are_the_closed_form(self) -> None:
        from heatproof.similarity.spearman import zero_pattern_null
        from heatproof.theory.nulls import absolute_spearman_null

        maps = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
        maps.view(-1)[:150] = 1 + torch.arange(150.0, dtype=torch.float64)
        assert float(zero_pattern_null(maps, 2 * maps)) == pytest.approx(absolute_spearman_null(784, 150), abs=1e-12)

    @pytest.mark.parametrize(("m_a", "m_b", "both"), [(100, 40, 30), (50, 60, 0), (120, 130, 20)])
    def test_mean_of_independent_magnitudes(self, m_a: int, m_b: int, both: int) -> None:
        from heatproof.similarity.spearman import zero_pattern_null

        draw, size = np.random.default_rng(0), 256
        seen = []
        for _ in range(2000):
            a, b = np.zeros(size), np.zeros(size)
            a[:m_a] = draw.random(m_a) + 0.1
            b[m_a - both : m_a - both + m_b] = draw.random(m_b) + 0.1
            seen.append((a, b))
        first, second = (torch.from_numpy(np.stack(s)).view(-1, 1, 16, 16) for s in zip(*seen, strict=True))
        mean = float(spearman(first, second, absolute=True).mean())
        assert float(zero_pattern_null(first[:1], second[:1])) == pytest.approx(mean, abs=4e-3)


class TestFeatures:
    """Everything that belongs to one map is read once; chain.compare then only compares."""

    METRICS = ("spearman", "spearman_abs", "spearman_support", "ssim", "ssim(preset=code)", "ssim(normalise=second_moment)",
               "hog", "hog(correlation=spearman)", "hog(normalise=percentile)")  # fmt: skip

    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    @pytest.mark.parametrize("size", [(28, 28), (190, 180)])
    def test_what_was_read_before_says_the_same(self, kind: str, size: tuple[int, int]) -> None:
        a, b = pair(6, 3, *size, kind=kind, dtype=torch.float32)
        halves = [metric_from_text(text).comparison for text in self.METRICS] + [ZERO_SHARE, ZERO_PATTERN_NULL]
        read_a, read_b = (read(maps, [half.features for half in halves]) for maps in (a, b))
        for half in halves:
            said = half.of_features(read_a[half.features], read_b[half.features])
            assert torch.equal(said, half.of_maps(a, b))
            turned = half.of_features(read_b[half.features], read_a[half.features])
            assert_close(turned, said, rtol=0, atol=1e-12)

    def test_metrics_that_read_the_same_share_it(self) -> None:
        absolute, support = (metric_from_text(text).comparison for text in ("spearman_abs", "spearman_support"))
        assert absolute.features is support.features
        assert metric_from_text("hog(cells=4)").comparison is metric_from_text("hog(cells=4)").comparison

    def test_no_feature_is_read_twice(self) -> None:
        calls = []

        def features(pixels: Pixels) -> Tensor:
            calls.append(len(pixels.maps))
            return pixels.signed

        a = maps(2, 1, 4, 4)
        assert torch.equal(read(a, [features, features])[features], a[:, 0])
        assert calls == [2]

    @pytest.mark.parametrize("threads", [1, 2])
    def test_a_lone_row_is_summed_as_in_company(self, threads: int) -> None:
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            rows = maps(3, 70_001)
            assert torch.equal(torch.cat([row_sums(rows[i : i + 1]) for i in range(3)]), row_sums(rows))
        finally:
            torch.set_num_threads(before)

    def test_stacks_are_cut_and_put_together_again(self) -> None:
        stack = maps(5, 1, 400, 400)  # a chunk holds 3 of them
        rows = in_chunks(lambda m: (deviations(m.flatten(1), m[:, 0, 0, 0] == m[:, 0, 0, 0]), m[:, 0, 0, 0]), stack)
        assert isinstance(rows[0], Rows)
        assert torch.equal(rows[1], stack[:, 0, 0, 0])
        assert torch.equal(rows[0].values, deviations(stack.flatten(1), torch.ones(5, dtype=torch.bool)).values)


class TestRanks:
    @pytest.mark.parametrize("kind", ["noise", "sparse", "ties"])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    @pytest.mark.parametrize("size", [50, RADIX + 3])
    def test_they_are_average_ranks_about_their_mean(self, kind: str, dtype: torch.dtype, size: int) -> None:
        """Below and above the size from which each row is sorted by itself."""
        rows = maps(3, size, kind=kind, dtype=dtype)
        expected = np.stack([2 * rankdata(row) - (size + 1) for row in rows.double().numpy()])
        found = ranks(rows, torch.ones(3, dtype=torch.bool))
        assert np.array_equal(found.values.double().numpy(), expected)
        assert found.square.tolist() == (expected**2).sum(1).tolist()


def test_the_end_of_the_half_circle_is_its_start() -> None:
    """Gradients along the axes, nearly so, none, and one that is no number, beside noise."""
    special = [
        (0.0, 1.0),
        (0.0, -1.0),
        (-0.0, -1.0),
        (0.0, 0.0),
        (1.0, 0.0),
        (-1.0, 0.0),
        (1e-300, -1.0),
        (-1e-300, -1.0),
    ]
    down, right = torch.cat([torch.tensor(special, dtype=torch.float64), maps(1000, 2)]).T
    angle = torch.atan2(down.abs(), right * down.sign())
    assert torch.equal(_orientations(down, right) % 9, (angle * (9 / math.pi)).long() % 9)
    assert (_orientations(down, right)[:6] % 9).tolist() == [0, 0, 0, 0, 4, 4]
    assert _orientations(torch.tensor([math.nan]), torch.tensor([1.0])).item() in range(10)
