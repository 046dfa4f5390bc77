"""Localisation: pointing, mass, rank accuracy and AUC against loops and other libraries, chance, ties, small masks."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.subject import Subject
from heatproof.faithfulness.kind import Bench
from heatproof.faithfulness.localisation import localisation
from heatproof.faithfulness.localise import KIND, Localise


def stack(seed: int = 0, shape: tuple[int, ...] = (6, 3, 7, 5), levels: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, generator=draw, dtype=torch.float64)
    if levels:
        maps = torch.randint(-levels, levels + 1, shape, generator=draw).double()
    masks = torch.rand(shape[0], 1, *shape[2:], generator=draw) < 0.3
    masks[:, 0, 0, 0] = True
    return maps, masks


def reference(m: np.ndarray, inside: np.ndarray, rank: str, draw: np.random.Generator | None = None) -> list[float]:
    """One map ``(C, N)``; ties of rank accuracy by the mean over random orders."""
    size, signed = np.abs(m).sum(0), m.sum(0)
    height = size if rank == "abs" else signed
    k, area = int(inside.sum()), float(inside.mean())
    highest = [i for i in range(len(height)) if height[i] == height.max()]
    hits = []
    for _ in range(4000 if draw is not None else 1):
        shuffled = draw.permutation(len(height)) if draw is not None else np.arange(len(height))
        order = shuffled[np.argsort(-height[shuffled], kind="stable")]
        hits.append(inside[order[:k]].sum() / k)
    mass = sum(s for s, i in zip(size, inside, strict=True) if i) / size.sum()
    positive = np.maximum(signed, 0)
    auc = mannwhitneyu(height[inside], height[~inside]).statistic / (k * (len(height) - k))
    return [
        float(np.mean([inside[i] for i in highest])), mass, positive[inside].sum() / positive.sum(), float(np.mean(hits)),
        auc, area, mass / area, (mass - area) / (1 - area),
    ]  # fmt: skip


def numbers(found: object) -> np.ndarray:
    return torch.stack(list(asdict(found).values()), 1).numpy()  # type: ignore[call-overload]


@pytest.mark.parametrize("rank", ["abs", "signed"])
def test_against_loops_and_scipy(rank: str) -> None:
    maps, masks = stack()
    want = [reference(m, k, rank) for m, k in zip(maps.flatten(2).numpy(), masks.flatten(1).numpy(), strict=True)]
    np.testing.assert_allclose(numbers(localisation(maps, masks, rank=rank)), want, rtol=1e-12)


def test_ties_count_in_expectation() -> None:
    maps, masks = stack(1, (4, 1, 5, 5), levels=2)
    draw = np.random.default_rng(0)
    want = np.array(
        [reference(m, k, "abs", draw) for m, k in zip(maps.flatten(2).numpy(), masks.flatten(1).numpy(), strict=True)]
    )
    got = numbers(localisation(maps, masks))
    np.testing.assert_allclose(np.delete(got, 3, 1), np.delete(want, 3, 1), rtol=1e-12)
    np.testing.assert_allclose(got[:, 3], want[:, 3], atol=0.01)  # 4000 orders of values in [0, 1]


def test_exact_cases() -> None:
    """All on the object, all beside it, constant, zero."""
    mask = torch.zeros(1, 1, 4, 4, dtype=torch.bool)
    mask[..., :2, :2] = True
    right, wrong = mask.double(), (~mask).double()
    maps = torch.cat([right, -right, wrong, torch.ones_like(right), torch.zeros_like(right)])
    found = localisation(maps, mask.expand(5, 1, 4, 4))
    chance = 0.25
    assert found.pointing.tolist() == [1, 1, 0, chance, chance]
    assert found.rank_accuracy.tolist() == [1, 1, 0, chance, chance]
    assert found.auc.tolist() == [1, 1, 0, 0.5, 0.5]
    assert found.mass[:4].tolist() == [1, 1, 0, chance]
    assert found.times[:4].tolist() == [4, 4, 0, 1]
    assert found.gain[:4].tolist() == pytest.approx([1, 1, -1 / 3, 0])
    assert found.mass_positive[[0, 2, 3]].tolist() == [1, 0, chance]
    assert found.area.tolist() == [chance] * 5
    assert torch.stack([found.mass[4], found.times[4], found.gain[4], *found.mass_positive[[1, 4]]]).isnan().all()
    signed = localisation(maps, mask.expand(5, 1, 4, 4), rank="signed")
    assert signed.auc.tolist() == [1, 0, 0, 0.5, 0.5]


def test_grid_pointing_game_takes_the_positive_part_of_the_channel_sum() -> None:
    maps = torch.tensor([[[[3.0, 1.0]], [[-1.0, -2.0]], [[0.0, 3.0]]]])
    assert localisation(maps, torch.tensor([[[[True, False]]]])).mass_positive.tolist() == [0.5]


def test_empty_and_full_masks_and_maps_that_are_not_finite() -> None:
    maps, masks = stack(shape=(3, 1, 4, 4))
    masks[0], masks[1], maps[2, 0, 1, 1] = False, True, torch.nan
    found = asdict(localisation(maps, masks))
    area = found.pop("area")
    assert area[:2].tolist() == [0, 1]
    assert all(values[[0, 2]].isnan().all() for values in found.values())
    assert [found[m][1] for m in ("mass", "times", "pointing", "rank_accuracy")] == pytest.approx([1] * 4)
    assert found["auc"][1].isnan()
    assert found["gain"][1].isnan()


def test_chance_by_simulation() -> None:
    draw = torch.Generator().manual_seed(0)
    maps = torch.randn(3000, 1, 8, 8, generator=draw)
    masks = (torch.arange(64).view(1, 1, 8, 8) % 8 < 2).expand(3000, 1, 8, 8)
    found = asdict(localisation(maps, masks))
    chance = {
        "times": 1,
        "gain": 0,
        "auc": 0.5,
        **dict.fromkeys(("mass", "mass_positive", "rank_accuracy", "pointing"), 0.25),
    }
    for metric, level in chance.items():
        error = found[metric].std() / 3000**0.5
        assert abs(found[metric].mean() - level) < 4 * error < 0.04, metric


@settings(deadline=None)
@given(st.integers(0, 20), st.floats(1e-6, 1e6))
def test_no_number_sees_the_scale_and_ranks_see_no_offset(seed: int, scale: float) -> None:
    maps, masks = stack(seed, (2, 2, 5, 4), levels=seed % 3)
    maps[:, 0, 0, 0] += 0.5  # never all zero
    one = localisation(maps, masks, rank="signed")
    np.testing.assert_allclose(
        numbers(localisation(maps * scale, masks, rank="signed")), numbers(one), rtol=1e-9, atol=1e-12
    )
    moved = localisation(maps + 4, masks, rank="signed")
    assert torch.equal(moved.auc, one.auc)
    assert torch.equal(moved.rank_accuracy, one.rank_accuracy)


def test_a_sample_stands_alone() -> None:
    maps, masks = stack(levels=3)
    alone = [numbers(localisation(maps[i : i + 1], masks[i : i + 1]))[0] for i in range(len(maps))]
    np.testing.assert_allclose(numbers(localisation(maps, masks)), alone, rtol=1e-13)


def test_bad_arguments() -> None:
    maps, masks = stack()
    for bad in ((maps, masks.float()), (maps, masks[:2]), (maps[0], masks)):
        with pytest.raises(hp.InputError, match="localisation got"):
            localisation(*bad)
    with pytest.raises(hp.InputError, match="rank='size'"):
        localisation(maps, masks, rank="size")
    for options in ({"rank": "size"}, {"largest": 0.0}, {"largest": 1.5}, {"source": "png"}):
        with pytest.raises(hp.InputError, match="expected"):
            Localise(**options)  # type: ignore[arg-type]


def bench(options: Localise) -> Bench:
    """Masks of 1, 2, ... 6 rows of 8."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 64, 3)).eval()
    images = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    masks = (torch.arange(8).view(8, 1) < torch.arange(1, 7).view(6, 1, 1, 1)).expand(6, 1, 8, 8)
    methods = {"gradient": hp.gradient, "gradient_x_input": hp.gradient_x_input, "random_map": hp.random_map}
    subject = Subject(model, images, torch.arange(6) % 3, methods, (), hp.logit, (), images, chunk=4)
    return Bench(subject, "localise", options, masks)


