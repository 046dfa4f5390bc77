"""Claims of the CGI paper: judges on made-up numbers, exact experiments for real, and methods broken on purpose."""

from collections.abc import Callable, Iterator
from math import nan
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.papers.cgi import (
    maps,
    maps_cifar,
    maps_panel_claims,
    maps_photos,
    maps_photos_claims,
    maps_quality_claims,
    maps_trained,
    maps_trained_claims,
    theory,
    theory_exact,
    theory_exact_claims,
    theory_model,
    theory_model_claims,
    theory_random_claims,
)
from heatproof.papers.lab import Lab
from heatproof.papers.types import Claim, Measured, Number

GROUPS = (
    theory_exact_claims, theory_model_claims, theory_random_claims, maps_panel_claims, maps_photos_claims,
    maps_trained_claims, maps_quality_claims,
)  # fmt: skip
CLAIMS = {claim.id: claim for group in GROUPS for claim in group.CLAIMS}


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, tmp_path, tmp_path)


def held(id: str, numbers: dict[str, Number]) -> bool | None:
    claim: Claim = CLAIMS[id]
    assert claim.judge is not None
    found = claim.judge(Measured(numbers))
    assert found.measured
    assert (found.held is None) == bool(found.reason)
    return found.held


def sure(value: float) -> Number:
    return Number(value, value - 0.001, value + 0.001)


def wide(value: float) -> Number:
    return Number(value, value - 9, value + 9)


# exact experiments, for real


@pytest.fixture(scope="module")
def exact() -> Iterator[Measured]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(theory_exact, "NETWORKS", 2)
        yield theory_exact.definitions(Lab(Path(), Path(), Path()))


@pytest.mark.parametrize("id", ["S0-Def-GxI", "S0-Lem1", "S0-Equiv", "S0-Alg1", "S0-Alg2", "S0-Gen", "S0-Ext"])
def test_exact_claims_hold(exact: Measured, id: str) -> None:
    assert held(id, dict(exact.numbers)) is True


def test_strict_text_differs_from_the_algorithm(exact: Measured) -> None:
    assert held("S0-Slip-strict", dict(exact.numbers)) is False
    assert CLAIMS["S0-Slip-strict"].error


def test_biases_break_completeness(exact: Measured) -> None:
    assert exact.value("bias gap") > 0.1


def test_model_of_correlated_vectors(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory_model, "DELTAS", (0.1, 0.2))
    monkeypatch.setattr(theory_model_claims, "DELTAS", (0.1, 0.2))
    found = dict(theory_model.correlated_model(lab).numbers)
    assert all(held(id, found) is True for id in ("S0-Thm-corr", "S0-Fig11", "S0-Fig12"))


def test_random_gradients(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "DRAWS", dict.fromkeys((2, 3, 10), 30))
    monkeypatch.setattr(theory, "CLASSES", (2, 3, 10))
    monkeypatch.setattr(theory_random_claims, "CLASSES", (2, 3, 10))
    found = theory.random_gradients(lab).numbers
    assert all(found[k].value == pytest.approx(found[f"expected/{k}"].value, abs=0.015) for k in ("2", "3", "10"))
    assert held("S0-Thm-k", dict(found)) is False


# slow versions, on numbers worked out by hand


def test_slow_contest_on_the_three_class_example() -> None:
    votes = torch.tensor([[1.0, -2, 1, -2], [2, -1, -2, -2], [-1, -3, 0, -1]])[:, None]  # semantics.md, T-S0-2
    expected = torch.tensor([[0.0, 0, 1, -2], [2, 0, -2, -2], [-1, -3, 0, 0]])[:, None]
    assert torch.equal(theory_exact.slow_contest(votes), expected)
    ties = theory_exact.slow_contest(votes, strict=True)
    assert ties[0, 0, 3] == ties[1, 0, 3] == 0


