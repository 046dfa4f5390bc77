"""The sanity checks of the CGI paper: what is measured, what is judged, and broken methods that turn their rows."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from math import nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.verdict import WORST_FIRST
from heatproof.papers import PAPERS
from heatproof.papers.cgi import randomisation as weights
from heatproof.papers.cgi import randomisation_claims, randomisation_judges
from heatproof.papers.cgi import randomisation_labels as labels
from heatproof.papers.cgi.randomisation import INPUT, LRP, Sweep, explained, many_seeds, one_seed_each, remains, stages
from heatproof.papers.lab import Lab
from heatproof.papers.types import Measured, Number
from heatproof.theory.nulls import survival

CLASSES = 100
SIDE = 16
PIXELS = SIDE**2
SEEDS = 4


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, tmp_path, tmp_path)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * PIXELS, 32),
        nn.ReLU(),
        nn.Linear(32, CLASSES),
    ).eval()


@pytest.fixture(scope="module")
def sure(net: nn.Module) -> nn.Module:
    """The same network with one direction for all classes, twice as long for class 3: it wins every pixel."""
    found: Any = deepcopy(net)
    row = found[5].weight.data[0].abs()
    found[5].weight.data = row * torch.ones(CLASSES, 1)
    found[5].weight.data[3] *= 2
    found[5].bias.data.zero_()
    return found  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def images() -> Tensor:
    """Strokes on black, as digits are."""
    x = torch.rand(8, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1)) + 0.1
    return x * (torch.arange(PIXELS).reshape(SIDE, SIDE) % 3 > 0)


POSITIONS = {"independent": (1, 2, 3), "cascading": (1, 2, 3)}


def measured(lab: Lab, net: nn.Module, images: Tensor) -> Measured:
    sweep = Sweep.of(lab, POSITIONS, independent=(INPUT,), cascading=(INPUT, LRP))
    return many_seeds(sweep, net, images, SEEDS, (0, 1))


@pytest.fixture(scope="module")
def found(net: nn.Module, images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    folder = tmp_path_factory.mktemp("sweep")
    return measured(Lab(folder, folder, folder), net, images)


def held(id: str, found: Measured) -> bool | None:
    judge = PAPERS["cgi"].claim(id).judge
    assert judge is not None
    return judge(found).held


BLANKS = ("S0-Fig4-blank-1000", "S0-Fig5-blank-1000")
"""Of 100 classes chance leaves 2 %."""
SENSITIVE = ("S0-Fig4-stops", "S0-Fig5-more")


@pytest.mark.parametrize("id", ["S0-Fig5-more", "S0-Fig4-shows", "S0-Fig5-shows", "S0-Fig6-shows", "S0-Fig6-less"])
def test_rows_hold_where_they_should(id: str, found: Measured) -> None:
    assert held(id, found) is True


def test_top_layer_blanks_what_a_sure_network_keeps(lab: Lab, sure: nn.Module, images: Tensor) -> None:
    found = measured(lab, sure, images)
    assert found.value("original/cgi/kept") == 1
    assert held("S0-Fig5-blank-1000", found) is True


@pytest.mark.parametrize(
    ("trained", "fallen", "left", "expected"),
    [
        (0.8, 0.6, 0.2, True),
        (0.8, 0.1, 0.7, False),
        (0.8, 0.6, 0.55, False),
        (0.3, 0.1, 0.2, False),
        (0.1, 0.1, 0, None),
    ],
)
def test_a_map_stops_showing_only_what_it_showed(
    trained: float, fallen: float, left: float, expected: bool | None
) -> None:
    given = sweep_numbers(sure_of(left), "image", "independent")
    falls = {f"independent/cgi/fallen image/{p}": sure_of(fallen) for p in range(1, 5)}
    numbers = {**given.numbers, **falls, "original/cgi/image": sure_of(trained)}
    assert held("S0-Fig4-stops", Measured(numbers, words=given.words)) is expected


def sure_of(value: float) -> Number:
    return Number(value, value - 0.01, value + 0.01)


@pytest.fixture(scope="module")
def broken(net: nn.Module, images: Tensor, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    """Competitions that keep everything, and a plain method that does not show the image."""
    folder = tmp_path_factory.mktemp("broken")
    swapped: dict[str, Any] = {"cgi": hp.gradient_x_input, "clrp": hp.lrp, "gradient_x_input": hp.gradient}
    return measured(Lab(folder, folder, folder, swapped=swapped), net, images)


@pytest.mark.parametrize("id", [*BLANKS, *SENSITIVE, "S0-Fig4-shows", "S0-Fig5-shows", "S0-Fig6-less"])
def test_rows_of_broken_methods_do_not_hold(id: str, broken: Measured) -> None:
    assert held(id, broken) is False


@pytest.mark.parametrize("choice", ["", "predicted/"])
def test_numbers_are_those_of_one_network_at_a_time(
    choice: str, found: Measured, net: nn.Module, images: Tensor
) -> None:
    """Share, mass and correlation of the second stage of the cascade, from the definitions."""
    y = net(images).argmax(1)
    first = competed(net, images, y)[1]
    shares, masses, alike = [], [], []
    for seed in range(SEEDS):
        stage = list(hp.randomize(net, calibration=images, seed=seed))[1].model
        plain, winners = competed(stage, images, stage(images).argmax(1) if choice else y)
        for before, after, original in zip(plain, winners, first, strict=True):
            shares.append(float((after != 0).sum() / (before != 0).sum()))
            masses.append(float(after.abs().sum() / before.abs().sum()))
            alike.append(rank_correlation(original.abs(), after.abs()))
    for name, values in (("kept", shares), ("mass", masses), ("absolute", alike)):
        assert found.value(f"{choice}cascading/cgi/{name}/2") == pytest.approx(sum(values) / len(values), abs=2e-3), (
            name
        )


def rank_correlation(a: Tensor, b: Tensor) -> float:
    """0 for a blank map."""
    return float(spearmanr(a.flatten(), b.flatten()).statistic) if b.any() else 0.0


def competed(model: nn.Module, x: Tensor, y: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Algorithm 1 as written, one class and one image after the other."""
    plain, winners = [], []
    for image, target in zip(x, y.tolist(), strict=True):
        point = image[None].clone().requires_grad_()
        logits = model(point)[0]
        scores = torch.stack([torch.autograd.grad(s, point, retain_graph=True)[0][0] * image for s in logits])
        own = scores[target]
        stays = torch.where(own > 0, (own >= scores).all(0), (own <= scores).all(0))
        plain.append(own.detach())
        winners.append((own * stays).detach())
    return plain, winners