def test_bench_gives_what_the_function_gives_whatever_the_batch() -> None:
    given = KIND.prepare(bench(Localise(rank="signed")))
    rows = [r for shard in ([0, 1, 2, 3], [4, 5]) for r in KIND.work(given, shard).rows]
    s = given.subject
    found = asdict(localisation(hp.gradient(s.model, s.images, s.targets), given.masks, rank="signed"))  # type: ignore[arg-type]
    for metric in KIND.measures(given.options):
        got = [r[6] for r in rows if r[0] == "gradient" and r[3] == metric]
        assert got == pytest.approx(found[metric].tolist(), rel=1e-5)
    assert {r[0] for r in rows} == set(s.methods)


def test_small_masks_alone() -> None:
    ready = KIND.prepare(bench(Localise(largest=0.25)))
    assert ready.kept == (0, 1)
    areas = [r[6] for r in KIND.work(ready, [0, 1]).rows if r[0] == "gradient" and r[3] == "area"]
    assert areas == [0.125, 0.25]
    with pytest.raises(hp.InputError, match=r"the smallest mask has 0\.125"):
        KIND.prepare(bench(Localise(largest=0.1)))


def test_masks_are_needed_and_must_not_favour_a_method() -> None:
    given = bench(Localise(source="nonzero"))
    with pytest.raises(hp.InputError, match="got no masks"):
        KIND.prepare(replace(given, masks=None))
    rows = KIND.work(KIND.prepare(given), [0]).rows
    assert {r[7] for r in rows if r[0] == "gradient_x_input"} == {"failed"}
    assert {r[7] for r in rows if r[0] != "gradient_x_input"} == {"ok"}


def test_noise_is_that_of_the_place_in_the_data_set_whichever_images_are_measured() -> None:
    whole, some = bench(Localise()), bench(Localise()).take([2, 4])

    def random(given: Bench, shard: list[int]) -> list[tuple[str, float]]:
        return [(r[3], r[6]) for r in KIND.work(given, shard).rows if r[0] == "random_map"]

    assert random(some, [0, 1]) == random(whole, [2, 4])