def test_slow_lrp_on_one_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory_exact, "CLASSES", 2)
    linear = nn.Linear(2, 2).double()
    linear.weight.data = torch.tensor([[1.0, 2.0], [3.0, -1.0]], dtype=torch.float64)
    linear.bias.data = torch.tensor([1.0, 0.0], dtype=torch.float64)
    found = theory_exact.slow_lrp(nn.Sequential(linear), torch.tensor([2.0, 1.0], dtype=torch.float64), 0, 1e-12)
    assert torch.allclose(found, torch.tensor([2.0, 2.0], dtype=torch.float64))  # z = 5, R = 5: x w R / z


def test_differences_of_a_linear_network() -> None:
    linear = nn.Linear(3, 2).double()
    x = torch.zeros(1, 3, dtype=torch.float64)
    assert torch.allclose(theory_exact.differences(linear, x)[:, 0], linear.weight, atol=1e-8)


# methods broken on purpose


def loosest(model: nn.Module, x: Tensor, target: Any = None, **options: Any) -> Tensor:
    """Gradient x input without any contest."""
    return hp.gradient_x_input(model, x, target)


def halved(model: nn.Module, x: Tensor, target: Any = None, **options: Any) -> Tensor:
    return hp.gradient_x_input(model, x, target) / 2


def nothing(model: nn.Module, x: Tensor, target: Any = None, **options: Any) -> Tensor:
    return hp.gradient_x_input(model, x, target) * 0


@pytest.mark.parametrize(
    ("id", "swapped"),
    [
        ("S0-Alg1", {"cgi": loosest}),
        ("S0-Alg2", {"clrp": hp.lrp}),
        ("S0-Def-GxI", {"gradient_x_input": halved}),
        ("S0-Lem1", {"gradient_x_input": halved}),
        ("S0-Equiv", {"deeplift": halved}),
        ("S0-Gen", {"compete": loosest}),
        ("S0-Ext", {"compete": loosest}),
    ],
)
def test_broken_methods_turn_exact_claims(
    lab: Lab, id: str, swapped: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theory_exact, "NETWORKS", 1)
    for module in (theory_exact, theory_exact_claims):
        monkeypatch.setattr(module, "COMPLETE", {"DeepLIFT": "deeplift"})
    broken = Lab(lab.data, lab.networks, lab.runs, swapped=swapped)
    assert held(id, dict(theory_exact.definitions(broken).numbers)) is False


@pytest.mark.parametrize(("id", "explain"), [("S0-Fig11", nothing), ("S0-Fig12", loosest), ("S0-Fig11", halved)])
def test_broken_methods_turn_the_model(lab: Lab, id: str, explain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory_model, "SAMPLES", 10)
    broken = Lab(lab.data, lab.networks, lab.runs, swapped={"cgi": explain})
    assert held(id, dict(theory_model.correlated_model(broken).numbers)) is False


# judges, on made-up numbers: (id, names, a value that holds, one that does not); a wide interval is unclear

