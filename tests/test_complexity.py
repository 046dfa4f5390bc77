"""Complexity: entropy, Gini index, effective pixels and zeros, against loops, Quantus' formulas and closed forms."""

from __future__ import annotations

from dataclasses import asdict
from math import log

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.faithfulness.complexity import KIND, Concentration, complexity
from heatproof.faithfulness.kind import Bench


def stack(seed: int = 0, shape: tuple[int, ...] = (5, 3, 6, 7)) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, generator=draw, dtype=torch.float64).exp()
    signs, kept = (
        torch.randint(low, 2, (shape[0], c, *shape[2:]), generator=draw) for low, c in ((-1, shape[1]), (0, 1))
    )
    signs[:, :, 0, 0] = kept[:, :, 0, 0] = 1
    return maps * signs * kept


def quantus(size: np.ndarray) -> tuple[float, float]:
    """Entropy and Gini index as Quantus writes them, without the small numbers that it adds."""
    p = size / np.abs(size).sum()
    ordered, n = np.sort(size), len(size)
    gini = ((2 * np.arange(1, n + 1) - n - 1) * ordered).sum() / (n * ordered.sum())
    return -sum(v * np.log(v) for v in p if v > 0), gini


def pairs(size: np.ndarray) -> float:
    """Gini index as the mean difference of all pairs over twice the mean."""
    return float(np.abs(size[:, None] - size[None]).mean() / (2 * size.mean()))


def holding(size: np.ndarray, mass: float) -> int:
    held, count = 0.0, 0
    for value in sorted(size, reverse=True):
        if held >= mass * size.sum():
            break
        held, count = held + value, count + 1
    return count


def test_against_loops_and_formulas_of_others() -> None:
    maps = stack()
    found = complexity(maps, mass=0.7)
    for i, m in enumerate(maps.numpy()):
        size = np.abs(m).sum(0).ravel()
        assert quantus(size) == pytest.approx((found.entropy[i].item(), found.gini[i].item()), rel=1e-12)
        assert found.entropy[i] == pytest.approx(entropy(size), rel=1e-12)
        assert found.gini[i] == pytest.approx(pairs(size), rel=1e-12)
        assert found.effective[i] == holding(size, 0.7)
        assert found.zeros[i] == (size == 0).mean()


def test_closed_forms() -> None:
    """k equal pixels of N: entropy log k, Gini 1 - k/N, 0.9 k pixels hold 90 %, N - k zeros."""
    for k in (1, 3, 10, 20, 40):
        maps = torch.zeros(1, 2, 5, 8)
        maps.view(2, 40)[:, :k] = torch.tensor([[0.1], [-0.3]])
        found = complexity(maps)
        got = [v.item() for v in asdict(found).values()]
        held = -(-9 * k // 10)
        assert got == pytest.approx([log(k), log(k) / log(40), 1 - k / 40, held, held / 40, 1 - k / 40], abs=1e-7)


def test_maps_of_zeros_of_one_pixel_and_not_finite() -> None:
    maps = torch.ones(3, 1, 2, 2)
    maps[0], maps[1, 0, 0, 0] = 0, torch.nan
    found = asdict(complexity(maps))
    zeros = found.pop("zeros")
    assert zeros[[0, 2]].tolist() == [1, 0]
    assert zeros[1].isnan()
    assert all(values[:2].isnan().all() and values[2].isfinite() for values in found.values())
    assert complexity(torch.ones(1, 1, 1, 1)).evenness.isnan().all()


@settings(deadline=None)
@given(st.integers(0, 20), st.floats(1e-6, 1e6))
def test_no_number_sees_scale_or_sign_or_place(seed: int, scale: float) -> None:
    maps = stack(seed, (2, 1, 4, 6))
    other = -scale * maps.flatten(2)[..., torch.randperm(24, generator=torch.Generator().manual_seed(seed))].view_as(
        maps
    )
    for one, two in zip(asdict(complexity(maps)).values(), asdict(complexity(other)).values(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mass", [0.0, 1.5, float("nan")])
def test_bad_mass(mass: float) -> None:
    for call in (lambda: complexity(torch.ones(1, 1, 2, 2), mass=mass), lambda: Concentration(mass=mass)):
        with pytest.raises(hp.InputError, match="mass="):
            call()
    with pytest.raises(hp.InputError, match="complexity got"):
        complexity(torch.ones(2, 2))


def test_all_of_the_mass_is_held_by_the_nonzero_pixels() -> None:
    maps = stack()
    found = complexity(maps, mass=1.0)
    assert found.effective.tolist() == ((1 - found.zeros) * 42).round().tolist()


def test_bench_gives_what_the_function_gives_whatever_the_batch() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 64, 3)).eval()
    images = torch.rand(5, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    methods = {"gradient": hp.gradient, "rectgrad": hp.rectgrad}
    subject = Subject(model, images, torch.arange(5) % 3, methods, (), hp.logit, (), images, chunk=4)
    bench = Bench(subject, "complexity", Concentration(mass=0.5))
    rows = [r for shard in ([0, 1, 2, 3], [4]) for r in KIND.work(KIND.prepare(bench), shard).rows]
    for name, explain in methods.items():
        found = asdict(complexity(explain(model, images, subject.targets), mass=0.5))
        assert set(found) == set(KIND.measures(bench.options))
        for metric, values in found.items():
            got = [r[6] for r in rows if r[0] == name and r[3] == metric]
            assert got == pytest.approx(values.tolist(), rel=1e-5)
    assert {m.better for m in KIND.measures(bench.options).values()} == {""}
    assert "50%" in KIND.measures(bench.options)["effective"].title
