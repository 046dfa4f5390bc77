"""Training-dataset occlusion: the patch, and attribution inside it against loops and chance."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.faithfulness.kind import Bench
from heatproof.faithfulness.patch import KIND, Patch, attribution_inside_patch, random_patch, with_patch
from heatproof.faithfulness.rectgrad_code import percentile_cut


def maps_of(seed: int = 0, shape: tuple[int, ...] = (4, 3, 16, 14)) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numbers(found: object) -> np.ndarray:
    return torch.stack(list(asdict(found).values()), 1).numpy()  # type: ignore[call-overload]


def reference(m: np.ndarray, side: int) -> list[float]:
    inside = signed = total = 0.0
    for c, i, j in np.ndindex(*m.shape):
        total += abs(m[c, i, j])
        if i < side and j < side:
            inside, signed = inside + abs(m[c, i, j]), signed + m[c, i, j]
    return [inside, signed, inside / total, inside / total * m.shape[1] * m.shape[2] / side**2]


def test_patch_is_uniform_seeded_and_the_same_on_every_image() -> None:
    patch = random_patch(3, 10, seed=4)
    assert torch.equal(patch, random_patch(3, 10, seed=4))
    assert not torch.equal(patch, random_patch(3, 10, seed=5))
    assert 0 <= patch.min() < 0.05 < 0.95 < patch.max() <= 1
    images = torch.rand(2, 3, 32, 32)
    occluded = with_patch(images, patch)
    assert torch.equal(occluded[:, :, :10, :10], patch.expand(2, 3, 10, 10))
    occluded[:, :, :10, :10] = images[:, :, :10, :10]
    assert torch.equal(occluded, images)


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 1, 32, 32), (2, 3, 10, 32), (2, 3, 32, 10)])
def test_patch_that_does_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(hp.InputError, match="with_patch got"):
        with_patch(torch.zeros(shape), random_patch(3, 10))


@pytest.mark.parametrize(("size", "margin"), [(10, 2), (5, 0)])
def test_against_loops(size: int, margin: int) -> None:
    maps = maps_of()
    want = [reference(m, size - margin) for m in maps.numpy()]
    np.testing.assert_allclose(numbers(attribution_inside_patch(maps, size, margin)), want, rtol=1e-12)


def test_code_is_the_authors_statistic() -> None:
    """Notebook 3: np.sum(v[:, :8, :8]) of the thresholded channel sum, without the absolute value."""
    maps = maps_of()
    cut = percentile_cut(maps)[:, 0].numpy()
    found = attribution_inside_patch(maps, preprocess="code")
    np.testing.assert_allclose(found.inside_signed.numpy(), cut[:, :8, :8].sum((1, 2)), rtol=1e-12)
    rect = attribution_inside_patch(maps, preprocess="rectgrad")
    np.testing.assert_allclose(rect.inside, maps.clamp(min=0)[:, :, :8, :8].sum((1, 2, 3)), rtol=1e-12)


def test_exact_cases() -> None:
    maps = torch.zeros(3, 1, 32, 32)
    maps[0, 0, 8:], maps[1, 0, :8, :8] = 1, -2
    found = attribution_inside_patch(maps)
    assert found.inside.tolist() == [0, 128, 0]
    assert found.inside_signed.tolist() == [0, -128, 0]
    assert found.share[:2].tolist() == [0, 1]
    assert found.times[:2].tolist() == [0, 16]
    assert found.share[2].isnan()
    assert found.times[2].isnan()
    maps[0, 0, 31, 31] = torch.inf
    assert attribution_inside_patch(maps).inside[0].isnan()


def test_chance_is_one() -> None:
    times = attribution_inside_patch(maps_of(1, (2000, 1, 12, 12)), 6, 1).times
    assert abs(times.mean() - 1) < 4 * times.std() / 2000**0.5 < 0.02


@settings(deadline=None)
@given(st.integers(0, 20), st.floats(1e-6, 1e6))
def test_sums_are_proportional_and_shares_see_no_scale(seed: int, scale: float) -> None:
    maps = maps_of(seed, (2, 2, 12, 12))
    one, other = numbers(attribution_inside_patch(maps, 6)), numbers(attribution_inside_patch(maps * scale, 6))
    np.testing.assert_allclose(other, one * [scale, scale, 1, 1], rtol=1e-10)


@pytest.mark.parametrize("options", [{"size": 2}, {"margin": -1}, {"size": 12}, {"preprocess": "cut"}])
def test_bad_arguments(options: dict[str, int]) -> None:
    with pytest.raises(hp.InputError, match="expected"):
        attribution_inside_patch(torch.ones(1, 1, 12, 14), **options)  # type: ignore[arg-type]
    if options != {"size": 12}:
        with pytest.raises(hp.InputError, match="expected"):
            Patch(**{{"size": "side", "preprocess": "statistic"}.get(k, k): v for k, v in options.items()})  # type: ignore[arg-type]


def bench(options: Patch) -> Bench:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 144, 3)).eval()
    images = torch.rand(5, 2, 12, 12, generator=torch.Generator().manual_seed(1))
    images = with_patch(images, random_patch(2, 6))
    methods = {"gradient": hp.gradient, "rectgrad": hp.rectgrad}
    subject = Subject(model, images, torch.arange(5) % 3, methods, (), hp.logit, (), images, chunk=4)
    return Bench(subject, "patch", options)


@pytest.mark.parametrize(("preprocess", "ways"), [("", (None, None)), ("code", ("code", "rectgrad"))])
def test_bench_gives_what_the_function_gives_whatever_the_batch(preprocess: str, ways: tuple[str | None, ...]) -> None:
    given = KIND.prepare(bench(Patch(side=6, statistic=preprocess)))
    s = given.subject
    rows = [r for shard in ([0, 1, 2, 3], [4]) for r in KIND.work(given, shard).rows]
    for (name, explain), how in zip(s.methods.items(), ways, strict=True):
        found = asdict(attribution_inside_patch(explain(s.model, s.images, s.targets), 6, preprocess=how))
        for metric in KIND.measures(given.options):
            got = [r[6] for r in rows if r[0] == name and r[3] == metric]
            assert got == pytest.approx(found[metric].tolist(), rel=1e-5, abs=1e-9, nan_ok=True)


def test_bench_wants_the_same_patch_on_every_image() -> None:
    given = bench(Patch(side=6))
    assert KIND.prepare(given) is given
    images = given.subject.images.clone()
    images[3, 1, 5, 5] += 0.1
    with pytest.raises(hp.InputError, match="upper left 6x6 pixels differ"):
        KIND.prepare(replace(given, subject=replace(given.subject, images=images)))
    with pytest.raises(hp.InputError, match="smaller than the maps"):
        KIND.prepare(bench(Patch(side=12)))