PHOTO_NETS = maps_photos.NETWORKS
JUDGES: list[tuple[str, dict[str, float], str, float, float]] = [
    ("S0-Fig1", {}, "visible", 0.95, 0.5),
    ("S0-Fig1-heat", {"chance": 0.001, "beyond chance": 0.1}, "in all", 0.2, 0.01),
    ("S0-Fig1-shared", {"another by chance": 0.7, "another beyond chance": 0.1}, "in another too", 0.8, 0.3),
    ("S0-Fig1-shared", {"another by chance": 0.7, "in another too": 0.8}, "another beyond chance", 0.1, -0.1),
    ("S0-Fig1-CNN-strokes", {"strokes/5": 0.3, "strokes/7": 0.3, "strokes own/5": 0.3,
                             **{f"strokes rank/{c}": 1 for c in (5, 7)}}, "strokes own/7", 0.3, 0.02),
    ("S0-Fig1-CNN-strokes", {"strokes/5": 0.3, **{f"strokes {w}/{c}": 1 for w in ("own", "rank") for c in (5, 7)}},
     "strokes/7", 0.2, -0.1),
    ("S0-Fig2", {"squeezenet1_0/slope": 1, "squeezenet1_0/maps beside derivative": 0}, "squeezenet1_0/pearson", 0.95, 0.5),
    ("S0-Neg", {"gradient x input, softmax minus gradient x input": 0.1, "kept": 0.1, "kept, softmax": 0.1,
                "gain/gradient x input": 0.1, "gain/CGI": 0.1, "gain/CGI, softmax": 0.1},
     "CGI, softmax minus CGI", -0.1, 0.1),
    ("S0-Ext-centred", {"gain/gradient x input": 0.1, "gain/CGI": 0.1}, "centred CGI minus CGI", 0.1, -0.1),
    ("S0-Fig2-CNN", {"slope": 1}, "pearson", 0.95, 0.5),
    ("S0-Thm-chance", {"delta by chance": 0.01}, "delta", 0.15, 0.02),
    ("S0-Thm-ratio", {"next over 0": 1, "ratio to the next": 2, "ratio to the rest": 2}, "twice the next", 0.8, 0.2),
    ("S0-Thm-overlap", {"overlap": 0.06, "overlap/null": 0.04, "overlap of maps": 0.08, "overlap of maps/null": 0.06},
     "overlap/beyond", 0.02, -0.01),
    ("S0-Thm-half", {}, "alike", 0.7, 0.1),
    ("S0-Rem1-sparse", {"carried/null": 0.5, "carried/shuffled": 0.5, "carried/beyond": 0.1}, "carried", 0.7, 0.3),
    ("S0-Rem1-sparse", {"carried/null": 0.5, "carried/shuffled": 0.5, "carried": 0.6}, "carried/beyond", 0.1, -0.01),
    ("S0-Thm-left", {"kept": 0.3}, "left", 0.8, 0.1),
    ("S0-Rem2-CIFAR", {"kept by the second": 0.4}, "heat by logit", 0.5, -0.5),
]  # fmt: skip


@pytest.mark.parametrize(("id", "others", "name", "good", "bad"), JUDGES)
def test_judges(id: str, others: dict[str, float], name: str, good: float, bad: float) -> None:
    rest = {other: sure(value) for other, value in others.items()}
    assert held(id, {**rest, name: sure(good)}) is True
    assert held(id, {**rest, name: sure(bad)}) is False
    assert held(id, {**rest, name: wide(good)}) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [(sure(0.15), True), (sure(0.3), False), (sure(0.02), False), (wide(0.15), None), (Number(nan), None)],
)
def test_delta_in_its_range(number: Number, expected: bool | None) -> None:
    names = ["delta", *(f"{n}/delta" for n in PHOTO_NETS)]
    numbers = {**dict.fromkeys(names, number), **{f"{name} by chance": sure(0.01) for name in names}}
    assert held("S0-Thm-delta", numbers) is expected
    assert held("S0-Thm-delta-photos", numbers) is expected


@pytest.mark.parametrize(("value", "expected"), [(0.15, True), (0.02, False)])
def test_delta_of_photos_is_well_above_chance(value: float, expected: bool) -> None:
    numbers = {f"{n}/delta": sure(value) for n in PHOTO_NETS} | {f"{n}/delta by chance": sure(0.01) for n in PHOTO_NETS}
    assert held("S0-Thm-chance-photos", numbers) is expected


@pytest.mark.parametrize(("value", "expected"), [(0.04, True), (0.08, False)])
def test_overlap_of_rho_squared(value: float, expected: bool) -> None:
    names = ("overlap", "overlap/null", "overlap of maps", "overlap of maps/null")
    assert held("S0-Rem1", dict.fromkeys(names, sure(value))) is expected


