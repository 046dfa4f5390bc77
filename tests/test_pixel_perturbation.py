"""Pixel perturbation: the measure against slow loops, its laws, its fills, and the best order known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import correlate1d
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve
from scipy.special import softmax
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.interval import estimate
from heatproof.checks.subject import Subject
from heatproof.faithfulness.fills import BLUR, FILLS, filler, mean_colour
from heatproof.faithfulness.kind import Bench
from heatproof.faithfulness.pixel_bench import KIND, PixelOptions
from heatproof.faithfulness.psi_choices import PSI_NAMES, psi_methods
from heatproof.faithfulness.quick import quick_faithfulness
from heatproof.faithfulness.removal import FRACTIONS, Order
from heatproof.faithfulness.road import road_imputed
from heatproof.named import named_methods


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(side: int = 6, channels: int = 2, outputs: int = 3, seed: int = 0) -> nn.Module:
    pixels = channels * side * side
    net = nn.Sequential(nn.Flatten(), nn.Linear(pixels, 7), nn.Tanh(), nn.Linear(7, outputs)).double().eval()
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=seeded(seed + p.numel()), dtype=torch.float64) / p.shape[-1] ** 0.5
    return net


def batch(count: int = 5, side: int = 6, channels: int = 2, seed: int = 1) -> tuple[Tensor, Tensor]:
    """Images, and maps with many ties."""
    x = torch.randn(count, channels, side, side, generator=seeded(seed), dtype=torch.float64)
    maps = torch.randint(-3, 4, x.shape, generator=seeded(seed + 1)).double()
    return x, maps


class Line(nn.Module):
    """f(x) = w . x, one number."""

    def __init__(self, w: Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(w)

    def forward(self, x: Tensor) -> Tensor:
        return (x * self.w).flatten(1).sum(1)


# the measure


def slow(net: nn.Module, image: Tensor, values: np.ndarray[Any, Any], p: float, which: str, colour: Tensor) -> Any:
    """Logits after removal, pixel by pixel."""
    order, image = np.argsort(values), image.clone()
    total = len(order)
    gone = order[: total - round((1 - p) * total)] if which == "least" else order[total - round(p * total) :]
    for pixel in gone:
        image[:, pixel // 6, pixel % 6] = colour
    return net(image[None]).detach().numpy()[0]


@pytest.mark.parametrize("which", ["least", "most"])
@pytest.mark.parametrize("rank", ["abs", "signed"])
def test_against_a_slow_loop(which: str, rank: str) -> None:
    net, (x, _) = network(), batch()
    maps = torch.randn(x.shape, generator=seeded(9), dtype=torch.float64)
    colour, grid = torch.tensor([0.3, -0.7], dtype=torch.float64), (0.05, 0.25, 0.5, 0.9)
    found = hp.pixel_perturbation(net, x, maps, fractions=grid, which=which, rank=rank, fill=colour, chunk=2)
    assert found.fractions == grid
    for b in range(len(x)):
        values = (maps[b].abs() if rank == "abs" else maps[b]).sum(0).flatten().numpy()
        logits = [slow(net, x[b], values, p, which, colour) for p in (0, *grid, 1)]
        target = int(logits[0].argmax())
        f = np.array([out[target] for out in logits])
        chance = np.array([softmax(out)[target] for out in logits])
        change = np.abs(f - f[0]) / abs(f[0])
        assert found.original[b].item() == pytest.approx(f[0], abs=1e-12)
        np.testing.assert_allclose(found.score[:, b], f[1:-1], atol=1e-12)
        np.testing.assert_allclose(found.change[:, b], change[1:-1], rtol=1e-10)
        np.testing.assert_allclose(found.probability[:, b], chance[1:-1], atol=1e-12)
        assert found.area[b].item() == pytest.approx(np.trapezoid(chance, [0, *grid, 1]), abs=1e-12)
        assert found.change_area[b].item() == pytest.approx(np.trapezoid(change, [0, *grid, 1]), abs=1e-12)


@pytest.mark.parametrize("rank", ["abs", "signed"])
def test_share_of_ties(rank: str) -> None:
    x, maps = batch()
    found = hp.pixel_perturbation(network(), x, maps, fractions=(0.5,), rank=rank).ties
    for b in range(len(x)):
        values = (maps[b].abs() if rank == "abs" else maps[b]).sum(0).flatten().tolist()
        assert found[b].item() == pytest.approx(np.mean([values.count(v) > 1 for v in values]), abs=1e-6)


@pytest.mark.parametrize(
    ("ties", "count", "change"), [("exact", 2, 1 / 3), ("all", 2, 1 / 3), ("exact", 1, 1 / 6), ("all", 1, 1 / 3)]
)
def test_linear_example_of_the_fullgrad_paper(ties: str, count: int, change: float) -> None:
    """semantics.md, T-S2-9."""
    w, x = torch.tensor([1.0, -1, 2, 0.25]).view(1, 2, 2), torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2)
    for seed in range(5):
        found = hp.pixel_perturbation(
            Line(w).eval(), x, w * x, fractions=(count / 4,), ties=ties, score=hp.value, seed=seed
        )
        assert found.change.item() == pytest.approx(change)
        assert found.original.item() == 6
        assert found.ties.item() == 0.5
        assert found.probability.isnan().all()


def test_ties_all_removes_whole_levels_from_either_end() -> None:
    maps = torch.tensor([[[[0.0, 0.0, 1.0, 3.0, 3.0, 3.0]]]])
    order = Order(maps, "abs", "all", seed=0)
    assert order.removed(1 / 6, "least").flatten().tolist() == [True, True, False, False, False, False]
    assert order.removed(1 / 6, "most").flatten().tolist() == [False, False, False, True, True, True]
    assert order.removed(4 / 6, "most").flatten().tolist() == [False, False, True, True, True, True]
    assert not order.removed(0.0, "least").any()
    assert not order.removed(0.0, "most").any()


def test_a_score_near_zero_has_no_relative_change() -> None:
    w = torch.ones(1, 2, 2)
    x = torch.tensor([[1.0, -1, 2, -2], [1.0, 1, 1, 1]]).view(2, 1, 2, 2)
    found = hp.pixel_perturbation(Line(w).eval(), x, x, fractions=(0.25, 0.5), score=hp.value)
    assert found.change[:, 0].isnan().all()
    assert found.change_area[0].isnan()
    assert found.change[:, 1].tolist() == [0.25, 0.5]
    assert found.score.isfinite().all()
    assert found.area[1].item() == pytest.approx(2.0), "of the score: 4 to 0 in a straight line"


def test_binary_logit_and_labels_have_probabilities() -> None:
    x, maps = batch(3)
    for score, outputs in ((hp.single_logit, 1), (hp.label_probability, 3)):
        net, target = network(outputs=outputs), torch.tensor([0, 1, 0])
        found = hp.pixel_perturbation(net, x, maps, target, fractions=(0.5,), score=score)
        out = net(hp.mask_pixels(x, maps, 0.5, "least", index=torch.arange(3))).detach()
        logit = out[:, 0] * torch.tensor([-1, 1, -1]) if outputs == 1 else out[torch.arange(3), target]
        torch.testing.assert_close(found.probability[0], 1 / (1 + torch.exp(-logit)))


def test_given_targets_are_followed() -> None:
    net, (x, maps) = network(), batch()
    target = torch.tensor([2, 0, 1, 2, 2])
    found = hp.pixel_perturbation(net, x, maps, target, fractions=(0.0, 1.0), fill=0.5, chunk=2)
    torch.testing.assert_close(found.score[0], net(x).detach()[torch.arange(5), target])
    torch.testing.assert_close(found.score[1], net(torch.full_like(x, 0.5)).detach()[torch.arange(5), target])
    assert found.change[0].max() == 0


def test_model_and_images_are_left_alone() -> None:
    net, (x, maps) = network(), batch()
    before, kept = x.clone(), [p.clone() for p in net.parameters()]
    hp.pixel_perturbation(net, x, maps, fill="road", fractions=(0.5,))
    assert torch.equal(x, before)
    assert all(torch.equal(p, k) for p, k in zip(net.parameters(), kept, strict=True))
    assert all(p.grad is None for p in net.parameters())


# laws


@given(st.integers(0, 20), st.integers(1, 5), st.integers(0, 3), st.sampled_from(["abs", "signed"]))
def test_exact_counts_and_complementary_sets(twentieth: int, levels: int, seed: int, rank: str) -> None:
    maps = torch.randint(-levels + 1, levels, (3, 2, 5, 7), generator=seeded(seed)).float()
    p = twentieth / 20
    order = Order(maps, rank, "exact", seed)
    most, least = order.removed(p, "most"), order.removed(1 - p, "least")
    assert (most.flatten(1).sum(1) == round(p * 35)).all(), "a constant map loses exactly round(pN) too"
    assert (most ^ least).all()
    ones = torch.ones(3, 1, 5, 7)
    assert torch.equal(most, hp.mask_pixels(ones, maps, p, "most", rank, seed=seed) == 0)
    assert torch.equal(least, hp.mask_pixels(ones, maps, 1 - p, "least", rank, seed=seed) == 0)


@settings(deadline=None, max_examples=20)
@given(st.sampled_from([0.125, 2.0, 64.0]), st.integers(-5, 5), st.sampled_from(["exact", "all"]))
def test_scale_and_signed_offset_change_nothing(scale: float, offset: int, ties: str) -> None:
    net, (x, maps) = network(), batch()

    def measured(m: Tensor, rank: str) -> Tensor:
        return hp.pixel_perturbation(net, x, m, fractions=(0.1, 0.4), rank=rank, ties=ties).score

    assert torch.equal(measured(maps, "abs"), measured(maps * scale, "abs"))
    assert torch.equal(measured(maps, "signed"), measured(maps * scale + offset, "signed"))


@pytest.mark.parametrize("fill", ["black", "blur", "noise", "road", 0.5])
def test_batch_mates_and_batch_size_change_nothing(fill: Any) -> None:
    net, (x, maps) = network().float(), batch()
    x, maps = x.float(), maps.float()
    options: dict[str, Any] = {"fractions": (0.1, 0.6), "fill": fill, "chunk": 3}
    whole = hp.pixel_perturbation(net, x, maps, **options)
    part = hp.pixel_perturbation(net, x[3:], maps[3:], index=torch.tensor([3, 4]), **options)
    alone = hp.pixel_perturbation(net, x[4:], maps[4:], index=torch.tensor([4]), **options)
    other = hp.pixel_perturbation(net, x, maps, **{**options, "chunk": 2})
    assert torch.equal(part.score, whole.score[:, 3:])
    assert torch.equal(alone.score, whole.score[:, 4:])
    torch.testing.assert_close(other.score, whole.score, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("count", [5, 6])
def test_no_order_beats_the_contributions_of_a_linear_model(count: int) -> None:
    w, x = torch.randn(2, 1, 1, count, generator=seeded(count), dtype=torch.float64).unbind(0)
    fill = 0.4
    grid = tuple(k / count for k in range(1, count))

    def areas(maps: Tensor) -> Tensor:
        images = x.expand(len(maps), 1, 1, count)
        options: dict[str, Any] = {"which": "most", "rank": "signed", "fill": fill, "score": hp.value, "chunk": 720}
        return hp.pixel_perturbation(Line(w).eval(), images, maps, fractions=grid, **options).area

    orders = torch.tensor(list(permutations(range(count))), dtype=torch.float64).view(-1, 1, 1, count)
    every = areas(orders)
    best = areas((w * (x - fill))[None])
    assert best.item() == pytest.approx(every.min().item(), abs=1e-12)
    assert (every < best + 1e-9).sum() == 1, "one order only"
    assert areas(-(w * (x - fill))[None]).item() == pytest.approx(every.max().item(), abs=1e-12)


# fills


def road_reference(image: np.ndarray[Any, Any], gone: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The sparse system, pixel by pixel, solved by scipy."""
    height, width = gone.shape
    unknown = {(int(y), int(x)): k for k, (y, x) in enumerate(np.argwhere(gone))}
    a, b = np.zeros((len(unknown), len(unknown))), np.zeros((len(unknown), len(image)))
    for (y, x), k in unknown.items():
        for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
            if 0 <= y + dy < height and 0 <= x + dx < width:
                weight = 1 / 6 if dy * dx == 0 else 1 / 12
                a[k, k] += weight
                if (y + dy, x + dx) in unknown:
                    a[k, unknown[y + dy, x + dx]] -= weight
                else:
                    b[k] += weight * image[:, y + dy, x + dx]
    out = image.copy()
    out[:, gone] = spsolve(csc_matrix(a), b).reshape(len(unknown), -1).T
    return out


