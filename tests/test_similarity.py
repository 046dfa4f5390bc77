"""Similarities of maps against scipy and scikit-image, and the cases that those do not settle."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor
from torch.testing import assert_close

from heatproof.errors import InputError
from heatproof.similarity import hog_similarity, spearman, ssim, support_spearman, zero_share
from heatproof.similarity.hog import hog_features

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