AREAS = {name: sure(0.1) for name in ("gradient_x_input", "cgi", "area", "kept", "mass", "gain/CGI")}


@pytest.mark.parametrize(
    ("number", "expected"),
    [(Number(0.0, -0.05, 0.05), True), (Number(-0.2, -0.25, -0.15), False), (Number(0.0, -0.2, 0.2), None)],
)
def test_comparable_quality_of_photos(number: Number, expected: bool | None) -> None:
    assert held("S0-Fig3", {**AREAS, "above area": sure(0.1), "difference": number}) is expected
    assert held("S0-Fig3", {**AREAS, "above area": Number(0.1, -0.1, 0.3), "difference": number}) is None


@pytest.mark.parametrize(
    ("number", "gain", "expected"),
    [(sure(0), 0.1, True), (sure(-0.05), 0.1, False), (Number(0.0, -0.05, 0.05), 0.1, None), (sure(0.05), -0.1, None)],
)
def test_comparable_quality_needs_a_map_that_beats_random_order(
    number: Number, gain: float, expected: bool | None
) -> None:
    numbers = {**AREAS, "gain/gradient x input": sure(gain), "CGI minus gradient x input": number}
    assert held("S0-Fig3-CIFAR", numbers) is expected


def test_equal_areas_do_not_hold() -> None:
    numbers = {**AREAS, "centred CGI minus CGI": Number(-0.0009, -0.0047, 0.0028)}
    assert held("S0-Ext-centred", {**numbers, "gain/gradient x input": sure(0.1)}) is False
    assert held("S0-Ext-centred", {**numbers, "gain/gradient x input": sure(-0.1)}) is None


def test_maps_that_are_not_the_derivative_fail_figure_2() -> None:
    numbers = {"pearson": sure(0.99), "slope": sure(1), "maps beside derivative": Number(0.5)}
    assert held("S0-Fig2", {f"squeezenet1_0/{name}": number for name, number in numbers.items()}) is False


# measurements without data folders


class Small(Lab):
    """A lab whose networks and images are random."""

    def network(self, name: str) -> nn.Module:
        channels = 3 if name == "cifar-clean" else 1
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(channels * 64, 16), nn.ReLU(), nn.Linear(16, 10)).eval()

    def labelled(self, name: str, split: Any = "test", limit: int | None = None) -> tuple[Tensor, Tensor]:
        shape = (3, 8, 8) if name == "CIFAR10" else (1, 8, 8)
        x = torch.rand(limit or 300, *shape, generator=torch.Generator().manual_seed(1))
        return x * (x > 0.5) + (x <= 0.5) * (0.0 if name == "MNIST" else -0.5), torch.arange(len(x)) % 10


@pytest.fixture
def small(tmp_path: Path) -> Small:
    return Small(tmp_path, tmp_path, tmp_path)


def test_trained_networks_beside_plain_sums(small: Small) -> None:
    found = maps_trained.trained_mnist(small)
    model, (x, _) = small.network("mnist-cnn"), small.labelled("MNIST", "test", 100)
    logits = model(x)
    deltas, ratios = [], []
    for row, (one, out) in enumerate(zip(x, logits, strict=True)):
        leaf = one[None].clone().requires_grad_()
        best = int(out.argmax())
        (g,) = torch.autograd.grad(model(leaf)[0, best], leaf)
        deltas.append(float((g * one).sum() / (g.norm() * one.norm())))
        following = out[torch.arange(10) != best].max()
        ratios += [bool(out[best] >= 2 * following)] if following > 0 else []
        if row < 3:
            assert float(found.arrays["sums"][best, row]) == pytest.approx(float((g * one).sum()), abs=1e-5)
    assert found.value("delta") == pytest.approx(sum(deltas) / len(deltas), abs=1e-5)
    assert found.value("twice the next") == pytest.approx(sum(ratios) / len(ratios))
    assert found.value("delta by chance") == pytest.approx(1 / 8)


