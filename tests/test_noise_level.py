"""Noise level: sums outside a mask, total variation, the authors' percentile cut, and methods that masks favour."""

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
from heatproof.combine.composed import configure
from heatproof.faithfulness.kind import Bench
from heatproof.faithfulness.multiplied import multiplied
from heatproof.faithfulness.noise_level import KIND, VARIATION, Noise, noise_level
from heatproof.faithfulness.rectgrad_code import percentile_cut, preprocessed, way_of


def stack(seed: int = 0, shape: tuple[int, ...] = (5, 3, 7, 9)) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    maps = torch.randn(shape, generator=draw, dtype=torch.float64)
    return maps, torch.rand(shape[0], 1, *shape[2:], generator=draw) < 0.4


def reference(maps: np.ndarray, mask: np.ndarray) -> list[float]:
    """One map, pixel by pixel."""
    total = outside = variation = 0.0
    channels, height, width = maps.shape
    for i in range(height):
        for j in range(width):
            size = sum(abs(maps[c, i, j]) for c in range(channels))
            total += size
            outside += 0.0 if mask[0, i, j] else size
            for c in range(channels):
                variation += abs(maps[c, i + 1, j] - maps[c, i, j]) if i + 1 < height else 0
                variation += abs(maps[c, i, j + 1] - maps[c, i, j]) if j + 1 < width else 0
    area = 1 - mask.mean()
    return [outside, outside / total, outside / total / area, variation, variation / total]


def numbers(found: object) -> np.ndarray:
    return torch.stack(list(asdict(found).values()), 1).numpy()  # type: ignore[call-overload]


def test_against_loops() -> None:
    maps, masks = stack()
    want = [reference(m, k) for m, k in zip(maps.numpy(), masks.numpy(), strict=True)]
    np.testing.assert_allclose(numbers(hp.noise_level(maps, masks)), want, rtol=1e-12)


def test_total_variation_exact() -> None:
    """semantics.md, T-S3-10; one pixel alone has all its four edges; a flat map none."""
    assert noise_level(torch.tensor([[[[0.0, 1], [2, 4]]]])).total_variation.tolist() == [8]
    one = torch.zeros(1, 1, 5, 5)
    one[0, 0, 2, 2] = -3
    found = noise_level(torch.cat([one, torch.ones(1, 1, 5, 5)]))
    assert found.total_variation.tolist() == [12, 0]
    assert found.relative_variation.tolist() == [4, 0]


@settings(deadline=None)
@given(st.integers(0, 20), st.floats(1e-6, 1e6))
def test_ratios_see_no_scale_and_sums_are_proportional(seed: int, scale: float) -> None:
    maps, masks = stack(seed, (2, 2, 5, 4))
    one, other = noise_level(maps, masks), noise_level(maps * scale, masks)
    for name in ("outside", "total_variation"):
        torch.testing.assert_close(getattr(other, name), getattr(one, name) * scale, rtol=1e-12, atol=0)
    for name in ("outside_share", "outside_times", "relative_variation"):
        torch.testing.assert_close(getattr(other, name), getattr(one, name), rtol=1e-12, atol=0)
    assert (one.relative_variation <= 4).all()
    assert (one.outside_share <= 1).all()


def test_chance_is_one() -> None:
    """Maps that know nothing of the mask have times 1 on the mean, whatever the mask's area."""
    draw = torch.Generator().manual_seed(0)
    maps = torch.randn(2000, 1, 8, 8, generator=draw)
    masks = (torch.arange(64).view(1, 1, 8, 8) < 10).expand(2000, 1, 8, 8)
    times = noise_level(maps, masks).outside_times
    assert abs(times.mean() - 1) < 4 * times.std() / 2000**0.5 < 0.01


def test_zero_maps_maps_without_masks_and_maps_that_are_not_finite() -> None:
    maps, masks = stack(shape=(3, 1, 4, 4))
    maps[0], maps[1, 0, 0, 0] = 0, torch.inf
    found = noise_level(maps, masks)
    assert [found.outside[0], found.total_variation[0]] == [0, 0]
    assert found.outside_share[0].isnan()
    assert found.relative_variation[0].isnan()
    assert all(values[1].isnan() and values[2].isfinite() for values in asdict(found).values())
    bare = noise_level(maps)
    assert bare.outside.isnan().all()
    assert bare.total_variation[2] == found.total_variation[2]


def test_a_sample_stands_alone() -> None:
    maps, masks = stack()
    for how in (None, "code", "rectgrad"):
        alone = [numbers(noise_level(maps[i : i + 1], masks[i : i + 1], preprocess=how))[0] for i in range(5)]
        np.testing.assert_allclose(numbers(noise_level(maps, masks, preprocess=how)), alone, rtol=1e-13)


