"""Judges and exact experiments of Sanity Checks: methods, similarities, simple models, edges, products, prior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity
from torch import Tensor

import heatproof as hp
from heatproof.named import method_from_text
from heatproof.papers.lab import Lab
from heatproof.papers.sanity_checks import (
    accuracy_claims,
    edges,
    edges_claims,
    methods,
    methods_claims,
    metrics,
    metrics_claims,
    prior,
    prior_claims,
    products,
    products_claims,
    theory,
    theory_claims,
    theory_edges,
)  # fmt: skip
from heatproof.papers.sanity_checks.alike import TUPLE, centred_ssim, magnitude, rolled
from heatproof.papers.types import Claim, Measured, Number

GROUPS = (
    methods_claims, metrics_claims, theory_claims, edges_claims, products_claims, prior_claims, accuracy_claims,
)  # fmt: skip
CLAIMS: dict[str, Claim] = {claim.id: claim for group in GROUPS for claim in group.CLAIMS}


def lab(folder: Path, **swapped: Any) -> Lab:
    return Lab(folder, folder, folder, swapped=swapped)


def held(claim: str, found: Measured) -> bool | None:
    judge = CLAIMS[claim].judge
    assert judge is not None
    return judge(found).held


def broken(text: str, how: Callable[[Tensor], Tensor]) -> Any:
    """A method whose maps are changed."""
    method = method_from_text(text)
    return lambda model, x, y=None, **options: how(method(model, x, y))


@pytest.fixture(scope="module")
def formulas(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return methods.formulas(lab(tmp_path_factory.mktemp("lab")))


@pytest.fixture(scope="module")
def linear(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return theory.linear(lab(tmp_path_factory.mktemp("lab")))


@pytest.fixture(scope="module")
def similarities(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return metrics.metrics(lab(tmp_path_factory.mktemp("lab")))


def test_claims_have_ids_of_their_own_and_an_experiment_each() -> None:
    assert len(CLAIMS) == sum(len(group.CLAIMS) for group in GROUPS)
    names = {e.name for group in GROUPS for e in group.EXPERIMENTS}
    assert all(claim.experiment in names and claim.protocol and claim.source for claim in CLAIMS.values())
    assert all(set(picture.claims) <= set(CLAIMS) for group in GROUPS for picture in group.PICTURES)


def test_errors_of_the_paper_did_not_hold(linear: Measured, similarities: Measured, tmp_path: Path) -> None:
    riemann = theory.riemann(lab(tmp_path))
    found = {"sanity-linear": linear, "sanity-metrics": similarities, "sanity-riemann": riemann}
    errors = [claim for claim in CLAIMS.values() if claim.error]
    assert {c.id for c in errors} == {"S1-5.3-lin-half", "S1-A.5-sum", "S1-Vis-zero"}
    assert all(held(claim.id, found[claim.experiment]) is False for claim in errors)
    assert riemann.value("pair/1") == pytest.approx(9.92)
    assert riemann.value("midpoint/2") == pytest.approx(6)


@pytest.mark.parametrize("id", [c.id for c in methods_claims.CLAIMS])
def test_methods_are_their_formulas(id: str, formulas: Measured) -> None:
    assert held(id, formulas) is True


SABOTAGE: Mapping[str, tuple[str, Any]] = {
    "S1-A.1": ("gradient", broken("gradient", Tensor.abs)),
    "S1-A.2": ("gradient_x_input", hp.gradient),
    "S1-A.2-equal": ("deeplift", broken("deeplift", Tensor.abs)),
    "S1-A.3": ("guided_backprop", method_from_text("deconvnet")),
    "S1-A.4": ("gradcam", broken("gradcam", lambda m: m.flip(-1))),
    "S1-A.5": ("integrated_gradients", method_from_text("integrated_gradients(rule='right')")),
    "S1-A.6": ("smoothgrad", method_from_text("smoothgrad(sigma=0.2)")),
    "S1-A.7": ("vargrad", method_from_text("smooth_squared(gradient, n=25)")),
}
"""By claim: the method that is broken, and what stands in its place."""


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    return methods.formulas(lab(tmp_path_factory.mktemp("lab"), **dict(SABOTAGE.values())))


@pytest.mark.parametrize("id", SABOTAGE)
def test_a_sabotaged_method_turns_its_claim(id: str, sabotaged: Measured) -> None:
    assert held(id, sabotaged) is False


def test_squares_are_no_variance(tmp_path: Path) -> None:
    model, (x, y) = methods.network(), methods.images()
    squares = lab(tmp_path, vargrad=method_from_text("smooth_squared(gradient, n=3)")).method("vargrad(gradient)")
    assert held("S1-A.7-order", Measured({"vargrad/tilted": Number(methods.tilted(squares, model, x, y))})) is False


def test_slow_convolution_is_the_layer() -> None:
    x, _ = methods.images()
    model, slow = methods.network(), methods.Slow(methods.network())
    logits = torch.stack([torch.from_numpy(slow.layers(one.numpy())[2]) for one in x])
    torch.testing.assert_close(logits, model(x).detach())


def test_linear_claims_hold(linear: Measured) -> None:
    ids = ("S1-5.3-lin", "S1-5.3-lin-product", "S1-5.3-lin-undefined", "S1-5.3-lin-noise", "S1-5.3-lin-input")
    assert [held(id, linear) for id in ids] == [True] * len(ids)


def test_a_half_turns_the_linear_claims(tmp_path: Path) -> None:
    half = theory.linear(lab(tmp_path, integrated_gradients=broken("integrated_gradients", lambda m: m / 2)))
    assert held("S1-5.3-lin-half", half) is True
    assert held("S1-5.3-lin-product", half) is False


@pytest.mark.parametrize(
    "id", [c.id for c in metrics_claims.CLAIMS if c.experiment == "sanity-metrics" and not c.error]
)
def test_similarities_are_their_formulas(id: str, similarities: Measured) -> None:
    assert held(id, similarities) is (id != "S1-Met-sign")  # orientations have no sign


def test_slow_similarities_are_those_of_scipy_and_skimage() -> None:
    a, b = (m[0, 0].numpy() for m in metrics.pairs(48, 1))
    assert metrics.slow_spearman(a, b) == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)
    x, y = ((m - m.min()) / (m.max() - m.min()) for m in (a, b))
    for data_range in (1.0, 2.0):
        expected = structural_similarity(x, y, win_size=5, data_range=data_range)
        assert metrics.slow_ssim(a, b, data_range) == pytest.approx(expected)
    features = hog(a / abs(a).max(), pixels_per_cell=(16, 16))
    np.testing.assert_allclose(metrics.slow_histograms(a), features, atol=1e-6)


def test_ssim_of_signed_maps_is_that_of_skimage() -> None:
    a, b = metrics.pairs(30, 3)
    x, y = ((m / m.abs().amax((1, 2, 3), keepdim=True))[:, 0].numpy() for m in (a, b))
    expected = [structural_similarity(p, q, win_size=5, data_range=2.0) for p, q in zip(x, y, strict=True)]
    assert centred_ssim(a, b).tolist() == pytest.approx(expected)
    assert centred_ssim(a, a).tolist() == pytest.approx([1.0] * 3)


def test_diverging_view_of_the_code() -> None:
    found = metrics.pair_diverging(np.array([-10, -3, -1, 0, 0.5, 1]))
    assert found == pytest.approx([-1, -1, -0.0128, 0.5, 0.7564, 1], abs=1e-4)


def noise_masks(**changed: float) -> Measured:
    values = {f"{kind}/{n}": {**metrics_claims.UNIFORM}[n] if kind == "uniform" else metrics_claims.NORMAL[n]
              for kind in ("uniform", "normal") for n in TUPLE} | changed  # fmt: skip
    return Measured({n: Number(v, v - 0.001, v + 0.001) for n, v in values.items()} | {"pairs": Number(50)})


def test_calibration_is_judged_by_chance() -> None:
    assert held("S1-B-calib-uniform", noise_masks()) is True
    assert held("S1-B-calib-uniform", noise_masks(**{"uniform/hog": 0.0793})) is True
    assert held("S1-B-calib-uniform", noise_masks(**{"uniform/hog": 0.0796})) is True  # four tests
    assert held("S1-B-calib-uniform", noise_masks(**{"uniform/hog": 0.0799})) is False
    assert held("S1-B-calib-normal", noise_masks(**{"normal/ssim": 0.007})) is False
    assert held("S1-B-calib", noise_masks()) is True
    assert held("S1-B-calib", noise_masks(**{"uniform/hog": 0.2})) is False


def around(value: float, half: float = 0.1) -> Number:
    return Number(value, value - half, value + half)


def product_numbers(value: float) -> Measured:
    keys = [
        f"{s}/{k}/{pair}/spearman_abs" for s in products.SETS for k in products.KINDS for pair in ("product", "input")
    ]
    support = {f"{key.removesuffix('spearman_abs')}support": around(0.3) for key in keys}
    return Measured({key: around(value) for key in keys} | support | {"Fashion-MNIST/null": around(0.85)})


def test_products_are_judged_by_their_intervals() -> None:
    for claim in ("S1-5.2", "S1-5.2-photos", "S1-5.2-input"):
        assert [held(claim, product_numbers(v)) for v in (0.7, 0.55, 0.3)] == [True, None, False]


def test_sweep_is_judged_at_the_largest_noise() -> None:
    def found(last: float) -> Measured:
        levels = [f"{part}/{level:g}/spearman_abs" for part in ("product", "gradient") for level in products.LEVELS]
        return Measured({n: around(last if n == "product/10/spearman_abs" else 0.9) for n in levels})

    assert [held("S1-5.2-noise", found(v)) for v in (0.7, 0.55, 0.3)] == [True, None, False]


def test_draws_are_around_zero_and_cut() -> None:
    x = torch.zeros(1, 1, 200, 200)
    cut, even, positive = (products.draw(kind, x, 0) for kind in products.KINDS)
    assert 0 <= float(positive.min()) < 0.01 < 0.99 < float(positive.max()) <= 1
    assert float(cut.abs().max()) <= 2
    assert float(even.abs().max()) <= 1
    assert float(cut.std()) == pytest.approx(0.8796, abs=0.01)
    assert float(even.std()) == pytest.approx(3**-0.5, abs=0.01)
    assert not torch.equal(cut, products.draw(products.KINDS[0], x, 1))


def edge_numbers(edge: float, closer: float, kept: float, mask: float = 0.0, more: float = 0.3) -> Measured:
    numbers: dict[str, Number] = {}
    for n in edges.METHODS:
        for metric in ("spearman", "ssim", "hog"):
            numbers |= {f"edges/{n}/{metric}": around(edge), f"edges-more/{n}/{metric}": around(closer),
                        f"kept/{n}/{metric}": around(kept), f"kept-more/{n}/{metric}": around(more)}  # fmt: skip
            numbers |= {f"closer/{guided}/{n}/{metric}": around(closer) for guided in edges.GUIDED}
    numbers |= {f"mask/{n}/{metric}": around(mask, 0.01) for n in edges.MASKED for metric in TUPLE}
    return Measured(numbers)


def test_edges_are_judged_by_their_intervals() -> None:
    assert [held("S1-Fig1", edge_numbers(v, 0, 0)) for v in (0.7, 0.55, 0.3)] == [True, None, False]
    for claim in ("S1-Fig1-GBP", "S1-Fig1-GGC", "S4-Fig8", "S4-Fig8-SSIM"):
        assert [held(claim, edge_numbers(0.5, v, 0)) for v in (0.2, 0.05, -0.2)] == [True, None, False]
    for claim in ("S1-5.4", "S4-Fig27"):
        assert [held(claim, edge_numbers(0, 0, v)) for v in (0.7, 0.55, 0.3)] == [True, None, False]
        assert [held(claim, edge_numbers(0, 0, 0.7, more=v)) for v in (0.3, 0.0, -0.3)] == [True, None, False]
    for claim in ("S1-B-calib-gradient", "S1-B-calib-ig", "S1-B-calib-gxi"):
        assert [held(claim, edge_numbers(0, 0, 0, v)) for v in (0.0, 0.045, 0.2, -0.2)] == [True, None, False, False]


def test_ssim_and_hog_do_not_decide_what_is_closest() -> None:
    found = dict(edge_numbers(0.5, 0.2, 0).numbers)
    rest = [n for n in edges.METHODS if n not in edges.GUIDED]
    for metric in ("ssim", "hog"):
        found |= {f"closer/guided_backprop/{n}/{metric}": around(-0.5) for n in rest}
    assert held("S1-Fig1-GBP", Measured(found)) is True


def small_network() -> torch.nn.Module:
    layers = torch.nn.Conv2d(3, 4, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(4 * 144, 3)
    network = torch.nn.Sequential(*layers).eval()
    noise = torch.Generator().manual_seed(3)
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=noise) / 10
    return network


def test_a_map_of_edges_is_most_like_edges(tmp_path: Path) -> None:
    x = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(4)).cumsum(3)
    place = lab(tmp_path, guided_backprop=method_from_text("edge_map"), gradcam=method_from_text("random_map"))
    found = edges.compared(edges.shown(place, small_network(), x, torch.zeros(3, 1, 1)))
    assert found["edges/guided_backprop/spearman"].value == pytest.approx(1)
    numbers = Measured(found)
    assert held("S1-Fig1", numbers) is True
    assert held("S1-Fig1-GBP", numbers) is True
    assert held("S1-Fig1-GGC", numbers) is False
    assert found["edges-more/guided_backprop/hog"].value > 0.1 > abs(found["edges/gradcam/spearman"].value)


def test_one_image_thrice_has_nothing_of_its_own() -> None:
    noise = torch.Generator().manual_seed(7)
    edge, one = (torch.rand(1, 1, 12, 12, generator=noise).expand(3, 1, 12, 12) for _ in range(2))
    maps = dict.fromkeys(edges.METHODS, one)
    found = edges.compared(edges.Shown(one, edge, maps, maps))
    found |= prior.compared([dict.fromkeys((*prior.METHODS, prior.NOISE), one)] * 4, edge)
    assert {n.value for key, n in found.items() if "-more/" in key} == {0.0}


def test_edges_are_black_where_there_are_none(tmp_path: Path) -> None:
    x = torch.ones(1, 3, 12, 12)
    x[..., 6:] = 3
    place = lab(tmp_path, gradient=lambda model, images, y: images.clone())
    found = edges.shown(place, small_network(), x, torch.full((3, 1, 1), -1.0))
    seen = found.edged["gradient"][0, 0]
    assert float(seen[3, 0]) == -1
    assert float(seen[3, 6]) == 3


def test_edge_maps_know_no_model(tmp_path: Path) -> None:
    assert held("S1-5.4-model", edges.without_model(lab(tmp_path))) is True
    leaking = lab(tmp_path, edge_map=lambda model, x, y: model(x).detach()[:, :1, None, None])
    assert held("S1-5.4-model", edges.without_model(leaking)) is False


def prior_numbers(own: float, more: float) -> Measured:
    values = {"edges": own, "edges-more": more}
    return Measured({f"{s}/{key}/guided_backprop/spearman": around(v) for s in prior_claims.SETS
                     for key, v in values.items()})  # fmt: skip


def test_prior_is_seen_beside_another_image() -> None:
    noise = torch.Generator().manual_seed(5)
    pictures, edge = torch.rand(6, 1, 12, 12, generator=noise), torch.rand(6, 1, 12, 12, generator=noise)
    maps = [dict.fromkeys(prior.METHODS, pictures) | {prior.NOISE: torch.rand(pictures.shape, generator=noise)}
            for _ in range(8)]  # fmt: skip
    found = prior.compared(maps, edge)
    assert found["networks/gradient/spearman"].value == 1
    assert found["networks-more/gradient/spearman"].lower > 0.5
    assert abs(found["networks/random_map/spearman"].value) < 0.2 > abs(found["edges/gradient/spearman"].value)
    numbers = {f"{s}/{n}": v for s in prior_claims.SETS for n, v in found.items()}
    assert held("S1-5.1", Measured(numbers)) is True
    assert held("S1-5.1-all", Measured(numbers)) is True
    assert held("S1-5.1-edges", prior_numbers(0.7, 0.3)) is True
    assert held("S1-5.1-edges", prior_numbers(0.3, 0.3)) is False
    assert held("S1-5.1-edges", prior_numbers(0.7, -0.3)) is False
    numbers["MNIST/networks-more/gradient/spearman"] = around(-0.1)
    assert held("S1-5.1", Measured(numbers)) is True
    assert held("S1-5.1-all", Measured(numbers)) is False
    numbers["photos/networks-more/guided_backprop/spearman"] = around(0.05)
    assert held("S1-5.1", Measured(numbers)) is None


def test_accuracy_is_judged_in_points() -> None:
    found = Measured({"mnist-cnn": Number(0.990, 0.988, 0.992), "mnist-mlp": Number(0.975, 0.972, 0.978)})
    assert held("S1-B-CNN", found) is True
    assert held("S1-B-MLP", found) is False


def test_sum_pool_gradient_is_the_printed_sum(tmp_path: Path) -> None:
    noise = torch.Generator().manual_seed(6)
    x = torch.rand(2, 1, 20, 20, generator=noise, dtype=torch.float64)
    x[..., :10] = 0.5
    w = torch.randn(1, 1, 3, 3, generator=noise, dtype=torch.float64)
    w = w * w.sum().sign()  # active where the image is even
    found = Measured(theory.all_filters(lab(tmp_path), w, x))
    assert held("S1-5.3-conv", found) is True
    assert held("S1-5.3-conv-even", found) is True
    assert held("S1-5.3-conv-zero", found) is False  # PyTorch's derivative at 0 is 0
    assert found.value("black/printed") == pytest.approx(1)
    assert found.value("index") > 0.1  # conv2d is a correlation: the printed index is wrong for it
    wrong = Measured(theory.all_filters(lab(tmp_path, gradient=hp.gradient_x_input), w, x))
    assert held("S1-5.3-conv", wrong) is False
    assert held("S1-5.3-conv-even", wrong) is False


def figure_numbers(pattern: float = 0.9, pattern_more: float = 0.3, more: float = 0.3, gap: float = 0.0) -> Measured:
    ranks = {f"{key}/{n}": around(more) for key in ("edges", "more") for n in theory.FIGURE}
    gaps = {f"gap/{n}": Number(gap) for n in theory.FIGURE if n != "smoothgrad"}
    return Measured({"pattern": around(pattern), "pattern-more": around(pattern_more), **ranks, **gaps})


@pytest.mark.parametrize("id", ["S1-Fig7", "S4-Fig26"])
def test_edge_detectors_are_told_by_edges(id: str) -> None:
    assert [held(id, figure_numbers(pattern=v)) for v in (0.9, 0.7, 0.5)] == [True, None, False]
    assert [held(id, figure_numbers(pattern_more=v)) for v in (0.3, 0.05, -0.3)] == [True, None, False]
    assert [held(id, figure_numbers(more=v)) for v in (0.3, 0.05, -0.3)] == [True, None, False]
    assert held(id, figure_numbers(gap=0.1)) is False


def test_area_under_the_curve_is_the_share_of_pairs() -> None:
    edge = torch.tensor([[3.0, 1.0, 1.0, 0.0], [1.0, 1.0, 1.0, 1.0], [1.0, 2.0, 3.0, 4.0]])
    marked = torch.tensor([[True, True, False, False]] * 2 + [[False] * 4])
    found = theory_edges.told_apart(edge, marked)
    assert found[:2].tolist() == [(1 + 1 + 0.5 + 1) / 4, 0.5]
    assert bool(found[2].isnan())


def test_helpers() -> None:
    maps = torch.tensor([[[[1.0]], [[-2.0]]], [[[0.0]], [[4.0]]]])
    assert magnitude(maps).flatten().tolist() == [3.0, 4.0]
    assert rolled(magnitude(maps)).flatten().tolist() == [4.0, 3.0]