def test_overlaps_by_hand(small: Small) -> None:
    found = maps_trained._Maps(small, small.network("mnist-cnn"), small.labelled("MNIST", "test", 4)[0])
    numbers = dict(maps_trained._overlaps(found))
    shares, carried = [], []
    for b in range(4):
        live = [i for i in range(64) if found.x[b, i] != 0]
        count = round(0.2 * len(live))
        tops = [set(sorted(live, key=lambda i: -abs(float(found.gradients[c, b, i])))[:count]) for c in range(10)]
        y = int(found.chosen[b])
        shares += [sum(len(tops[y] & tops[c]) for c in range(10) if c != y) / 9 / len(live)]
        votes = found.maps[y, b].abs()
        carried.append(float(votes.sort(descending=True).values[:count].sum() / votes.sum()))
    assert numbers["overlap"].value == pytest.approx(sum(shares) / 4)
    assert numbers["carried"].value == pytest.approx(sum(carried) / 4)


def test_gradients_are_maps_without_the_input(small: Small) -> None:
    found = maps_trained._Maps(small, small.network("mnist-cnn"), small.labelled("MNIST", "test", 4)[0])
    gradients = small.method("gradient")(
        small.network("mnist-cnn"), small.labelled("MNIST", "test", 4)[0], found.chosen
    )
    expected = gradients.flatten(1).double() * found.live
    assert torch.allclose(found.of_chosen(found.gradients), expected, atol=1e-6)


def test_shuffled_gradients_stay_on_live_pixels_and_overlap_by_chance() -> None:
    noise = torch.Generator().manual_seed(3)
    live = torch.rand(4, 500, generator=noise) > 0.5
    given = torch.randn(10, 4, 500, generator=noise, dtype=torch.float64).abs().add(0.1) * live
    drawn = maps_trained.shuffled(given, live)
    assert torch.equal(drawn != 0, given != 0)
    assert torch.allclose(drawn.sort(2).values, given.sort(2).values)
    assert not torch.equal(drawn[0], given[0])


def test_a_negative_next_logit_gives_no_ratio(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small.network("mnist-cnn")
    model[3].bias.data = torch.tensor([5.0] + [-5.0] * 9)
    monkeypatch.setattr(Small, "network", lambda self, name: model)
    found = maps_trained.trained_mnist(small)
    assert found.value("next over 0") == 0
    assert held("S0-Thm-ratio", dict(found.numbers)) is None


def test_left_falls_without_maps_and_is_whole_without_contest(small: Small) -> None:
    for explain, expected in ((nothing, 0.0), (loosest, 1.0)):
        broken = Small(small.data, small.networks, small.runs, swapped={"cgi": explain})
        assert maps_trained.trained_mnist(broken).value("left") == pytest.approx(expected)
    broken = Small(small.data, small.networks, small.runs, swapped={"cgi": nothing})
    assert held("S0-Thm-left", dict(maps_trained.trained_mnist(broken).numbers)) is False


def test_derivative_along_the_photo_is_the_sum_of_the_maps() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU6(inplace=True), nn.Flatten(), nn.Linear(64, 5)
    ).eval()
    x = torch.randn(3, 3, 6, 6)
    logits, sums = maps_photos._derivatives(net, x)
    targets = torch.arange(5)[:, None].expand(-1, 3).contiguous()
    assert torch.allclose(logits.float(), net(x))
    assert torch.allclose(sums.T.float(), hp.gradient_x_input(net, x, targets).flatten(2).sum(2), atol=1e-5)