@pytest.mark.parametrize(
    ("maps", "masks", "preprocess"),
    [
        (torch.ones(2, 4, 4), None, None), ([1.0], None, None), (torch.ones(0, 1, 4, 4), None, None),
        (torch.ones(2, 1, 4, 4), torch.ones(2, 1, 4, 4), None), (torch.ones(2, 3, 4, 4), torch.ones(2, 3, 4, 4) > 0, None),
        (torch.ones(2, 1, 4, 4), torch.ones(1, 1, 4, 4) > 0, None), (torch.ones(2, 1, 4, 4), None, "codes"),
    ],
)  # fmt: skip
def test_bad_arguments(maps: Tensor, masks: Tensor | None, preprocess: str | None) -> None:
    with pytest.raises(hp.InputError):
        noise_level(maps, masks, preprocess=preprocess)


def authors_preprocess(attributions: np.ndarray, low: float, high: float) -> np.ndarray:
    """What utils.py of the authors does to (N, H, W, C), restated image by image."""
    out = []
    for s in attributions.sum(-1):
        a, b = np.percentile(s, low), np.percentile(s, high)
        cut = np.minimum(np.maximum(s, a), b)
        cut[s < a] = 0.0 if a > 0 else a
        out.append(cut)
    return np.stack(out)


def test_percentile_cut_exact() -> None:
    """semantics.md, T-S3-9."""
    m = torch.arange(-4.0, 5).view(1, 1, 3, 3)
    assert torch.equal(percentile_cut(m, 0, 100), m)
    assert percentile_cut(m).flatten().tolist() == pytest.approx([0] * 8 + [4])
    assert percentile_cut(m, 25, 75).tolist() == [[[[-2, -2, -2], [-1, 0, 1], [2, 2, 2]]]]
    assert percentile_cut(-m.abs() - 1, 50, 100).min() == -3, "under a negative percentile low values become it"


@pytest.mark.parametrize("low", [0.0, 37.5, 95.0, 100.0])
def test_percentile_cut_against_numpy(low: float) -> None:
    for shift in (0.0, -3.0):
        maps = stack(3, (6, 3, 8, 5))[0] + shift
        want = authors_preprocess(maps.permute(0, 2, 3, 1).numpy(), low, 100)
        np.testing.assert_allclose(percentile_cut(maps, low)[:, 0].numpy(), want, rtol=1e-12, atol=1e-14)


def test_code_takes_the_baselines_channel_sum_and_the_positive_part_of_rectgrad() -> None:
    maps, masks = stack()
    cut = authors_preprocess(maps.permute(0, 2, 3, 1).numpy(), 95, 100)
    kept = (~masks[:, 0]).numpy()
    np.testing.assert_allclose(
        noise_level(maps, masks, preprocess="code").outside.numpy(), (np.abs(cut) * kept).sum((1, 2)), rtol=1e-12
    )
    positive = maps.clamp(min=0).sum(1, keepdim=True)
    assert torch.equal(preprocessed(maps, "rectgrad"), positive)
    assert [way_of(m, "code") for m in (hp.gradient, hp.rectgrad, configure(hp.rectgrad, q=95.0))] == [
        "code", "rectgrad", "rectgrad",
    ]  # fmt: skip
    assert way_of(hp.rectgrad, "") is None


def net() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 36, 3)]
    return nn.Sequential(*layers).eval()


def bench(methods: dict[str, object], options: Noise, masks: bool = True, count: int = 5) -> Bench:
    draw = torch.Generator().manual_seed(1)
    images = torch.rand(count, 1, 12, 12, generator=draw) * (torch.rand(count, 1, 12, 12, generator=draw) < 0.4)
    targets = torch.arange(count) % 3
    subject = Subject(net(), images, targets, methods, (), hp.logit, (), images, chunk=4)  # type: ignore[arg-type]
    return Bench(subject, "noise", options, images > 0 if masks else None)


