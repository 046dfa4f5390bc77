"""Claims of the FullGrad paper: judges, slow versions, exact experiments, and methods broken on purpose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.papers.fullgrad import (
    answers,
    biases,
    decomposition,
    decomposition_claims,
    definitions,
    faithfulness_claims,
    maps_claims,
    mnist,
    official,
    official_claims,
    official_code,
    photos,
    pixel,
    psi_claims,
    retrain,
    retrain_claims,
    theory,
    theory_claims,
)
from heatproof.papers.lab import Lab
from heatproof.papers.types import Claim, Finding, Measured, Number, joined
from heatproof.theory.implicit_bias import FORMULAS

GROUPS = (
    theory_claims, decomposition_claims, official_claims, maps_claims, faithfulness_claims, psi_claims, retrain_claims,
)  # fmt: skip
CLAIMS, EXPERIMENTS, PICTURES = joined(*GROUPS)
HELD, UNCLEAR, BROKEN = (0.2, 0.1, 0.3), (0.2, -0.1, 0.5), (-0.2, -0.3, -0.1)
"""Differences with their intervals that say yes, cannot tell, and no."""


def lab(folder: Path, swapped: Mapping[str, Any] | None = None) -> Lab:
    return Lab(folder, folder / "networks", folder / "runs", swapped=swapped or {})


def claim(id: str) -> Claim:
    return next(c for c in CLAIMS if c.id == id)


def judged(id: str, found: Measured) -> Finding:
    judge = claim(id).judge
    assert judge is not None
    return judge(found)


def measured(*numbers: tuple[str, Any], **words: str) -> Measured:
    made = {name: Number(*v) if isinstance(v, tuple) else Number(v) for name, v in numbers}
    return Measured(made, {}, words)


# -- the whole ------------------------------------------------------------------------------------------------------------


def test_every_claim_has_an_experiment_or_says_why_not() -> None:
    names = {e.name for e in EXPERIMENTS}
    assert (len({c.id for c in CLAIMS}), len(names)) == (len(CLAIMS), len(EXPERIMENTS))
    for c in CLAIMS:
        assert (c.experiment in names and c.judge is not None) or (not c.experiment and c.missing), c.id
        assert c.id.startswith("S2-"), c.id
        assert c.says.endswith("."), c.id
        assert c.source, c.id
        assert c.published, c.id
    for p in PICTURES:
        assert {claim(id).id for id in p.claims}
        assert p.experiment in names


def test_every_row_of_the_checklist_is_a_claim() -> None:
    rows = "Def1 Def2 Prop1 Ex1 Prop2 Prop3 Impl Sat Ex2 WD Eq2 Fig1 Fig2a 5.1-alt Fig2b 6-digit 6-mnist Simple Smooth"
    assert {f"S2-{row}" for row in rows.split()} | {"S2-Fig3-noise"} <= {c.id for c in CLAIMS}


def test_the_budget() -> None:
    others = [e for e in EXPERIMENTS if e.name != "fullgrad-roar"]
    assert sum(e.minutes[0] or 0 for e in EXPERIMENTS) <= 4.5
    assert sum(e.minutes[1] or 0 for e in others) <= 20


# -- exact experiments, run for real --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exact(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measured]:
    here = lab(tmp_path_factory.mktemp("lab"))
    made: dict[str, Callable[[Lab], Measured]] = {
        "fullgrad-examples": theory.examples,
        "fullgrad-definitions": definitions.definitions,
        "fullgrad-non-linearities": decomposition.non_linearities,
        "fullgrad-official-code": official_code.code,
    }
    return {name: measure(here) for name, measure in made.items()}


@pytest.mark.parametrize("id", [c.id for c in CLAIMS if c.experiment in (
    "fullgrad-examples", "fullgrad-definitions", "fullgrad-non-linearities", "fullgrad-official-code")])  # fmt: skip
def test_exact_claims_hold_and_errors_of_the_paper_do_not(exact: dict[str, Measured], id: str) -> None:
    found = judged(id, exact[claim(id).experiment])
    assert found.held is (not claim(id).error)


def test_example_1_has_the_printed_values(exact: dict[str, Measured]) -> None:
    values = [exact["fullgrad-examples"].value(f"ig/{t}/{i}") for t in ("4", "2", "1.5") for i in (1, 2)]
    assert values == pytest.approx([10, 6, 4, 4, 2.5, 3.5])


def test_the_same_twice(exact: dict[str, Measured], tmp_path: Path) -> None:
    assert theory.examples(lab(tmp_path)).numbers == exact["fullgrad-examples"].numbers
    assert official_code.code(lab(tmp_path)).numbers == exact["fullgrad-official-code"].numbers


# -- broken on purpose ----------------------------------------------------------------------------------------------------


def halved(name: str) -> Callable[..., Tensor]:
    """A method of which half is lost."""

    def broken(*args: Any, **kwargs: Any) -> Tensor:
        return hp.METHODS[name](*args, **kwargs) / 2

    return broken


def seeing_the_output(model: nn.Module, x: Tensor, target: Any = None, **kwargs: Any) -> Tensor:
    """A map that knows the biases."""
    return torch.ones_like(x) * model(x).detach().amax()


@pytest.mark.parametrize(
    ("name", "swap", "measure", "ids"),
    [
        ("integrated_gradients", halved("integrated_gradients"), theory.examples, ["S2-Ex1"]),
        ("integrated_gradients", halved("integrated_gradients"), definitions.definitions, ["S2-Def2"]),
        ("gradient", hp.METHODS["gradient_x_input"], definitions.definitions, ["S2-Def1"]),
        ("guided_backprop", seeing_the_output, theory.examples, ["S2-Ex2"]),
        ("deeplift", hp.METHODS["gradient"], definitions.definitions, ["S2-Prop1-complete", "S2-Def2"]),
        ("gradient_x_input", hp.METHODS["integrated_gradients"], theory.examples, ["S2-Sat"]),
    ],
)
def test_a_broken_method_turns_the_claim(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    swap: Any,
    measure: Callable[[Lab], Measured],
    ids: list[str],
) -> None:
    monkeypatch.setattr(definitions, "NETWORKS", 1)
    monkeypatch.setattr(definitions, "EVERY", 100)
    found = measure(lab(tmp_path, {name: swap}))
    assert [judged(id, found).held for id in ids] == [False] * len(ids)


def test_equation_1_without_biases_and_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {"VGG-9": lambda: (decomposition.drawn(decomposition.VGG9(width=0.1), 2), decomposition.images(2, 3, 32))}
    monkeypatch.setattr(decomposition, "networks", lambda lab: few)
    monkeypatch.setattr(decomposition_claims, "PIECEWISE", ("VGG-9",))
    monkeypatch.setattr(decomposition_claims, "OTHERS", ())
    found = decomposition.equation_1(lab(tmp_path))
    assert (judged("S2-Prop2", found).held, judged("S2-Prop3", found).held) == (True, True)
    assert found.value("input only/VGG-9") > 0.01
    broken = decomposition.equation_1(lab(tmp_path, {"gradient_x_input": hp.METHODS["gradient"]}))
    assert (judged("S2-Prop2", broken).held, judged("S2-Prop3", broken).held) == (False, False)


def test_implicit_biases_are_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(FORMULAS, "GELU", torch.zeros_like)
    assert judged("S2-Impl", decomposition.non_linearities(lab(tmp_path))).held is False


# -- slow versions --------------------------------------------------------------------------------------------------------


def small_net() -> nn.Module:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3, padding=1),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 4),
    )  # fmt: skip
    return decomposition.drawn(net, 5)


@pytest.mark.parametrize("name", official.MAPS)
def test_slow_maps_are_the_methods(name: str, tmp_path: Path) -> None:
    text, how = official.MAPS[name]
    net, x = small_net(), decomposition.images(2, 3, 8)
    assert official.apart(lab(tmp_path).method(text)(net, x), official.slow_map(net, x, how)) < 1e-12


def test_the_slow_map_of_the_worked_example() -> None:
    """T-S2-7: one convolution and a linear layer by hand."""
    net = nn.Sequential(nn.Conv2d(1, 2, (1, 3), padding=(0, 1)), nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[[[0.0, 1, 1]]], [[[1.0, -1, 0]]]]))
        net[0].bias.copy_(torch.tensor([1.0, -1.0]))
        net[3].weight.copy_(torch.tensor([[1.0, 2, -1, 1, -2, 1], [0.0] * 6]))
        net[3].bias.copy_(torch.tensor([0.5, -9.0]))
    x = torch.tensor([[[[1.0, -2.0, 4.0]]]], dtype=torch.float64)
    assert official.slow_map(net.eval(), x, "layer").flatten().tolist() == pytest.approx([0, 3, 5 / 6])


def test_smoothing_is_the_mean_of_maps_where_the_code_has_one_map_of_sums(tmp_path: Path) -> None:
    found = official.smooth(lab(tmp_path), small_net(), decomposition.images(2, 3, 8))
    assert found["SmoothFullGrad/mean of maps"].value < 1e-12
    assert judged("S2-Smooth", Measured(found)).held is False


def test_the_code_sums_signed_shares_and_takes_psi_once() -> None:
    net, x = official.Only(small_net(), 1), decomposition.images(1, 3, 8)
    once, thrice = (official.summed(net, x.repeat(n, 1, 1, 1)) for n in (1, 3))
    assert official.apart(thrice, once) < 1e-4  # psi does not see the scale, but for the code's 1e-6


@pytest.mark.parametrize(("yes", "unclear", "answer"), [(2, 0, True), (1, 1, None), (0, 2, None), (1, 0, False)])
def test_many(yes: int, unclear: int, answer: bool | None) -> None:
    assert answers.many([True] * yes + [None] * unclear + [False] * 3, 2) is answer


def test_shares_by_parameters_are_those_of_the_decomposition() -> None:
    net, x = small_net(), decomposition.images(1, 3, 8)
    d = hp.full_gradient(net, x)
    assert float(decomposition.by_parameters(net, x)) == pytest.approx(sum(float(t.value.sum()) for t in d.terms))


def test_hooks_pair_rightly_where_modules_run_as_registered() -> None:
    net, x = small_net(), decomposition.images(3, 3, 8)
    assert torch.allclose(official_code.by_hooks(net, x), net(x).amax(1))


def test_variation_and_pictures_of_half_size() -> None:
    m = torch.tensor([[[[0.0, 1.0], [2.0, 4.0]]]])
    assert photos.variation(m).item() == pytest.approx((2 + 3 + 1 + 2) / 7)
    assert photos.variation(3 * m).item() == pytest.approx(photos.variation(m).item())
    assert photos.smaller(m[0]).tolist() == [[[1.75]]]


# -- measures on networks small enough to know -----------------------------------------------------------------------------


def test_perturbation_of_a_linear_network_by_hand(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(4, 2, bias=False)).eval()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[2.5, -1.5, 2.0, 0.2], [0.0] * 4]))
    x = torch.tensor([1.0, 2, 3, 4]).view(1, 1, 2, 2)  # f = 2.5 - 3 + 6 + .8
    methods = pixel.named(lab(tmp_path), {pixel.FULLGRAD: "gradient_x_input", "gradient": "gradient"})
    found = pixel.perturbed(lab(tmp_path), "run", net, x, methods, torch.zeros(1))
    assert found[f"least/{pixel.FULLGRAD}/0.5"].value == pytest.approx(3.3 / 6.3)
    assert found["least/gradient/0.5"].value == pytest.approx(2.2 / 6.3)
    assert found[f"most/{pixel.FULLGRAD}/0.5"].value == pytest.approx(3 / 6.3)
    assert found[f"least/gradient - {pixel.FULLGRAD}/0.5"].value == pytest.approx((2.2 - 3.3) / 6.3)
    assert found[f"least/gradient - {pixel.FULLGRAD}"].value == pytest.approx((2.2 - 3.3) / 6.3 / 8)


def test_only_ink_is_removed_by_hand() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, bias=False)).eval()
    with torch.no_grad():
        net[1].weight.copy_(torch.tensor([[1.0] * 6, [0.0] * 6]))
    x = torch.tensor([0.0, 0, 1, 2, 3, 4]).view(1, 1, 2, 3)  # f = 10
    low_first, high_first = (mnist.on_ink(net, x, lambda m, x, s=s: (s - x).abs(), 0.0) for s in (0.0, 9.0))
    # of four pixels of ink 5 and 10 % are none, 25 % is one, 50 % two
    assert low_first.item() == pytest.approx((0 + 0 + 0.1 + 0.3) / 4)
    assert high_first.item() == pytest.approx((0 + 0 + 0.4 + 0.7) / 4)
    assert mnist.over_black(net, x - 0.42).flatten().tolist() == pytest.approx([0, 0, 1, 2, 3, 4])


def test_a_floor_hides_nothing() -> None:
    m = torch.tensor([[[[0.0, 1.0], [-2.0, 4.0]]]])
    assert torch.equal(photos.over_floor(m), m.abs())
    assert torch.equal(photos.over_floor(m.abs() + 7), m.abs())


def test_layers_sum_to_fullgrad() -> None:
    parts = nn.Conv2d(3, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(2)
    more = nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    net, x = decomposition.drawn(nn.Sequential(*parts, *more), 4), decomposition.images(1, 3, 8)
    stack = list(photos.by_layer(hp.full_gradient(net, x)))
    assert len(stack) == 3
    assert torch.allclose(sum(stack, torch.zeros(())), hp.fullgrad(net, x))
    by_hand = official.slow_map(net, x, "channel") + photos._input_terms(net, x)
    leaf = x.clone().requires_grad_()
    grad = torch.autograd.grad(net(leaf).amax(1).sum(), leaf)[0].abs()
    low, high = grad.amin((2, 3), keepdim=True), grad.amax((2, 3), keepdim=True)
    times_x = (grad * x).abs()
    least, most = times_x.amin((2, 3), keepdim=True), times_x.amax((2, 3), keepdim=True)
    expected = ((grad - low) / (high - low) - (times_x - least) / (most - least)).sum(1, keepdim=True)
    assert torch.allclose(by_hand - official.slow_map(net, x, "channel"), expected)


def test_shares_of_implicit_biases() -> None:
    net = small_net().float()
    norm = biases.norms(net)[0]
    explicit, implicit = biases.parts_of(norm)
    assert torch.allclose(explicit + implicit, norm(torch.zeros(1, 4, 1, 1)).flatten(), atol=1e-6)
    x = decomposition.images(3, 3, 8).float()
    mid = net[0](x).detach()
    out = norm(mid).detach().requires_grad_()
    slope = torch.autograd.grad(net[2:](out).amax(1).sum(), out)[0].abs().sum((2, 3))
    sizes = [(slope * part.abs()).sum(1) for part in (explicit, implicit)]
    assert torch.allclose(biases.shares(net, x), sizes[1] / (sizes[0] + sizes[1]))


def test_digits_are_erased_where_the_maps_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = nn.Sequential(nn.Flatten(), nn.Linear(784, 10, bias=False)).eval()
    with torch.no_grad():
        linear[1].weight.zero_()
        linear[1].weight[8, :100], linear[1].weight[3, 100:200] = 1.0, 1.0
    monkeypatch.setattr(Lab, "lenet", lambda self: linear)
    ink = torch.zeros(1, 1, 28, 28)
    ink.view(-1)[:200] = 1.0
    found = pixel.flipped(lab(tmp_path, {"fullgrad": hp.METHODS["gradient"]}), pixel.mnist_units(ink))
    after = found[f"after/{pixel.MINIMAL}"].flatten()
    assert after[:100].abs().max() < 1e-6 and torch.equal(after[100:200], torch.ones(100))  # noqa: PT018
    assert found[f"odds/{pixel.MINIMAL}"].item() == pytest.approx(100 / 0.3081, rel=1e-4)


# -- judges on made-up numbers --------------------------------------------------------------------------------------------


def pixel_numbers(gap: tuple[float, ...]) -> Measured:
    made: dict[str, Any] = {}
    names = (pixel.FULLGRAD, *pixel.RIVALS, *pixel.PSI, pixel.RANDOM)
    for order in ("least", "most"):
        made |= {f"{order}/{a}{f}": 0.5 for a in names for f in ("", *(f"/{f:g}" for f in pixel.FRACTIONS))}
        made["images"] = 16
        for a, b in pixel.pairs(names):
            lower_is_better = a == pixel.FULLGRAD or b == pixel.RANDOM
            sign = -1 if lower_is_better and order == "least" else 1
            signed = (sign * gap[0], *sorted(sign * v for v in gap[1:]))
            made |= {f"{order}/{a} - {b}{f}": signed for f in ("", *(f"/{f:g}" for f in pixel.FRACTIONS))}
    made |= {f"{pixel.SIGNED}{k}": v for k, v in made.items() if k.startswith("least")}
    return measured(*made.items())


@pytest.mark.parametrize(("gap", "answer"), [(HELD, True), (UNCLEAR, None), (BROKEN, False)])
@pytest.mark.parametrize("id", ["S2-Fig2a", "S2-Fig2a-cifar", "S2-Fig2a-mean", "S2-Fig2a-cifar-mean", "S2-5.1-least",
                                "S2-5.1-least-cifar", "S2-6-minimal", "S2-6-minimal-photos"])  # fmt: skip
def test_pixel_judges(id: str, gap: tuple[float, ...], answer: bool | None) -> None:
    found = judged(id, pixel_numbers(gap))
    assert found.held is answer
    assert bool(found.reason) == (answer is None)


def test_one_fraction_where_another_method_is_lower_is_enough() -> None:
    numbers = dict(pixel_numbers(HELD).numbers)
    numbers[f"least/Grad-CAM - {pixel.FULLGRAD}/0.5"] = Number(*BROKEN)
    found = judged("S2-Fig2a-cifar", Measured(numbers))
    assert found.held is False
    assert "Grad-CAM (at 50 %) lower" in found.measured
    assert judged("S2-Fig2a-cifar-mean", Measured(numbers)).held is True


@pytest.mark.parametrize(
    ("gap", "answer"),
    [(HELD, False), (BROKEN, False), (UNCLEAR, None), ((0.01, -0.02, 0.04), True), ((-0.02, -0.03, -0.01), True)],
)
def test_like_random_removal_is_an_interval_about_zero(gap: tuple[float, ...], answer: bool | None) -> None:
    assert judged("S2-5.1-alt", pixel_numbers(gap)).held is answer  # random removal changes .5: within .05


def test_methods_below_random_removal_are_named() -> None:
    assert (
        "changes less than random removal: FullGrad, Grad-CAM" in judged("S2-5.1-alt", pixel_numbers(BROKEN)).measured
    )


def test_both_ways_of_ranking_psi_m_count() -> None:
    numbers = dict(pixel_numbers(HELD).numbers)
    for gap, answer in ((UNCLEAR, None), (BROKEN, False)):
        numbers[f"{pixel.SIGNED}least/{pixel.MINIMAL} - {pixel.FULLGRAD}"] = Number(*gap)
        assert judged("S2-6-minimal", Measured(numbers)).held is answer


@pytest.mark.parametrize(
    ("gap", "better", "none"),
    [(BROKEN, True, False), (UNCLEAR, None, None), (HELD, False, True), ((0.0, -0.01, 0.01), None, True)],
)
def test_psi_of_mnist(gap: tuple[float, ...], better: bool | None, none: bool | None) -> None:
    names = (pixel.FULLGRAD, *pixel.PSI, mnist.IMAGE, pixel.RANDOM)
    made = [(f"{what}/{n}", 0.5) for what in ("least", "ink") for n in names]
    gaps = [(f"{what}/{pixel.MNIST} - {pixel.FULLGRAD}", gap) for what in ("least", "ink")]
    numbers = measured(*made, *gaps, ("black", 0.8))
    assert judged("S2-6-mnist", numbers).held is better
    assert judged("S2-6-mnist-ink", numbers).held is better
    assert judged("S2-6-mnist-cifar", numbers).held is none  # up to a tenth of .5


@pytest.mark.parametrize(("gap", "answer"), [(HELD, True), (UNCLEAR, None), (BROKEN, False)])
def test_judges_of_one_difference(gap: tuple[float, ...], answer: bool | None) -> None:
    names = (pixel.FULLGRAD, *pixel.PSI, "gradient x input", pixel.RANDOM)
    gaps = ((f"flip/{pixel.MINIMAL} - {pixel.FULLGRAD}", 9.0), (pixel.MUCH_MORE, gap))
    flip = measured(*((f"flip/{n}", 1.0) for n in names), *gaps)
    assert judged("S2-6-digit", flip).held is answer
    areas = [(f"area/{n}", 0.5) for n in (*retrain.METHODS, *retrain.MINIMAL, retrain.RANDOM)]
    names = (*retrain.METHODS, *retrain.MINIMAL)
    apart = [(f"{n} - {base}", gap) for n in names for base in ("FullGrad", retrain.RANDOM)]
    roar = measured(*areas, *apart)
    assert judged("S2-Fig2b", roar).held is answer
    assert judged("S2-6-minimal-roar", roar).held is answer


@pytest.mark.parametrize(("gap", "answer"), [(HELD, True), (UNCLEAR, None), (BROKEN, False)])
def test_judges_of_maps(gap: tuple[float, ...], answer: bool | None) -> None:
    layers = ["FullGrad", "input", "1", "2"]
    numbers = [(f"{what}/{n}", gap if what == "gap" else 0.5) for what in ("auc", "gap") for n in layers]
    assert judged("S2-Fig1", measured(*numbers, ("images", 9), names="\n".join(layers))).held is answer
    variants = (*photos.VARIANTS, photos.WITHOUT_X)
    sharp = [(f"{w}/{n}", 0.5) for w in photos.SHARPNESS for n in variants]
    for id, subject in (("S2-Eq2-sharp", photos.EQUATION_2), ("S2-Eq2-sharp-code", photos.BY_LAYER)):
        gaps = [(f"gap/{w}/{subject}/{n}", gap) for w in photos.SHARPNESS for n in variants if n != subject]
        assert judged(id, measured(*sharp, *gaps)).held is answer
    kinds = ("noise", "inside", "auc", "edges")
    three = [(f"{p}{k}/{n}", gap if p else 0.5) for p in ("", "gap/") for k in kinds for n in photos.METHODS]
    assert judged("S2-Fig3-confined", measured(*three)).held is answer
    assert judged("S2-Fig3-confined-rank", measured(*three)).held is answer
    assert judged("S2-Fig3-edges", measured(*three)).held is answer
    flipped = None if answer is None else not answer  # the difference must be below 0
    assert judged("S2-Fig3-noise", measured(*three)).held is flipped


@pytest.mark.parametrize(("ratio", "channels", "answer"), [(3.0, 0.8, True), (1.2, 0.8, False), (3.0, 0.4, False)])
def test_larger_biases(ratio: float, channels: float, answer: bool) -> None:
    made = [(f"{k}/{n}", v) for n in decomposition_claims.NETWORKS
            for k, v in (("ratio", ratio), ("channels", channels), ("share", (0.6, 0.5, 0.7)))]  # fmt: skip
    assert judged("S2-Impl-larger", measured(*made)).held is answer


def test_often_is_half_of_the_networks() -> None:
    made = [(f"{k}/{n}", v if i < 2 else 0.1) for i, n in enumerate(decomposition_claims.NETWORKS)
            for k, v in (("ratio", 3.0), ("channels", 0.8), ("share", 0.6))]  # fmt: skip
    assert judged("S2-Impl-larger", measured(*made)).held is True


def test_a_layer_that_marks_nearly_as_well_is_as_good() -> None:
    numbers = [
        ("auc/FullGrad", 0.9),
        ("auc/input", 0.5),
        ("auc/1", 0.89),
        ("gap/input", 0.4),
        ("gap/1", (0.01, 0.005, 0.015)),
    ]
    assert judged("S2-Fig1", measured(*numbers, ("images", 9), names="FullGrad\ninput\n1")).held is False


@pytest.mark.parametrize(("chance", "answer"), [(0.0002, True), (0.05, False), (float("nan"), None)])
def test_luck_has_a_limit(chance: float, answer: bool | None) -> None:
    found = judged("S2-Code-check", measured(("check/chance", chance), ("check/inputs", 1e6), ("check/median", 0.2)))
    assert found.held is answer


@pytest.mark.parametrize(
    ("f", "g", "answer"), [(0.0, 3.0, False), (1.0, 3.0, True), (0.0, 0.0, True), (float("nan"), 3.0, None)]
)
def test_if_and_only_if(f: float, g: float, answer: bool | None) -> None:
    assert judged("S2-Ex2-iff", measured(("iff/f", f), ("iff/G", g))).held is answer


def test_deeplift_is_complete_to_rounding() -> None:
    made = [(f"completeness/{name}", v) for name, v in (("integrated gradients", 0.005), ("DeepLIFT", 1e-4))]
    made += [(f"least/completeness/{name}", 0.5) for name in theory.LOCAL]
    assert judged("S2-Def2", measured(*made)).held is False


def test_pictures_of_made_up_numbers() -> None:
    """All pictures whose numbers are plain draw without data."""
    noise = torch.Generator().manual_seed(0)
    some = torch.rand(2, 6, 6, generator=noise)
    arrays = dict.fromkeys((*photos.VARIANTS, photos.WITHOUT_X, *photos.METHODS), some)
    arrays |= {"photos": some[:, None].repeat(1, 3, 1, 1), "layers": some[:, None].repeat(1, 9, 1, 1)}
    found = Measured({}, arrays, {"names": "\n".join(["FullGrad", "input", *map(str, range(1, 8))])})
    for picture in maps_claims.PICTURES[:3]:
        assert np.asarray(picture.draw(found).get_size_inches()).min() > 1