@pytest.mark.parametrize("size", [(9, 9), (5, 12), (12, 4), (1, 8), (8, 1)])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_road_solves_the_system_of_the_paper(size: tuple[int, int], share: float) -> None:
    x = torch.randn(4, 3, *size, generator=seeded(1), dtype=torch.float64)
    gone = torch.rand(4, 1, *size, generator=seeded(2)) < share
    gone[..., 0, 0] = False
    gone[3] = True
    gone[3, ..., -1, -1] = False
    found = road_imputed(x, gone)
    for b in range(4):
        np.testing.assert_allclose(found[b], road_reference(x[b].numpy(), gone[b, 0].numpy()), atol=1e-10)
    torch.testing.assert_close(found[3], x[3, :, -1, -1][:, None, None].expand_as(x[3]), atol=1e-9, rtol=0)
    torch.testing.assert_close(road_imputed(x.float(), gone).double(), found, atol=1e-6, rtol=1e-6)


def test_road_without_any_pixel_left_is_the_mean_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(3, 2, 4, 5, generator=seeded(1))
    gone = torch.ones(3, 1, 4, 5, dtype=torch.bool)
    gone[1] = False
    found = road_imputed(x, gone)
    assert torch.equal(found[1], x[1])
    torch.testing.assert_close(found[::2], x[::2].mean((2, 3), keepdim=True).expand(2, 2, 4, 5))
    gone[0, 0, 2, 2] = False
    whole = road_imputed(x, gone)
    monkeypatch.setattr("heatproof.faithfulness.road.NUMBERS", 1)
    assert torch.equal(road_imputed(x, gone), whole), "few at a time"


