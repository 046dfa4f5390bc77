"""Claims of the RectGrad paper on theory and maps: exact ones for real, the others by made-up numbers, and sabotaged."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.reference.rectgrad import rectgrad as reference

from heatproof.data.boxes import boxes_mask
from heatproof.methods.gradient import gradient
from heatproof.methods.gradient_x_input import gradient_x_input
from heatproof.models.nets.small_cnn import SmallCNN
from heatproof.papers.lab import Lab
from heatproof.papers.rectgrad import (
    maps,
    maps_attack,
    maps_attack_claims,
    maps_claims,
    maps_layers,
    maps_layers_claims,
    maps_sweep,
    maps_sweep_claims,
    maps_technique_claims,
    theory,
    theory_claims,
    theory_rules,
    theory_rules_claims,
    theory_units,
)
from heatproof.papers.run import plan_papers, run_papers
from heatproof.papers.types import Claim, Finding, Measured, Number
from heatproof.papers.verdicts import read_claims
from heatproof.theory.rectgrad import Hidden, activations, influence
from heatproof.train import seeded

GROUPS = (
    theory_claims, theory_rules_claims, maps_claims, maps_technique_claims, maps_sweep_claims, maps_layers_claims,
    maps_attack_claims,
)  # fmt: skip
CLAIMS = {claim.id: claim for group in GROUPS for claim in group.CLAIMS}


def lab(folder: Path, **swapped: Any) -> Lab:
    return Lab(folder, folder, folder, swapped=swapped)


def judged(id: str, found: Measured | dict[str, Number]) -> Finding:
    claim = CLAIMS[id]
    assert claim.judge is not None
    said: Finding = claim.judge(found if isinstance(found, Measured) else Measured(found))
    return said


def sure(value: float, width: float = 0.01) -> Number:
    return Number(value, value - width, value + width)


EXACT = {
    "S3-Eq": (theory.definition, True),
    "S3-Pad": (theory.definition, True),
    "S3-PRR": (theory.definition, True),
    "S3-Claim1": (theory.equivalences, True),
    "S3-Claim2": (theory.equivalences, True),
    "S3-Pad-Claim2": (theory.equivalences, False),
    "S3-PRR-shares": (theory_rules.limits, True),
    "S3-PRR-keeps": (theory_rules.limits, False),
    "S3-PRR-signs": (theory_rules.limits, False),
    "S3-Percentile": (theory_rules.limits, True),
    "S3-Percentile-nearest": (theory_rules.limits, False),
    "S3-Alive": (theory_rules.limits, False),
    "S3-B2-PR1": (theory_rules.affine, True),
    "S3-B2-PR2": (theory_rules.affine, True),
    "S3-B2-PR3": (theory_rules.affine, True),
    "S3-B2-PR4": (theory_rules.affine, True),
    "S3-B3-PR1": (theory_rules.two_layers, True),
    "S3-B3-PR2": (theory_rules.two_layers, True),
}


def test_ids_are_unique_and_every_claim_has_its_experiment() -> None:
    ids = [claim.id for group in GROUPS for claim in group.CLAIMS]
    assert len(ids) == len(set(ids))
    experiments = {e.name: e for group in GROUPS for e in group.EXPERIMENTS}
    assert all(claim.missing or (claim.experiment in experiments and claim.judge) for claim in CLAIMS.values())
    surrogates = ("layers-", "sweep", "attack", "photos", "scenes")
    assert all(claim.why for claim in CLAIMS.values() if any(word in claim.experiment for word in surrogates))
    for group in GROUPS:
        for picture in group.PICTURES:
            assert picture.experiment in experiments
            assert set(picture.claims) <= set(CLAIMS)
    assert {claim.experiment for claim in CLAIMS.values()} - {""} == set(experiments)


@lru_cache
def exact(measure: Callable[[Lab], Measured], broken: bool = False) -> Measured:
    swapped = {"rectgrad": gradient_x_input, "deconvnet": gradient} if broken else {}
    return measure(lab(Path("nowhere"), **swapped))


def test_exact_claims_have_their_verdicts() -> None:
    verdicts = {id: judged(id, exact(measure)).held for id, (measure, _) in EXACT.items()}
    assert verdicts == {id: held for id, (_, held) in EXACT.items()}


@pytest.mark.parametrize(
    "id",
    ["S3-Eq", "S3-Claim1", "S3-Claim2", "S3-Pad", "S3-PRR", "S3-Percentile", "S3-B2-PR1", "S3-B2-PR4", "S3-B3-PR1"],
)
def test_sabotaged_methods_turn_rows(id: str) -> None:
    assert judged(id, exact(EXACT[id][0], True)).held is False


def test_a_sabotaged_method_turns_its_rows_in_the_table(tmp_path: Path) -> None:
    """From plan to table: five rows, each held with the real method."""
    ids = ["S3-Eq", "S3-Pad", "S3-PRR", "S3-Claim1", "S3-B2-PR1", "S3-B3-PR1"]
    tables = []
    for swapped in ({}, {"rectgrad": gradient_x_input, "deconvnet": gradient}):
        plan = plan_papers(Lab(tmp_path, tmp_path, tmp_path, swapped=swapped), tmp_path / f"{len(swapped)}", [], ids)
        run_papers(plan, 1)
        tables.append(read_claims(plan.folder).table.set_index("id").loc[ids, "verdict"].tolist())
    assert tables == [["held"] * 6, ["did not hold"] * 6]


@pytest.mark.parametrize("name", theory.SETTINGS)
def test_the_loops_over_pixels_are_the_listings(name: str) -> None:
    options = theory.SETTINGS[name]
    for net, x, target in theory.cases()[:1]:
        expected = reference(net, x, target, **options)
        assert torch.allclose(theory.slow(net, x, target, **options), expected, atol=1e-12)
        assert expected.any()


def test_the_example_is_that_of_the_appendix() -> None:
    net = theory_rules._affine()
    a = net[:2](torch.ones(1, 4).double())
    assert a.tolist() == [[3.0, 2.0, 1.0, 0.0]]
    assert net(torch.ones(1, 4).double())[0, 0] == 3 + 20 - 100


def test_units_are_judged_by_exact_influence() -> None:
    """A network whose units contribute 10, 9, ..., 1 and -5: q picks the highest; the truth is known."""
    weights = torch.tensor([[*range(10, 0, -1), -5.0], [0.0] * 11])
    layers = [(torch.eye(11), torch.zeros(11)), (weights, torch.zeros(2))]
    x, target = torch.ones(3, 11), torch.zeros(3, dtype=torch.int64)
    units = activations(layers, x)[0]
    truth = influence(layers, units, 0, target)
    off = torch.zeros_like(units, dtype=torch.bool)
    off[:, [0, 10]] = True
    hidden = Hidden(units, weights[target], off)
    found = theory_units._judged(layers, 0, hidden, truth, target)
    assert {k: float(v[0]) for k, v in found.items()} == pytest.approx(
        {"fall": 5.0, "recall": 0.5, "against": 0.5, "passing": 2 / 11}
    )


@pytest.mark.parametrize(
    ("recalls", "held"), [((0.95, 0.97, 1.0), True), ((0.6, 0.97, 1.0), False), ((0.905, 0.97, 1.0), None)]
)
def test_the_induction_is_judged_in_every_layer(recalls: tuple[float, ...], held: bool | None) -> None:
    numbers = {f"{d}/pr1/recall": sure(r) for d, r in enumerate(recalls, 1)}
    assert judged("S3-B3-induction", numbers).held is held
    assert judged("S3-B3-base", numbers).held is True
    assert judged("S3-B3-base", numbers | {"3/pr1/recall": sure(0.9)}).held is False


def test_rules_are_compared_by_layer() -> None:
    numbers = {f"{d}/pr1 over {rule}": sure(0.5) for d in (1, 2, 3) for rule in ("mod", "pr3", "pr4")}
    for rule in ("Mod", "PR3", "PR4"):
        assert judged(f"S3-B3-over-{rule}", numbers).held is True
    assert judged("S3-B3-over-PR3", numbers | {"2/pr1 over pr3": sure(-0.5)}).held is False
    shares = {f"{d}/{rule}/against": sure(0.1) for d in (1, 2) for rule in ("mod", "pr1")}
    gaps = {f"{d}/against, mod over pr1": sure(0.05) for d in (1, 2)}
    assert judged("S3-B3-least", shares | gaps).held is True
    assert "layer 1: RectGradMod 0.10" in judged("S3-B3-least", shares | gaps).measured
    assert judged("S3-B3-least", shares | gaps | {"2/against, mod over pr1": sure(-0.05)}).held is False


def coherent(gap: float) -> dict[str, Number]:
    """Numbers of the photos, with the same gap for all."""
    numbers = {
        "area outside": Number(0.8),
        "mod gap": sure(gap),
        "mod worse": Number(0.5),
        "mod against gap": sure(gap),
    }
    numbers |= {
        "smoother": sure(gap),
        "border gap": sure(gap),
        "border/chance": Number(0.31),
        "border/no padding trick": sure(0.2),
        "blank/RectGrad": Number(0),
    }
    for name in (*maps.BASELINES, *maps.OURS, "RectGradMod"):
        numbers[f"nonzero/{name}/times"] = sure(1 + gap)
        numbers |= {
            f"plain/{name}/outside": sure(0.05),
            f"cut/{name}/outside": sure(0.05),
            f"near/{name}/outside": sure(0.01),
        }
        numbers |= {f"against/{name}": sure(0.1), f"roughness/{name}": sure(2.0), f"nonzero/{name}": sure(0.02)}
        numbers |= {f"border/{name}": sure(0.1), f"look/{name}": sure(0.95 + gap)}
        for kind in ("plain", "cut"):
            numbers |= {f"{kind}/{name}/outside gap": sure(gap), f"{kind}/{name}/alike gap": sure(gap)}
            numbers |= {f"{kind}/{name}/alike": sure(0.2), f"{kind}/{name}/alike over single": sure(gap)}
    return numbers


GAPS = [
    "S3-Fig1/F.1", "S3-Fig5a", "S3-Fig5a-threshold", "S3-Fig15", "S3-Fig15-threshold", "S3-Fig15-others",
    "S3-B4-against", "S3-C1-border", "S3-C2-smooth", "S3-Note3",
]  # fmt: skip


@pytest.mark.parametrize("id", GAPS)
def test_coherence_is_judged_by_gaps(id: str) -> None:
    assert [judged(id, coherent(gap)).held for gap in (0.03, -0.03, 0.005)] == [True, False, None]
    assert (
        id in ("S3-Fig15", "S3-Fig15-threshold", "S3-Fig15-others") or f"{id}-scenes" in CLAIMS or id == "S3-Fig1/F.1"
    )


def test_a_little_more_on_the_background_highlights_nothing() -> None:
    assert [judged("S3-B4/Fig17", coherent(gap)).held for gap in (0.2, 0.03, 0.0, 0.055)] == [True, False, False, None]


def test_slightly_is_no_more_than_twice() -> None:
    assert judged("S3-Note3", coherent(0.5)).held is True
    assert judged("S3-Note3", coherent(2.0)).held is False
    assert judged("S3-Note3", coherent(0.5) | {"nonzero/DeepLIFT/times": sure(0.5)}).held is False


def test_each_coherent_baseline_counts() -> None:
    numbers = coherent(0.03) | {"plain/SmoothGrad/alike over single": sure(-0.03)}
    assert judged("S3-Fig15-others", numbers).held is False
    numbers |= {"plain/Guided Backpropagation/alike": sure(0.3)}
    assert "Guided Backpropagation 0.30" in judged("S3-Fig15", numbers).measured


def test_one_baseline_is_enough_to_lose() -> None:
    numbers = coherent(0.03) | {"plain/DeepLIFT/outside gap": sure(-0.03)}
    assert judged("S3-Fig5a", numbers).held is False
    assert "DeepLIFT" in judged("S3-Fig5a", numbers).measured
    assert judged("S3-Fig5a-noise", numbers).held is True
    assert judged("S3-Fig5a-noise", numbers | {"plain/RectGrad PRR/outside": sure(0.2)}).held is False


def sweep(**changed: Number) -> dict[str, Number]:
    numbers = {"alike/20 to 80": sure(0.95), "region": sure(0.95), "layers": Number(4)}
    numbers |= {f"alike/guided/{q}": sure(0.95) for q in (20, 50, 80)}
    numbers |= {"tau 0 in all layers": Number(9), "identical": Number(9)}
    numbers |= {f"zero/{q}": Number(0.95) for q in (20, 50, 80)} | {f"layers/{q}": Number(3) for q in (20, 50, 80)}
    numbers |= {f"gain/{name}": sure(0.1) for name in ("0 to 20", "80 to 99")} | {"passed/0": Number(1)}
    numbers |= {f"sparser/{name}": sure(0.1) for name in ("80 to 90", "90 to 95", "95 to 99", "80 to 99")}
    for q in (0, 20, 80, 90, 95, 99):
        numbers |= {f"inside/q = {q}": sure(0.5), f"nonzero/q = {q}": sure(0.5)}
    return {**numbers, "inside/area": Number(0.2), "inside/q = 0": sure(0.25), **changed}


@pytest.mark.parametrize(
    ("id", "name", "low", "middle"),
    [
        ("S3-Fig4-zero", "gain/0 to 20", -0.1, 0.005),
        ("S3-Fig4-zero", "inside/q = 0", 0.5, 0.3),
        ("S3-Fig4-constant", "alike/20 to 80", 0.5, 0.905),
        ("S3-Fig4-guided", "alike/guided/20", 0.5, 0.905),
        ("S3-Fig4-guided", "alike/guided/80", 0.5, 0.905),
        ("S3-Fig4-sparse", "sparser/80 to 99", -0.1, 0.005),
        ("S3-Fig4-regions", "region", 0.6, 0.905),
        ("S3-Fig4-focus", "gain/80 to 99", -0.1, 0.005),
    ],
)
def test_the_sweep_is_judged(id: str, name: str, low: float, middle: float) -> None:
    assert judged(id, sweep()).held is True
    assert judged(id, sweep(**{name: sure(low)})).held is False
    assert judged(id, sweep(**{name: sure(middle)})).held is None


def test_no_step_may_be_denser() -> None:
    assert judged("S3-Fig4-sparse", sweep(**{"sparser/80 to 90": sure(0.0)})).held is True
    assert judged("S3-Fig4-sparse", sweep(**{"sparser/80 to 90": sure(-0.1)})).held is False


def test_maps_are_those_of_tau_zero_bit_for_bit() -> None:
    assert judged("S3-Fig4-identical", sweep()).held is True
    assert judged("S3-Fig4-identical", sweep(identical=Number(8))).held is False
    assert judged("S3-Fig4-identical", sweep(**{"tau 0 in all layers": Number(0)})).held is None


def test_tau_must_be_zero_nearly_everywhere() -> None:
    assert judged("S3-Fig4-tau", sweep()).held is True
    assert judged("S3-Fig4-tau", sweep(**{"zero/80": Number(0.5)})).held is False


def inside(growth: float, ratio: float, alike: float) -> dict[str, Number]:
    numbers = {"layers": Number(2)}
    for kind in maps_layers.KINDS:
        numbers[f"{kind}/start"] = Number(2)
        for what in ("outside", "variation"):
            numbers |= {f"{kind}/{what}/{layer}": sure(0.5) for layer in (0, 1, 2)}
            numbers |= {f"{kind}/{what}/growth": sure(growth), f"{kind}/{what}/step/0": sure(growth)}
            numbers |= {f"{kind}/{what}/step/1": sure(0.3)}
    for layer in (1, 2):
        numbers |= {f"fires/{layer}/log ratio": sure(ratio), f"fires/{layer}/alike": Number(alike)}
        numbers |= {f"fires/{layer}/{where}": sure(0.4) for where in ("object", "background")}
    return numbers


def test_layers_are_judged() -> None:
    for id in ("S3-Fig6/14", "S3-Fig6-product", "S3-Fig6-variation", "S3-Fig6-exponential"):
        assert [judged(id, inside(g, 0, 1)).held for g in (0.1, -0.1, 0.005)] == [True, False, None]
    for id in ("S3-Fig6-rectgrad", "S3-Fig6-rectgrad-variation"):
        assert [judged(id, inside(g, 0, 1)).held for g in (-0.1, 0.1, 0.05)] == [True, False, None]
        assert judged(id, inside(0, 0, 1)).held is True
    assert [judged("S3-Frequency", inside(0, r, 1)).held for r in (0.0, 0.5, -0.5, 0.22)] == [True, False, False, None]
    assert [judged("S3-A.1/Fig13", inside(0, 0, a)).held for a in (0.9, 0.2)] == [True, False]
    other = inside(0, 0, 1) | {"fires/2/log ratio": sure(1.0), "fires/2/alike": Number(0.1)}
    for id in ("S3-Frequency", "S3-A.1/Fig13"):
        assert "1 of 2 layers (not in ReLU 2)" in judged(id, other).measured


def test_constant_gradients_are_no_start() -> None:
    """Behind the last two ReLUs the gradient is the same everywhere but for rounding."""
    variation = torch.tensor([[0.5, 0.5], [0.0, 0.4], [1e-8, 0.0], [0.0, 0.0]])
    assert maps_layers.rough(variation) == 1
    assert maps_layers.rough(variation[:1] * 0) == 0
    shallow = inside(0.1, 0, 1) | {"Saliency Map/start": Number(1)}
    del shallow["Saliency Map/outside/step/1"], shallow["Saliency Map/outside/2"]
    assert judged("S3-Fig6-exponential", shallow).held is True
    assert "ReLU 1 of 2" in judged("S3-Fig6/14", shallow).measured
    maps_layers_claims.PICTURES[1].draw(Measured(shallow))
    assert not maps_layers_claims._varies(torch.full((1, 4, 4), 0.3))
    assert maps_layers_claims._varies(torch.eye(4)[None])


def attack(gap: float) -> dict[str, Number]:
    numbers = {"images": Number(9), "plain/Saliency Map/still": sure(0.5 - gap), "plain/RectGrad/still": sure(0.1)}
    for name in ("Saliency Map", "RectGrad", "RectGrad PRR"):
        for kind in ("plain", "cut"):
            numbers |= {f"{kind}/{name}/{what}": sure(0.5) for what in ("moves", "noise", "class")}
            numbers |= {f"{kind}/{name}/{what}": sure(gap) for what in ("over noise", "moves gap", "class gap")}
    return numbers


def test_attacks_are_judged() -> None:
    for id in ("S3-Fig5b", "S3-Fig5b-class", "S3-Fig16"):
        assert [judged(id, attack(g)).held for g in (0.1, -0.1, 0.005)] == [True, False, None]
    for id in ("S3-Fig5b-rank", "S3-Fig5b-threshold"):
        assert [judged(id, attack(g)).held for g in (-0.03, -0.1, -0.045)] == [True, False, None]


def test_maps_alike_within_a_class_and_not_beyond() -> None:
    noise = torch.Generator().manual_seed(0)
    first, second = torch.rand(2, 1, 12, 12, generator=noise)
    stack = torch.stack([first, first, second, second])
    boxes = torch.tensor([[0, 0, 12, 12]] * 4)
    found = maps.class_likeness(stack, boxes, torch.tensor([0, 0, 1, 1]))
    between = float(np.corrcoef(first.flatten(), second.flatten())[0, 1])
    assert found.tolist() == pytest.approx([1 - between] * 4, abs=1e-5)


def test_likeness_has_the_spread_of_new_samples() -> None:
    """The interval of one sample is as wide as means of many samples are spread; plain values make it half as wide."""
    g = torch.Generator().manual_seed(0)
    pattern = torch.randn(2, 1, 4, 4, generator=g)
    targets, boxes = torch.arange(24) % 2, torch.tensor([[0, 0, 4, 4]] * 24)
    means, errors = [], []
    for _ in range(60):
        loud = torch.rand(24, 1, 1, 1, generator=g) * 2
        found = maps.class_likeness(pattern[targets] * loud + torch.randn(24, 1, 4, 4, generator=g), boxes, targets)
        means.append(float(found.mean()))
        errors.append(float(found.std()) / 24**0.5)
    assert np.std(means) == pytest.approx(np.mean(errors), rel=0.3)


def test_pictures_are_capped_as_the_appendix_says() -> None:
    one = np.random.default_rng(0).normal(size=(3, 20, 20))
    s = one.sum(0)
    assert maps.capped(one).min() == np.percentile(s, 0.5)
    assert maps.capped(one).max() == np.percentile(s, 99.5)
    assert (maps.capped(one) == s).mean() > 0.98


def test_half_the_size_keeps_the_strongest() -> None:
    m = torch.tensor([[[[1.0, -5.0, 0.0, 0.0], [2.0, 3.0, 0.0, 4.0]]]])
    assert maps.strongest(m).tolist() == [[[[-5.0, 4.0]]]]


def test_shares_outside_are_paired() -> None:
    """RectGrad all inside, the baselines half."""
    mask = torch.from_numpy(boxes_mask(((0, 0, 12, 24),), (24, 24)))[None, None].expand(3, 1, 24, 24)
    even = torch.ones(3, 1, 24, 24)
    held = dict.fromkeys((*maps.BASELINES, *maps.VARIANTS), even) | dict.fromkeys(maps.OURS, even * mask)
    numbers = maps.places(held, mask)
    assert numbers["plain/RectGrad/outside"].value == 0
    assert numbers["plain/DeepLIFT/outside gap"].value == pytest.approx(0.5)
    assert numbers["mod gap"].value == pytest.approx(0.5)
    assert numbers["border/no padding trick"].value == pytest.approx(1 - 20 * 20 / 24**2)
    assert numbers["border/chance"].value == pytest.approx(1 - 20 * 20 / 24**2)
    few = maps.gaps({name: held[name] for name in ("RectGrad", "Saliency Map")}, mask)
    assert judged("S3-Fig5a-mobilenet", few).held is True


def test_sparsity_is_that_of_thresholded_baselines() -> None:
    ramp = torch.arange(1.0, 101.0).reshape(1, 1, 10, 10).repeat(2, 1, 1, 1)
    held = dict.fromkeys((*maps.BASELINES, *maps.OURS, *maps.VARIANTS), ramp)
    held["RectGrad"] = ramp * (ramp > 97)
    numbers = maps._techniques(held)
    assert numbers["nonzero/DeepLIFT"].value == pytest.approx(0.02)
    assert numbers["nonzero/DeepLIFT/times"].value == pytest.approx(1.5)


def test_regions_and_correlations() -> None:
    dense = torch.arange(100.0).reshape(1, 1, 10, 10)
    assert maps_sweep.in_region((dense >= 90).float(), dense).tolist() == [1.0]
    assert maps_sweep.in_region((dense >= 80).float(), dense).tolist() == [0.5]
    assert maps_sweep.correlation(dense, 2 * dense + 1).tolist() == pytest.approx([1.0])
    assert maps_sweep.correlation(dense, -dense).tolist() == pytest.approx([-1.0])


def test_sweeps_run_on_any_network(tmp_path: Path) -> None:
    net = seeded(SmallCNN, 0).eval()
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    maps_of, numbers = maps_sweep.swept(lab(tmp_path), net, x)
    assert numbers["layers"].value == 5
    assert 0 <= numbers["zero/50"].value <= 1
    assert numbers["identical"].value == numbers["tau 0 in all layers"].value
    out = net(x).argmax(1)
    times = (lab(tmp_path).method("guided_backprop")(net, x, out) * x).sum(1, keepdim=True)
    alike = maps_sweep.correlation(maps_of["q = 50"], times).mean()
    assert numbers["alike/guided/50"].value == pytest.approx(float(alike), abs=1e-6)
    assert set(maps_of) == {maps_sweep.TAU_ZERO, *(f"q = {q}" for q in (0, 10, 20, 50, 80, 90, 95, 99))}


def test_hidden_gradients_are_those_of_autograd() -> None:
    net = seeded(SmallCNN, 0).double().eval()
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (_, at_input), *_, (a, r) = maps_layers.hidden(net, x, None)
    leaf = x.clone().requires_grad_()
    out = net(leaf)
    score = out.gather(1, out.argmax(1, keepdim=True)).sum()
    assert torch.allclose(at_input, torch.autograd.grad(score, leaf)[0], atol=1e-14)
    weight = net.head.weight[out.argmax(1)] / (a.shape[2] * a.shape[3])
    assert torch.allclose(r, weight[:, :, None, None].expand_as(a))
    assert torch.allclose(a.mean((2, 3)) @ net.head.weight.T + net.head.bias, out)
    rect = maps_layers.hidden(net, x, 98.0)
    expected = reference(net, x, out.argmax(1), q=98, padding_trick=True, final_threshold=False)
    assert torch.allclose(x * rect[0][1], expected, atol=1e-14)


def test_units_fire_on_object_and_background() -> None:
    """The first filter fires on the object alone, the second everywhere, the third nowhere."""
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., :4] = True
    a = torch.zeros(1, 3, 4, 4)
    a[:, 0, :, :2] = 1
    a[:, 1] = 1
    fires = maps_layers._firing(a, mask, maps_layers.BOX)
    assert fires[:, 0].tolist() == [[1, 1, 0], [0, 1, 0]]
    mask[..., 4] = True  # a cell that is half object counts for neither
    half = maps_layers._firing(torch.cat([a[:, :1], 1 - a[:, :1]], 1), mask, maps_layers.BOX)
    assert half[:, 0].tolist() == [[1, 0], [0, 1]]
    a[0, 0, :, 2] = 1
    assert maps_layers._firing(a, mask, maps_layers.BOX)[1, 0, 0] == 0
    numbers = maps_layers._frequencies(1, fires)
    assert numbers["fires/1/object"].value == pytest.approx(2 / 3)
    assert numbers["fires/1/log ratio"].value == pytest.approx(np.log(2))


def test_growth_is_from_the_last_layer_to_the_input() -> None:
    noise = torch.tensor([[0.9, 0.7], [0.3, 0.35], [0.1, 0.1]])  # the input first
    numbers = maps_layers._growth("RectGrad", "outside", noise)
    assert numbers["RectGrad/outside/growth"].value == pytest.approx(0.7)
    assert numbers["RectGrad/outside/0"].value == pytest.approx(0.8)
    assert numbers["RectGrad/outside/step/1"].value == pytest.approx((np.log(3) + np.log(3.5)) / 2)


def test_noise_is_counted_outside_the_cells_of_the_box() -> None:
    boxes = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    boxes[..., :3] = True  # touches two of four columns of cells
    maps_in, maps_out = torch.zeros(2, 1, 1, 4, 4)
    maps_in[..., 1], maps_out[..., 2] = 1, 1
    assert maps_layers._noise(maps_in, boxes)[:, 0].tolist() == [0, 2]
    assert maps_layers._noise(maps_out, boxes)[:, 0].tolist() == [2, 2]


def test_changes_of_maps() -> None:
    noise = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 1, 8, 8, generator=noise)
    held = {"clean": clean, "noise": clean, "attacked": -clean, "before": clean}
    found = maps_attack.changes(held, False)
    assert {k: v.tolist() for k, v in found.items()} == {"moves": [2, 2], "noise": [0, 0], "class": [2, 2]}


def test_an_attack_keeps_the_images_that_flip(tmp_path: Path) -> None:
    net = seeded(SmallCNN, 0).eval()
    x = torch.rand(12, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    net.head.bias.data -= net(x).mean(0).detach()  # centred, so that images differ in their class
    found = maps_attack.Attack(net, x, 0.05, 4)
    assert 0 < len(found.places) <= 4
    assert (net(found.clean).argmax(1) == found.before).all()
    assert (net(found.attacked).argmax(1) == found.now).all()
    assert (found.now != found.before).all()
    assert ((found.noisy - found.clean).abs() - 0.05).abs().max() < 1e-6
    wanted = {"Saliency Map": "gradient", "RectGrad": maps.RECTGRAD}
    numbers = maps_attack.compared(found.maps(lab(tmp_path), wanted))
    assert numbers["plain/RectGrad/moves gap"].value == 0
    blind = found.maps(lab(tmp_path, rectgrad=lambda model, x, target: x.clone()), wanted)
    assert maps_attack.compared(blind)["plain/RectGrad/class"].value == 0
    claim: Claim = CLAIMS["S3-Fig5b-class"]
    assert claim.judge is not None
    assert claim.judge(Measured(maps_attack.compared(blind))).held is False


def test_still_images_are_those_where_rectgrad_moves_least() -> None:
    noise = torch.Generator().manual_seed(0)
    clean = torch.rand(8, 1, 6, 6, generator=noise)
    other = torch.rand(8, 1, 6, 6, generator=noise)
    moved = clean.clone()
    moved[2:] = other[2:]  # RectGrad stays on images 0 and 1, where the gradient changes
    mine = {"clean": clean, "attacked": moved, "noise": clean, "before": clean}
    gradient = mine | {"attacked": torch.where(moved == clean, other, clean)}
    found = maps_attack.compared({"RectGrad": mine, "Saliency Map": gradient})
    assert found["plain/RectGrad/still"].value == pytest.approx(0, abs=1e-6)
    assert found["plain/Saliency Map/still"].value > 0.5


def test_all_pictures_draw_from_made_up_numbers() -> None:
    numbers = {f"{d}/{rule}/fall": sure(1.0) for d in (1, 2, 3) for rule in theory_units.RULES}
    drawn = [theory_rules_claims.PICTURES[0].draw(Measured(numbers))]
    found = Measured(
        sweep(**{f"inside/q = {q}": sure(0.5) for q in (10, 50)} | {f"nonzero/q = {q}": sure(0.5) for q in (10, 50)})
    )
    drawn.append(maps_sweep_claims.PICTURES[1].draw(found))
    drawn += [maps_layers_claims.PICTURES[i].draw(Measured(inside(0, 0, 1))) for i in (1, 3)]
    drawn.append(maps_attack_claims.PICTURES[1].draw(Measured(attack(0.1))))
    assert all(figure.axes for figure in drawn)