def own(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """Anyone's method that multiplies by the input."""
    return inputs.abs() * (2 + inputs)


def test_methods_multiplied_by_the_input_are_found() -> None:
    yes = {
        "gradient_x_input": hp.gradient_x_input, "ig": hp.integrated_gradients, "cgi": hp.cgi, "rectgrad": hp.rectgrad,
        "deeplift": hp.deeplift, "lrp": hp.lrp, "times": hp.times_input(hp.gradient), "input_map": hp.input_map, "own": own,
        "smooth": hp.smooth(hp.gradient_x_input, n=2), "vargrad": hp.vargrad(hp.times_input(hp.random_map), n=2),
        "set": configure(hp.integrated_gradients, steps=3),
    }  # fmt: skip
    no = {
        "gradient": hp.gradient, "guided": hp.guided_backprop, "gradcam": hp.gradcam, "smoothgrad": hp.smoothgrad,
        "fullgrad": hp.fullgrad, "random_map": hp.random_map, "edge_map": hp.edge_map, "compete": hp.compete(hp.gradient),
        "raises": lambda model, inputs, target: inputs[:, :, :2], "zero": lambda model, inputs, target: inputs * 0,
        "elsewhere": configure(hp.integrated_gradients, baseline=0.3, steps=3),
    }  # fmt: skip
    given = bench({**yes, **no}, Noise(source="nonzero"))
    assert multiplied(given.subject) == set(yes)
    normalised = replace(given.subject, images=(given.subject.images - 0.3) / 0.2)
    assert multiplied(normalised) == set(yes), "black need not be zero in the model's units"


def test_masks_of_nonzero_pixels_refuse_what_they_favour() -> None:
    methods = {"gradient": hp.gradient, "gradient_x_input": hp.gradient_x_input}
    ready = KIND.prepare(bench(methods, Noise(source="nonzero")))
    assert ready.options.unfair == ("gradient_x_input",)
    rows = KIND.work(ready, [0, 1]).rows
    assert {r[3] for r in rows if r[0] == "gradient"} == set(KIND.measures(ready.options))
    refused = [r for r in rows if r[0] == "gradient_x_input"]
    assert {r[3] for r in refused if r[7] == "ok"} == set(VARIATION)
    assert next(r[8] for r in refused if r[7] == "failed").startswith("gradient_x_input is zero wherever the input is")
    for open_to_all in (bench(methods, Noise()), bench(methods, Noise(source="nonzero"), masks=False)):
        assert KIND.prepare(open_to_all) == open_to_all


def test_masks_of_nonzero_pixels_on_normalised_images_refuse_by_black_and_by_zero() -> None:
    """Black is -1.5 there: what has a black baseline is zero on the background, what has none follows the -1.5."""
    zero = {
        "ig": configure(hp.integrated_gradients, baseline=-1.5, steps=3),
        "deeplift": configure(hp.deeplift, baseline=-1.5),
    }
    product = {"gradient_x_input": hp.gradient_x_input, "integrated_gradients": hp.integrated_gradients}
    given = bench({"gradient": hp.gradient, **zero, **product}, Noise(source="nonzero"))
    images, black = (given.subject.images - 0.3) / 0.2, torch.tensor([-1.5])
    ready = KIND.prepare(replace(given, subject=replace(given.subject, images=images, black=black)))
    assert set(ready.options.unfair) == set(zero)
    assert set(ready.options.product) == set(product)
    rows = KIND.work(ready, [0]).rows
    said = {r[0]: r[8] for r in rows if r[7] == "failed"}
    assert set(said) == {*zero, *product}
    assert all("is zero wherever the input is black" in said[name] for name in zero)
    assert all("the background's value, here -1.5, not the network" in said[name] for name in product)
    assert sorted(n.removeprefix("not measured against the masks: ") for n in ready.notes) == sorted(said.values())


def test_bench_gives_what_the_function_gives_whatever_the_batch() -> None:
    methods = {
        "gradient": hp.gradient, "rectgrad": hp.rectgrad, "broken": lambda model, inputs, target: inputs[:, :, :2],
        "infinite": lambda model, inputs, target: inputs / 0,
    }  # fmt: skip
    given = bench(methods, Noise(statistic="code"))
    rows = [r for shard in ([0, 1, 2, 3], [4]) for r in KIND.work(given, shard).rows]
    s = given.subject
    for name, how in (("gradient", "code"), ("rectgrad", "rectgrad")):
        maps = s.methods[name](s.model, s.images, s.targets)
        found = asdict(noise_level(maps, given.masks, preprocess=how))
        for metric in KIND.measures(given.options):
            got = [r[6] for r in rows if r[0] == name and r[3] == metric]
            assert got == pytest.approx(found[metric].tolist(), rel=1e-5)
    assert [r[7] for r in rows if r[0] == "broken"] == ["failed"] * 5
    assert {r[7] for r in rows if r[0] == "infinite"} == {"undefined"}
    bare = KIND.work(bench({"gradient": hp.gradient}, Noise(), masks=False), [0])
    assert {r[3] for r in bare.rows} == set(VARIATION)
    alone = KIND.work(given, [2]).rows
    assert [r[6] for r in alone if r[0] == "gradient"] == [r[6] for r in rows if r[0] == "gradient" and r[4] == 2]


@pytest.mark.parametrize("options", [{"statistic": "rectgrad"}, {"source": "png"}])
def test_bad_options(options: dict[str, str]) -> None:
    with pytest.raises(hp.InputError, match="expected ''"):
        Noise(**options)