def test_road_keeps_a_plane_inside() -> None:
    """Weights are symmetric, so a linear ramp with whole borders is its own mean of neighbours."""
    x = torch.arange(8.0)[:, None] * 2 - torch.arange(8.0)
    gone = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    gone[..., 1:-1, 1:-1] = True
    torch.testing.assert_close(road_imputed(x[None, None], gone), x[None, None])


def test_road_noise_is_small_and_the_same_for_every_mask() -> None:
    x, _ = batch(3, side=20)
    x[1] *= 50
    some, more = torch.rand(2, 3, 1, 20, 20, generator=seeded(3)) < torch.tensor([0.3, 0.6]).view(2, 1, 1, 1, 1)
    fill = filler("road", x, seed=1)
    noise = [(fill(m) - road_imputed(x, m)) for m in (some, more)]
    assert (noise[0][~some.expand_as(x)] == 0).all()
    both = (some & more).expand_as(x)
    torch.testing.assert_close(noise[0][both], noise[1][both])
    ranges = x.amax((1, 2, 3)) - x.amin((1, 2, 3))
    spread = torch.stack([n[m.expand_as(n)].std() for n, m in zip(noise[1], more, strict=True)])
    torch.testing.assert_close(spread, 0.01 * ranges, rtol=0.15, atol=0)