def test_class_of_the_network_in_hand_is_measured_beside_the_fixed_one(net: nn.Module, images: Tensor) -> None:
    stage = next(hp.randomize(net, seed=0)).model
    maps = explained({"cgi": hp.cgi}, stage, images, net(images).argmax(1))
    assert torch.equal(maps.of["cgi"][0], hp.cgi(stage, images, net(images).argmax(1)))
    assert torch.equal(maps.of["cgi"][1], hp.cgi(stage, images, stage(images).argmax(1)))


def test_first_stage_of_both_orders_is_one_network(net: nn.Module, images: Tensor) -> None:
    places = [place for place, _ in stages(net, images, POSITIONS, 0)]
    assert sorted(p for group in places for p in group) == sorted((o, p) for o in POSITIONS for p in (1, 2, 3))
    assert [("independent", 1), ("cascading", 1)] in places
    assert len(places) == 5


def test_independent_stages_change_one_block_only(net: nn.Module, images: Tensor) -> None:
    changed = {
        place[0]: [n for n, t in model.state_dict().items() if not torch.equal(t, net.state_dict()[n])]
        for place, model in stages(net, images, POSITIONS, 0)
    }
    assert changed["independent", 2] == ["3.weight", "3.bias"]
    assert changed["independent", 3] == ["0.weight", "0.bias"]
    assert len(changed["cascading", 3]) == 6


def test_each_photo_has_random_networks_of_its_own(lab: Lab, net: nn.Module, images: Tensor) -> None:
    sweep = Sweep.of(lab, {"cascading": (1,)}, cascading=(INPUT,))
    twice = one_seed_each(sweep, net, images[:1].repeat(2, 1, 1, 1))
    alike = twice["cascading/gradient_x_input/signed/1"]
    assert alike.upper > alike.lower
    assert twice["original/cgi/kept"].upper == twice["original/cgi/kept"].lower
    assert twice.arrays["cgi/cascading/1"].shape == (1, 1, SIDE, SIDE)


def test_same_command_twice_gives_the_same_numbers(lab: Lab, net: nn.Module, images: Tensor) -> None:
    sweep = Sweep.of(lab, {"cascading": (1, 3)}, cascading=(INPUT,))
    first, second = (many_seeds(sweep, net, images[:3], 2, (0,)) for _ in range(2))
    assert list(first.numbers.items()) == list(second.numbers.items())
    assert all(torch.equal(first.arrays[name], second.arrays[name]) for name in first.arrays)


