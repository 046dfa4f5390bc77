"""Closed forms of chance against enumeration, quadrature and simulation."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import inf, nan, pi, sqrt
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm, spearmanr, truncnorm
from torch.testing import assert_close

from heatproof.errors import InputError
from heatproof.similarity import spearman, zero_share
from heatproof.theory.nulls import (
    absolute_spearman_null,
    correlated_kept,
    correlated_share,
    shared_zeros_null,
    sparse_spearman_null,
    survival,
)

Array = np.ndarray[Any, Any]


def on_support(values: Array, pixels: int) -> Array:
    return np.concatenate([values, np.zeros(pixels - len(values))])


def mean_and_error(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1) / sqrt(len(values)))


class TestSharedZeros:
    @pytest.mark.parametrize(("pixels", "nonzero"), [(7, 4), (6, 5), (9, 3), (12, 2), (5, 5)])
    def test_it_is_the_mean_over_all_orders(self, pixels: int, nonzero: int) -> None:
        first = on_support(np.arange(1.0, nonzero + 1), pixels)
        found = [
            spearmanr(first, on_support(np.array(p, dtype=float), pixels)).statistic
            for p in permutations(range(1, nonzero + 1))
        ]
        assert absolute_spearman_null(pixels, nonzero) == pytest.approx(np.mean(found), abs=1e-12)

    @pytest.mark.parametrize(("pixels", "nonzero", "printed"), [(784, 150, 0.98514), (784, 392, 0.857144)])
    def test_printed_values(self, pixels: int, nonzero: int, printed: float) -> None:
        assert absolute_spearman_null(pixels, nonzero) == pytest.approx(printed, abs=5e-6)

    def test_our_own_metrics_reach_it(self) -> None:
        generator = torch.Generator().manual_seed(3)
        a, b = torch.zeros(60, 1, 28, 28), torch.zeros(60, 1, 28, 28)
        for m in (a, b):
            m.flatten(1)[:, :150] = torch.randn(60, 150, generator=generator)
        found, error = mean_and_error(spearman(a, b, absolute=True).tolist())
        null = shared_zeros_null(784, zero_share(a, b))
        assert error < 0.001
        assert found == pytest.approx(null.mean().item(), abs=4 * error)
        assert null.dtype == torch.float64
        assert_close(null, torch.full((60,), absolute_spearman_null(784, 150), dtype=torch.float64))

    def test_the_ends(self) -> None:
        assert absolute_spearman_null(784, 784) == 0
        assert absolute_spearman_null(784, 1) == 1
        assert np.isnan(absolute_spearman_null(784, 0))
        assert np.isnan(shared_zeros_null(784, 1.0))
        assert shared_zeros_null(784, 0.0) == 0
        assert shared_zeros_null(784, 783 / 784) == pytest.approx(1, abs=1e-12)
        assert np.isnan(shared_zeros_null(784, nan))

    def test_numbers_stay_numbers_and_tensors_tensors(self) -> None:
        many = absolute_spearman_null(784, torch.tensor([0, 150, 784]))
        assert_close(many, torch.tensor([nan, absolute_spearman_null(784, 150), 0.0]).double(), equal_nan=True)
        assert type(absolute_spearman_null(784, 150)) is float
        shares = torch.tensor([[0.5, nan], [1.0, 0.0]], dtype=torch.float64)
        assert shared_zeros_null(10, shares).isnan().tolist() == [[False, True], [True, False]]


class TestSparse:
    def test_printed_value(self) -> None:
        assert sparse_spearman_null(0.4, 0.2, 0.19) == pytest.approx(0.243, abs=5e-4)

    @pytest.mark.parametrize(("q1", "q2", "p"), [(0.4, 0.2, 0.19), (0.9, 0.7, 0.5), (1.0, 1.0, 0.6), (0.5, 1.0, 0.8)])
    def test_simulated(self, q1: float, q2: float, p: float) -> None:
        random, pixels = np.random.default_rng(0), 6000
        m = round(p * pixels)
        found = []
        for _ in range(60):
            maps = [on_support(np.where(random.random(m) < q, random.random(m), 0.0), pixels) for q in (q1, q2)]
            found.append(spearmanr(*maps).statistic)
        mean, error = mean_and_error(found)
        assert error < 0.004
        assert sparse_spearman_null(q1, q2, m / pixels) == pytest.approx(mean, abs=4 * error)

    def test_maps_that_keep_everything_share_their_zeros(self) -> None:
        pixels = 10**6
        for p in (0.1, 0.5, 0.9):
            assert sparse_spearman_null(1.0, 1.0, p) == pytest.approx(
                absolute_spearman_null(pixels, p * pixels), abs=1e-6
            )

    def test_the_ends(self) -> None:
        assert sparse_spearman_null(0.3, 0.4, 1.0) == 0
        assert np.isnan([sparse_spearman_null(*v) for v in ((0.0, 0.5, 0.5), (0.5, 0.0, 0.5), (0.5, 0.5, 0.0))]).all()
        q = torch.tensor([0.4, 0.0], dtype=torch.float64)
        both = sparse_spearman_null(q, torch.full_like(q, 0.2), torch.full_like(q, 0.19))
        assert_close(both, torch.tensor([sparse_spearman_null(0.4, 0.2, 0.19), nan]).double(), equal_nan=True)


class TestCompetition:
    @pytest.mark.parametrize(("classes", "printed"), [(2, 0.75), (3, 0.58333), (10, 0.19980), (1000, 0.002)])
    def test_survival(self, classes: int, printed: float) -> None:
        """The share by quadrature: a positive score wins over k - 1 others with probability Phi(s)^(k - 1)."""
        exact = 2 * quad(lambda s: norm.pdf(s) * norm.cdf(s) ** (classes - 1), 0, 12, points=[3, 5])[0]
        assert survival(classes) == pytest.approx(exact, abs=1e-10)
        assert survival(classes) == pytest.approx(printed, abs=5e-6)

    def test_one_class_keeps_everything_and_many_do_not_overflow(self) -> None:
        assert survival(1) == 1
        assert survival(10**6) == 2e-6

    @pytest.mark.parametrize("rho", [-0.9, -0.3, 0.0, 0.5, 0.8, 0.99])
    def test_correlated_by_quadrature(self, rho: float) -> None:
        """A pixel with gradient g > 0 is kept where the other's, normal with mean rho g, is smaller."""
        spread = sqrt(1 - rho**2)
        kept = 2 * quad(lambda g: norm.pdf(g) * norm.cdf((g - rho * g) / spread), 0, 12)[0]
        share = 2 * quad(lambda g: g**2 * norm.pdf(g) * norm.cdf((g - rho * g) / spread), 0, 12)[0]
        assert correlated_kept(rho) == pytest.approx(kept, abs=1e-10)
        assert correlated_share(rho) == pytest.approx(share, abs=1e-10)
        kappa = sqrt((1 - rho) / (1 + rho))  # semantics.md 0.4 as printed
        printed = 0.5 + np.arctan(kappa) / pi
        assert correlated_kept(rho) == pytest.approx(printed, abs=1e-12)
        assert correlated_share(rho) == pytest.approx(printed + kappa / (pi * (1 + kappa**2)), abs=1e-12)

    def test_printed_values(self) -> None:
        assert correlated_share(0.5) == pytest.approx(0.804499, abs=5e-7)
        assert correlated_share(0.0) == pytest.approx(0.909155, abs=5e-7)
        assert correlated_kept(0.5) == pytest.approx(2 / 3, abs=1e-15)
        assert correlated_kept(0.0) == 0.75
        assert (correlated_kept(1.0), correlated_kept(-1.0), correlated_share(-1.0)) == (0.5, 1.0, 1.0)

    @pytest.mark.parametrize("t", [0.1, 1.0, 4.5, 10.0, 30.0])
    def test_the_factor_of_finite_n(self, t: float) -> None:
        assert correlated_share(0.5, t) / correlated_share(0.5) == pytest.approx(norm.pdf(t) / norm.sf(t) / t, rel=1e-9)

    def test_far_out_the_factor_is_one(self) -> None:
        assert correlated_share(0.0, 10.0) / correlated_share(0.0) == pytest.approx(1.0098, abs=5e-5)
        assert correlated_share(0.0, 1e6) == pytest.approx(correlated_share(0.0), rel=1e-11)
        assert correlated_share(0.0, inf) == correlated_share(0.0)

    def test_the_model_of_the_cgi_paper(self) -> None:
        """Gradients g1, g2 with correlation 1/2 in the first half of n coordinates and 0 in the other; g1.x >= delta."""
        random, n, delta, samples = np.random.default_rng(1), 1000, 0.2, 3000
        g1, x, other = (random.standard_normal((samples, n)) / sqrt(n) for _ in range(3))
        norms = (g1**2).sum(1)
        bound = delta / np.sqrt(norms / n)
        wanted = truncnorm.rvs(bound, np.inf, random_state=random) * np.sqrt(norms / n)
        x += ((wanted - (g1 * x).sum(1)) / norms)[:, None] * g1
        g2 = np.concatenate([0.5 * g1[:, : n // 2] + sqrt(0.75) * other[:, : n // 2], other[:, n // 2 :]], axis=1)
        s1, s2 = g1 * x, g2 * x
        kept = np.where((s1 > 0) & (s1 >= s2) | (s1 < 0) & (s1 <= s2), s1, 0.0)
        for half, rho in ((kept[:, : n // 2], 0.5), (kept[:, n // 2 :], 0.0)):
            mean, error = mean_and_error((half.sum(1) / (delta / 2)).tolist())
            assert error < 0.006
            assert correlated_share(rho, delta * sqrt(n)) == pytest.approx(mean, abs=4 * error)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: absolute_spearman_null(1, 1), "pixels=1"),
        (lambda: absolute_spearman_null(784.0, 1), "whole number"),  # type: ignore[arg-type]
        (lambda: absolute_spearman_null(10, 11), "numbers from 0 to 10"),
        (lambda: absolute_spearman_null(10, torch.tensor([3, -1])), "numbers from 0 to 10"),
        (lambda: shared_zeros_null(10, 1.5), "numbers from 0 to 1"),
        (lambda: sparse_spearman_null(0.5, 1.2, 0.5), "q2=1.2"),
        (lambda: survival(0), "at least 1"),
        (lambda: survival(True), "whole number"),
        (lambda: correlated_share(1.1), r"correlation in \[-1, 1\]"),
        (lambda: correlated_kept(nan), r"correlation in \[-1, 1\]"),
        (lambda: correlated_share(0.5, 0.0), "above 0"),
        (lambda: correlated_share(0.5, nan), "above 0"),
    ],
)
def test_mistakes_are_named(call: Callable[[], object], says: str) -> None:
    with pytest.raises(InputError, match=says):
        call()