def test_panel_on_a_network_whose_maps_are_all_hot(small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    linear = nn.Linear(64, 10, bias=False)
    linear.weight.data = torch.ones(10, 64) * torch.tensor([1.0 + (c == 3) for c in range(10)])[:, None]
    found = maps._panel(small, nn.Sequential(nn.Flatten(), linear).eval())
    assert found.value("in all") == found.value("chance") == found.value("in another too") == 1
    assert found.value("another beyond chance") == 0
    assert found.value("strokes/7") == pytest.approx(0)
    assert found.value("visible") == pytest.approx(1)
    assert found.arrays["maps"].shape == (10, 1, 8, 8)


def test_cifar_quality_of_softmax_and_logits(small: Small) -> None:
    found = maps_cifar.cifar_quality(small)
    assert found.value("kept") < found.value("kept, softmax") <= 1
    same = Small(small.data, small.networks, small.runs, swapped={"cgi": hp.gradient_x_input})
    assert maps_cifar.cifar_quality(same).value("CGI minus gradient x input") == 0


@pytest.mark.parametrize("group", GROUPS)
def test_pictures_draw(group: Any, small: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Callable[[Lab], Measured]] = {e.name: e.measure for e in group.EXPERIMENTS}
    monkeypatch.setattr(theory_model, "SAMPLES", 2)
    monkeypatch.setattr(theory, "DRAWS", dict.fromkeys(theory.DRAWS, 2))
    for picture in group.PICTURES:
        if picture.experiment in ("cgi-photo-logits", "cgi-photo-maps", "cgi-all-logits-cnn", "cgi-all-logits-alexnet"):
            continue
        assert picture.draw(made[picture.experiment](small)).get_axes()


def test_rows_name_experiments_that_exist() -> None:
    names = {e.name for group in GROUPS for e in group.EXPERIMENTS}
    for claim in CLAIMS.values():
        assert claim.experiment in names if claim.experiment else claim.missing
    assert all(set(picture.claims) <= set(CLAIMS) for group in GROUPS for picture in group.PICTURES)


def test_second_label_by_hand(small: Small) -> None:
    found = maps_trained._Maps(small, small.network("mnist-cnn"), small.labelled("MNIST", "test", 5)[0])
    shares = []
    for b in range(5):
        c = sorted(range(10), key=lambda c: -float(found.logits[c, b]))[1]
        shares.append(float((found.left[c, b] != 0).sum() / (found.maps[c, b] != 0).sum()))
    assert dict(maps_trained._other_labels(found))["kept by the second"].value == pytest.approx(sum(shares) / 5)


def test_panel_by_hand(small: Small) -> None:
    linear = nn.Linear(64, 10, bias=False)
    linear.weight.data = torch.randn(10, 64, generator=torch.Generator().manual_seed(2))
    linear.weight.data[3] += 1  # explained
    found = maps._panel(small, nn.Sequential(nn.Flatten(), linear).eval())
    pixels, labels = small.labelled("MNIST")
    everywhere, another, alike = [], [], []
    for one in pixels[labels == 3].flatten(1):
        votes = one * linear.weight.detach()
        if int(votes.sum(1).argmax()) != 3:
            continue
        ink = [i for i in range(64) if one[i] > 0]
        hot = [[bool(votes[c, i] > 0) for c in range(10)] for i in ink]
        everywhere.append(sum(map(all, hot)) / len(ink))
        mine = [h for h in hot if h[3]]
        another.append(sum(sum(h) > 1 for h in mine) / len(mine))
        tiles = votes.reshape(10, 1, 8, 8).abs()
        alike.append(min(float(v) for v in hp.spearman(tiles, one.reshape(1, 1, 8, 8).expand(10, -1, -1, -1))))
    assert found.value("images") == len(everywhere) > 3
    assert found.value("in all") == pytest.approx(sum(everywhere) / len(everywhere))
    assert found.value("in another too") == pytest.approx(sum(another) / len(another))
    assert found.value("visible") == pytest.approx(sum(alike) / len(alike), abs=1e-6)


def test_shift_that_changes_nothing_does_not_hold() -> None:
    numbers = {"softmax": Number(0), "shift": Number(0), "shift, centred": Number(0)}
    assert held("S0-Ext", numbers) is False