def test_remains_by_hand() -> None:
    before = torch.tensor([[[[4.0, -1.0, 0.0, -3.0]]]])
    left = remains(before, torch.tensor([[[[4.0, 0.0, 0.0, -3.0]]]]))
    assert {name: round(float(v), 4) for name, v in left.items()} == {
        "kept": 0.6667, "mass": 0.875, "red": 1.0, "blue": 0.75
    }  # fmt: skip


def test_blank_map_resembles_nothing() -> None:
    some = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    other = some.clone()
    other[0] = 0
    alike = weights.resemblance(some, other)
    assert all(v[0] == 0 and v[1] == pytest.approx(1) for v in alike.values())


def sweep_numbers(value: Number, kinds: str, order: str = "cascading", method: str = "cgi") -> Measured:
    """One number at all of 4 stages."""
    numbers = {f"{order}/changed/{p}": Number(0.9) for p in range(1, 5)}
    for place in (*(f"{order}/{method}/{{}}/{p}" for p in range(1, 5)),):
        for kind in (*kinds.split(), "expected", "image", "image expected", "signed", "absolute", "mass"):
            numbers |= {place.format(kind): value, f"predicted/{place.format(kind)}": value}
            numbers[f"cascading/{method}/{kind}/4"] = value
            numbers[f"original/{method}/{kind}"] = value
            numbers |= {place.format(f"fallen {kind}"): Number(0.1, 0.05, 0.15)}
    numbers["cascading/changed/4"] = Number(0.9)
    return Measured(numbers, words={"independent": "a\nb\nc\nd", "cascading": "a\nb\nc\nd"})


def test_one_stage_that_is_not_blank_is_enough() -> None:
    given = sweep_numbers(Number(0.01, 0.0, 0.02), "kept", "independent")
    last = Measured({**given.numbers, "independent/cgi/kept/4": Number(0.5)}, words=given.words)
    assert held("S0-Fig4-blank", given) is True
    assert held("S0-Fig4-blank", last) is False


def test_blank_is_less_than_on_the_trained_network() -> None:
    """The limit alone cannot fail with 1000 classes."""
    given = sweep_numbers(Number(0.002, 0.001, 0.003), "kept")
    for fallen, expected in ((0.03, True), (-0.01, False)):
        numbers = {**given.numbers, "cascading/cgi/fallen kept/1": Number(fallen, fallen - 0.001, fallen + 0.001)}
        assert held("S0-Fig5-blank-1000", Measured(numbers, words=given.words)) is expected


def test_texts_tell_what_was_measured() -> None:
    judge = PAPERS["cgi"].claim("S0-Fig4-blank").judge
    assert judge is not None
    text = judge(sweep_numbers(Number(0.01), "kept", "independent")).measured
    assert "4 of 4 stages, which change 90 % of the predictions" in text


def test_a_photo_that_is_missing_is_named(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lab, "photos", lambda self: SimpleNamespace(names=[weights.PHOTOS[0]]))
    with pytest.raises(hp.errors.InputError, match=weights.PHOTOS[1]):
        weights.birds(lab)


@pytest.mark.parametrize(("less", "mass", "expected"), [(0.5, 0.1, True), (0.5, 0.8, False), (0.1, 0.1, False)])
def test_much_of_the_structure_is_similarity_and_mass(less: float, mass: float, expected: bool) -> None:
    given = sweep_numbers(Number(less), "less", method="clrp")
    numbers = {**given.numbers, **{f"cascading/clrp/mass/{p}": Number(mass) for p in range(1, 5)}}
    numbers |= {f"cascading/lrp/absolute/{p}": Number(0.9) for p in range(1, 5)}
    assert held("S0-Fig6-less", Measured(numbers, words=given.words)) is expected


CASES: list[tuple[str, str, str, str]] = [
    ("S0-Fig4-blank", "kept", "independent", "cgi"),
    ("S0-Fig8-blank", "red blue", "independent", "cgi"),
    ("S0-Fig10-blank", "mass", "independent", "cgi"),
    ("S0-Fig5-blank", "kept", "cascading", "cgi"),
]