def test_colours() -> None:
    x, _ = batch(3)
    gone = torch.rand(3, 1, 6, 6, generator=seeded(5)) < 0.5
    black = torch.tensor([-1.5, 2.5], dtype=torch.float64)
    for given_, options, colour in (
        ("black", {}, torch.zeros(2)), ("black", {"black": black}, black), ("mean", {"mean": black}, black),
        (0.25, {}, torch.full((2,), 0.25)), (black, {}, black),
    ):  # fmt: skip
        out = filler(given_, x, **options)(gone)
        assert torch.equal(out, torch.where(gone, colour.double()[:, None, None], x))


def test_mean_colour_is_over_all_images() -> None:
    x = torch.rand(300, 2, 3, 5, generator=seeded(0))
    want = x.double().numpy().mean((0, 2, 3))
    np.testing.assert_allclose(mean_colour(x), want, atol=1e-7)
    np.testing.assert_allclose(mean_colour(x[:7]), x[:7].double().numpy().mean((0, 2, 3)), atol=1e-7)
    assert mean_colour(x) is mean_colour(x)


def test_blur_is_a_gaussian_of_a_tenth_of_the_side() -> None:
    x = torch.randn(2, 2, 12, 20, generator=seeded(0), dtype=torch.float64)
    gone = torch.ones(2, 1, 12, 20, dtype=torch.bool)
    found = filler("blur", x)(gone).numpy()
    kernel = np.exp(-(np.arange(-30, 31) ** 2) / (2 * (BLUR * 12) ** 2))

    def smooth(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return correlate1d(correlate1d(a, kernel, axis=-1, mode="constant"), kernel, axis=-2, mode="constant")

    np.testing.assert_allclose(found, smooth(x.numpy()) / smooth(np.ones_like(x.numpy())), atol=1e-10)


def test_noise_fills_the_range_of_each_channel_by_seed_and_place() -> None:
    x = torch.randn(2, 2, 40, 40, generator=seeded(0)) * torch.tensor([1.0, 9.0])[:, None, None]
    gone = torch.ones(2, 1, 40, 40, dtype=torch.bool)
    out = filler("noise", x, seed=3)(gone)
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    place = ((out - low) / (high - low)).flatten(2)
    assert place.min() >= 0
    assert place.max() <= 1 + 1e-6
    torch.testing.assert_close(place.mean(2), torch.full((2, 2), 0.5), atol=0.04, rtol=0)
    torch.testing.assert_close(place.std(2), torch.full((2, 2), 12**-0.5), atol=0.02, rtol=0)
    assert torch.equal(filler("noise", x[1:], seed=3, index=torch.tensor([1]))(gone[1:]), out[1:])
    assert not torch.equal(filler("noise", x, seed=4)(gone), out)
    assert not torch.equal(place[0], place[1])


def test_fills_leave_kept_pixels_alone() -> None:
    x, _ = batch(3)
    gone = torch.rand(3, 1, 6, 6, generator=seeded(5)) < 0.5
    for name in FILLS:
        out = filler(name, x, mean=torch.zeros(2))(gone)
        assert torch.equal(out[~gone.expand_as(x)], x[~gone.expand_as(x)])
        assert out.isfinite().all()
        assert (out != x).any()


@pytest.mark.parametrize("fill", ["grey", "mean", torch.zeros(3), torch.zeros(2, 6, 6), float("nan"), [[1.0]], None])
def test_bad_fills(fill: Any) -> None:
    with pytest.raises(hp.InputError, match="fill"):
        hp.pixel_perturbation(network(), *batch(), fill=fill)


@pytest.mark.parametrize(
    "options",
    [
        {"fractions": ()}, {"fractions": (0.5, 0.1)}, {"fractions": (0.1, 0.1)}, {"fractions": (0.5, 1.5)},
        {"fractions": (float("nan"),)}, {"which": "some"}, {"rank": "size"}, {"ties": "none"},
        {"maps": torch.full((5, 1, 6, 6), float("nan"))}, {"maps": torch.zeros(5, 1, 3, 3)},
        {"targets": torch.tensor([0, 1, 2, 3, 9])}, {"targets": torch.zeros(2, 5, dtype=torch.int64)},
        {"index": [0, 1]}, {"seed": 0.5, "fill": "noise"},
    ],
)  # fmt: skip
def test_bad_arguments(options: dict[str, Any]) -> None:
    x, maps = batch()
    with pytest.raises(hp.InputError):
        hp.pixel_perturbation(network(), x, **{"maps": maps, **options})


# the bench


def bench(methods: dict[str, Callable[..., Tensor]], chunk: int = 3, **options: Any) -> Bench:
    net, (x, _) = network().float(), batch(7)
    x, black = x.float(), torch.tensor([-0.5, 0.25])
    target = net(x).argmax(1)
    subject = Subject(net, x, target, methods, (), hp.logit, (), x, chunk=chunk, seed=2, black=black)
    return Bench(subject, "pixel", PixelOptions(**options))


def fixed_map(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return (inputs * 4).round()


def broken(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise RuntimeError("no map here")


def endless(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return inputs / 0


def test_bench_rows_are_those_of_the_function() -> None:
    fills = tuple(FILLS)
    case = bench({"fixed": fixed_map, "broken": broken, "endless": endless}, fills=fills, fractions=(0.1, 0.5))
    rows = KIND.work(case, [4, 5]).rows
    table = {(r[0], r[3], r[2], r[4]): r[6] for r in rows}
    s = case.subject
    images, index = s.images[[4, 5]], torch.tensor([4, 5])
    for fill in fills:
        for which, area in (("least", "insertion"), ("most", "deletion")):
            given_ = mean_colour(s.images) if fill == "mean" else fill
            p = hp.pixel_perturbation(
                s.model, images, (images * 4).round(), s.targets[[4, 5]], which=which, fill=given_, black=s.black,
                fractions=(0.1, 0.5), seed=2, index=index, chunk=3,
            )  # fmt: skip
            for b, i in enumerate((4, 5)):
                for stage in (1, 2):
                    for name in ("change", "score", "probability"):
                        want = getattr(p, name)[stage - 1, b].item()
                        assert table["fixed", f"{name}:{which}:{fill}", stage, i] == want
                assert table["fixed", f"{area}:{fill}", 0, i] == p.area[b].item()
                assert table["fixed", f"change_area:{which}:{fill}", 0, i] == p.change_area[b].item()
                assert table["fixed", "ties", 0, i] == p.ties[b].item()
        gap = table["fixed", f"insertion:{fill}", 0, 4] - table["fixed", f"deletion:{fill}", 0, 4]
        assert table["fixed", f"gap:{fill}", 0, 4] == pytest.approx(gap, abs=1e-7)
    assert {r[7] for r in rows if r[0] == "broken"} == {"failed"}
    assert {r[7] for r in rows if r[0] == "endless"} == {"undefined"}


@pytest.mark.parametrize(
    "options", [{}, {"orders": ("most",), "fills": ("road", "blur")}, {"orders": ("least",)}, {"fractions": (0.5, 1.0)}]
)
def test_bench_measures_name_every_row(options: dict[str, Any]) -> None:
    case = bench({"fixed": fixed_map}, **options)
    measures, levels = KIND.measures(case.options), KIND.levels(case.options)
    wanted = {(m, s) for m, k in measures.items() for s in (range(1, len(levels) + 1) if k.curve else [0])}
    rows = KIND.work(case, [0, 1, 2]).rows
    assert {(r[3], r[2]) for r in rows} == wanted
    assert {r[7] for r in rows} == {"ok"}
    assert levels == tuple(case.options.fractions)


def test_bench_directions() -> None:
    measures = KIND.measures(PixelOptions())
    better = {name: m.better for name, m in measures.items()}
    assert better == {
        "change_area:least:black": "lower", "change_area:most:black": "higher", "insertion:black": "higher",
        "deletion:black": "lower", "gap:black": "higher", "change:least:black": "lower", "change:most:black": "higher",
        "score:least:black": "higher", "score:most:black": "lower", "probability:least:black": "higher",
        "probability:most:black": "lower", "ties": "",
    }  # fmt: skip


def test_shards_and_chunks_of_the_bench_change_nothing() -> None:
    options: dict[str, Any] = {"fills": ("noise", "mean", "road"), "fractions": (0.3,)}
    whole = bench({"random": hp.METHODS["random_map"]}, **options)
    all_rows = [row for shard in ([0, 1, 2], [3, 4, 5]) for row in KIND.work(whole, shard).rows]
    table = {(r[3], r[2], r[4]): r[6] for r in all_rows}
    for row in KIND.work(whole, [2, 4]).rows:
        assert row[6] == table[row[3], row[2], row[4]]
    other = replace(whole, subject=replace(whole.subject, chunk=5))
    for row in KIND.work(other, [1, 2, 3, 4, 5]).rows:
        assert row[6] == pytest.approx(table[row[3], row[2], row[4]], abs=1e-5)


def test_original_and_filled_images_are_read_once_for_all_methods() -> None:
    from heatproof.engine.model import counted_rows

    options: dict[str, Any] = {"fills": ("black", "blur"), "fractions": (0.2, 0.4, 0.6)}
    one, two = bench({"a": fixed_map}, **options), bench({"a": fixed_map, "b": fixed_map}, **options)
    counts = []
    for case in (one, two):
        with counted_rows() as rows:
            KIND.work(case, [0, 1, 2])
        counts.append(rows[0] // 3)
    assert counts[1] - counts[0] == 2 * 2 * 3, "fills x orders x fractions, and nothing else"
    assert counts[0] == 12 + 1 + 2, "and the whole image and two fills"


def test_default_grid_holds_the_authors_and_what_areas_need() -> None:
    assert {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5} <= set(FRACTIONS)
    assert {0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9} <= set(FRACTIONS)
    assert PixelOptions().fractions == FRACTIONS


@pytest.mark.parametrize(
    "options",
    [
        {"fills": ()}, {"fills": ("grey",)}, {"fills": ("black", "black")}, {"orders": ()}, {"orders": ("first",)},
        {"orders": ("least", "least")}, {"fractions": (2.0,)}, {"rank": "size"}, {"ties": "some"},
    ],
)  # fmt: skip
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(hp.InputError, match="expected"):
        PixelOptions(**options)


# the choice of psi


def test_psi_methods_are_twelve_and_parse_under_their_own_names() -> None:
    texts = psi_methods()
    assert len(texts) == len(set(texts)) == 12
    assert list(named_methods(texts)) == texts
    assert list(PSI_NAMES) == texts[:4]


def test_psi_m_and_psi_mnist_are_what_the_paper_says() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)).eval()
    x = batch()[0].float()
    named = {PSI_NAMES[text].split(":")[0]: m for text, m in named_methods(psi_methods()).items() if text in PSI_NAMES}
    target = torch.zeros(5, dtype=torch.int64)
    psi_m = named["psi_m of section 6"](net, x, target)
    assert (psi_m < 0).any()
    assert torch.equal(psi_m, hp.fullgrad(net, x, target, values="signed", rescale="none"))
    psi_mnist = named["psi_mnist of section 6"](net, x, target)
    assert (psi_mnist >= psi_m.abs() - 1e-6).all()
    assert torch.equal(named["psi of the official code"](net, x, target), hp.fullgrad(net, x, target))


# ties are the image's own


def constant(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return torch.ones_like(inputs)


def central() -> nn.Module:
    """Two classes told apart in the middle of the image: what one order removes of it early, it removes of all images."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 2)).eval()
    weight = torch.zeros(2, 6, 6)
    weight[0, 2:4, 2:4] = 1
    net[1].weight.data, net[1].bias.data = weight.flatten(1), torch.zeros(2)
    return net


def told_apart(gain: Tensor) -> bool:
    e = estimate(gain[None].double().numpy())
    return bool(e.lower > 0 or e.upper < 0)


@pytest.mark.parametrize("which", ["least", "most"])
def test_a_constant_map_is_not_told_apart_from_chance(which: str) -> None:
    net, x = central(), torch.rand(24, 1, 6, 6, generator=seeded(0)) + 0.5
    target = torch.zeros(24, dtype=torch.int64)
    wrong = 0
    for seed in range(20):
        options: dict[str, Any] = {"fractions": (0.1, 0.3, 0.5, 0.7, 0.9), "which": which, "seed": seed, "chunk": 24}
        noise = hp.random_map(net, x, target, seed=seed)
        at = [hp.pixel_perturbation(net, x, m, target, **options).area for m in (torch.ones_like(x), noise)]
        wrong += told_apart(at[0] - at[1])
    assert wrong <= 4, "one of twenty is nominal; over four has a probability of .003"


def test_the_quick_score_does_not_tell_a_constant_map_from_chance() -> None:
    x, target, wrong = torch.rand(24, 1, 6, 6, generator=seeded(0)) + 0.5, torch.zeros(24, dtype=torch.int64), 0
    for seed in range(20):
        subject = Subject(central(), x, target, {"c": constant}, (), hp.logit, (), x, chunk=24, seed=seed)
        rows = quick_faithfulness(subject, list(range(24))).rows
        wrong += told_apart(torch.tensor([row[6] for row in rows]))
    assert wrong <= 4


def test_every_image_has_its_own_order_of_ties_which_its_place_alone_decides() -> None:
    maps, index = torch.zeros(3, 1, 5, 7), torch.tensor([7, 8, 7])
    order = Order(maps, "abs", "exact", 0, index)
    most, least = order.removed(0.4, "most"), order.removed(0.6, "least")
    assert (most ^ least).all()
    assert torch.equal(most[0], most[2])
    assert not torch.equal(most[0], most[1])
    ones = torch.ones(3, 1, 5, 7)
    for which, p, gone in (("most", 0.4, most), ("least", 0.6, least)):
        assert torch.equal(hp.mask_pixels(ones, maps, p, which, index=index) == 0, gone)
    net, x = central(), torch.ones(2, 1, 6, 6)
    x[:, :, :, :3] = 3
    found = hp.pixel_perturbation(net, x, torch.zeros_like(x), fractions=(0.2, 0.5), index=torch.tensor([5, 6]))
    assert not torch.equal(found.score[:, 0], found.score[:, 1])
    default = hp.pixel_perturbation(net, x, torch.zeros_like(x), fractions=(0.2, 0.5))
    second = hp.pixel_perturbation(net, x[1:], torch.zeros_like(x[1:]), fractions=(0.2, 0.5), index=torch.tensor([1]))
    assert torch.equal(default.score[:, 1:], second.score)