@pytest.mark.parametrize(("id", "kinds", "order", "method"), CASES)
def test_blank_is_judged_by_its_interval(id: str, kinds: str, order: str, method: str) -> None:
    for value, expected in (
        (Number(0.01, 0.0, 0.02), True),
        (Number(0.2, 0.19, 0.21), False),
        (Number(0.04, 0.01, 0.07), None),
    ):
        assert held(id, sweep_numbers(value, kinds, order, method)) is expected


@pytest.mark.parametrize(
    ("id", "kind", "order", "method"),
    [
        ("S0-Fig4-shows", "image", "independent", "gradient_x_input"),
        ("S0-Fig4-shows-1000", "image", "independent", "gradient_x_input"),
        ("S0-Fig5-shows", "image", "cascading", "gradient_x_input"),
        ("S0-Fig6-shows", "image", "cascading", "lrp"),
        ("S0-Fig9-shows", "image", "cascading", "lrp(rule='alphabeta')"),
    ],
)
def test_showing_is_judged_by_its_interval(id: str, kind: str, order: str, method: str) -> None:
    for value, expected in (
        (Number(0.9, 0.8, 1.0), True),
        (Number(0.3, 0.2, 0.4), False),
        (Number(0.55, 0.4, 0.7), None),
    ):
        assert held(id, sweep_numbers(value, kind, order, method)) is expected


def test_late_stages_are_those_from_half_of_the_blocks_on() -> None:
    given = sweep_numbers(Number(0.9, 0.8, 1.0), "absolute", "cascading", "gradient_x_input")
    assert randomisation_judges.late(given, "cascading") == [2, 3, 4]
    assert randomisation_judges.first(given, "cascading") == [1]
    low = Measured({**given.numbers, "cascading/gradient_x_input/image/1": Number(0.1)}, words=given.words)
    assert held("S0-Fig5-shows", low) is True


def test_chance_row_shows_the_error_of_the_paper() -> None:
    exact = survival(10)
    for value, expected in ((Number(exact, exact - 0.01, exact + 0.01), False), (Number(0.1, 0.09, 0.11), True),
                            (Number(0.2, 0.05, 0.35), None)):  # fmt: skip
        assert held("S0-Fig5-chance", Measured({"cascading/cgi/kept/1": value})) is expected


VERDICTS: list[tuple[str, dict[str, str], bool | None]] = [
    ("S0-Fails", {"gradient_x_input": "input-dominated"}, True),
    ("S0-Fails", {"gradient_x_input": "insensitive"}, True),
    ("S0-Fails", {"gradient_x_input": "sensitive"}, False),
    ("S0-Passes", {"cgi": "sensitive"}, True),
    ("S0-Passes", {"cgi": "insensitive"}, False),
    ("S0-Passes", {"cgi": "undecided"}, None),
    ("S0-LRP", {"lrp": "input-dominated", "clrp": "sensitive"}, True),
    ("S0-LRP", {"lrp": "sensitive", "clrp": "sensitive"}, False),
]


@pytest.mark.parametrize(("id", "got", "expected"), VERDICTS)
def test_verdicts_of_the_audit(id: str, got: dict[str, str], expected: bool | None) -> None:
    words = {f"verdict/{name}": verdict for name, verdict in got.items()} | {f"reason/{name}": "why" for name in got}
    judge: Any = PAPERS["cgi"].claim(id).judge
    finding = judge(Measured({f"floor/{name}/spearman_abs": Number(0.5) for name in got}, words=words))
    assert finding.held is expected
    assert finding.reason == ("why" if expected is None else "")


def test_audited_gives_the_verdicts_of_the_audit(lab: Lab, images: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    small = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 10)).eval()
    monkeypatch.setattr(Lab, "network", lambda self, name: small)
    monkeypatch.setattr(Lab, "labelled", lambda self, *given: (images, torch.zeros(8, dtype=torch.int64)))
    found = labels.audited(lab)
    assert held("S0-Fails", found) is True
    assert {found.words[f"verdict/{name}"] for name in labels.METHODS} <= set(WORST_FIRST)
    broken = labels.audited(replace(lab, runs=lab.runs / "broken", swapped={"cgi": hp.gradient_x_input}))
    assert held("S0-Passes", broken) is False


@pytest.fixture(scope="module")
def threes(net: nn.Module, sure: nn.Module, images: Tensor) -> Callable[[dict[str, Any]], Measured]:
    other = next(hp.randomize(net, "full", seed=5)).model
    return lambda methods: labels.threes(methods, sure, other, images)


METHODS: dict[str, Any] = {"gradient_x_input": hp.gradient_x_input, "cgi": hp.cgi}
FIGURE7 = ("S0-Fig7-removes", "S0-Fig7-sensitive", "S0-Fig7-classes")


def test_permuted_labels(threes: Callable[[dict[str, Any]], Measured]) -> None:
    found = threes(METHODS)
    assert all(held(id, found) is True for id in ("S0-Fig7-shows", *FIGURE7))
    same = replace(found, numbers={**found.numbers, "lost": Number(0.0, -0.1, 0.1)})
    assert held("S0-Fig7-removes", same) is False
    broken = threes({**METHODS, "cgi": hp.gradient_x_input})
    assert all(held(id, broken) is False for id in FIGURE7)
    assert held("S0-Fig7-shows", threes({**METHODS, "gradient_x_input": hp.random_map})) is False


def test_threes_are_explained_as_threes(net: nn.Module, images: Tensor) -> None:
    found = labels.threes(METHODS, net, net, images)
    as_three = hp.cgi(net, images, torch.full((len(images),), labels.DIGIT))
    assert torch.equal(found.arrays["permuted/cgi"], as_three[list(labels.DRAWN)])
    assert found.value("true/kept") == found.value(f"true/kept/{labels.DIGIT}")
    named = hp.kept(hp.gradient_x_input(net, images), hp.cgi(net, images)).fraction
    assert found.value("predicted/true/kept") == pytest.approx(float(named.mean()))


def test_shares_of_all_classes_are_two_winners_a_pixel(threes: Callable[[dict[str, Any]], Measured]) -> None:
    """Each pixel has one largest and one smallest score; these are positive and negative but once in 2^99."""
    found = threes(METHODS)
    shares = [found.value(f"permuted/kept/{c}") for c in range(CLASSES)]
    assert sum(shares) == pytest.approx(2, abs=1e-6)


def test_what_a_map_shows_of_an_image(images: Tensor) -> None:
    half = images.clone()
    half[:, :, : SIDE // 2] = 0
    seen = labels.seen(images, {"gradient_x_input": images, "cgi": half})
    assert seen["gradient_x_input/image"].tolist() == pytest.approx([1.0] * 8)
    stroke = (images[0] != 0).sum()
    assert float(seen["cgi/stroke"][0]) == pytest.approx(float((half[0] != 0).sum() / stroke))
    assert float(seen["gradient_x_input/outside"][0]) == 0
    assert labels.seen(images, {"gradient_x_input": images, "cgi": images * 0})["cgi/image"].tolist() == [0.0] * 8
    assert float(labels.seen(images, {"gradient_x_input": images, "cgi": images + 1})["cgi/outside"][0]) > 0.3


def test_learning_needs_all_networks() -> None:
    names = (
        "gate/true: training accuracy on the true labels",
        "gate/permuted: training accuracy on its permuted labels",
    )
    for values, expected in (((0.99, 0.985), True), ((0.99, 0.97), False)):
        numbers = {name: Number(value) for name, value in zip(names, values, strict=True)}
        assert held("S0-Fig7-learned", Measured(numbers)) is expected


def test_every_row_has_an_experiment_or_a_reason() -> None:
    names = {e.name for e in randomisation_claims.EXPERIMENTS}
    for claim in randomisation_claims.CLAIMS:
        assert claim.experiment in names if claim.experiment else "heatproof audit" in claim.missing, claim.id
    ids = {claim.id for claim in randomisation_claims.CLAIMS}
    assert len(ids) == len(randomisation_claims.CLAIMS)
    assert {id for picture in randomisation_claims.PICTURES for id in picture.claims} <= ids


def test_pictures_are_drawn(found: Measured, threes: Callable[[dict[str, Any]], Measured]) -> None:
    drawn = {id: p for p in randomisation_claims.PICTURES for id in p.claims[:1]}
    strips = ("S0-Fig4-blank", "S0-Fig10-blank", "S0-Fig5-blank", "S0-Fig6-less")
    for id in strips:
        assert len(drawn[id].draw(found).get_children()) > 8
    assert drawn["S0-Fig5-more"].draw(found).axes
    assert len(drawn["S0-Fig7-removes"].draw(threes(METHODS)).get_children()) > 8


def test_no_interval_is_no_trouble() -> None:
    assert randomisation_judges.correlation(Number(0.5, nan, nan)) == "0.50"
    assert randomisation_judges.percent(Number(0.5, nan, nan)) == "50.0 %"
