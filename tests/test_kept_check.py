"""What a competition keeps, trained and randomised, against loops and the closed form 2 (1 - 2^-k) / k."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks.kept_check import competitions, kept_job
from heatproof.checks.randomize import randomize
from heatproof.checks.subject import Record, Subject
from heatproof.combine import compete, configure, smooth, times_input
from heatproof.types import METHODS, Spec
from test_companions import broken, column, flat_net, statuses, subject_of


def survival(k: int) -> float:
    """Share of pixels that a class keeps among k random ones of symmetric gradients."""
    return 2 * (1 - 2.0**-k) / k


def loop_kept(maps: Any, target: int) -> tuple[float, float]:
    """Algorithm 1 and its share, one value at a time. maps (k, N)."""
    nonzero = survivors = 0
    mass = kept_mass = 0.0
    for column_of in np.asarray(maps).reshape(len(maps), -1).T:
        s = column_of[target]
        wins = all(s >= o for o in column_of) if s > 0 else all(s <= o for o in column_of)
        if s != 0:
            nonzero, mass = nonzero + 1, mass + abs(s)
            if wins:
                survivors, kept_mass = survivors + 1, kept_mass + abs(s)
    return survivors / nonzero, kept_mass / mass


def networks(subject: Subject, seed: int) -> list[nn.Module]:
    options: dict[str, Any] = {
        "blocks": subject.blocks, "calibration": subject.calibration, "seed": subject.seed * 1000 + seed
    }  # fmt: skip
    orders = ("cascading", "full")
    return [subject.model, *(next(randomize(subject.model, o, subject.init, **options)).model for o in orders)]


def all_maps(method: Any, model: nn.Module, x: Tensor, k: int = 5, **options: Any) -> Tensor:
    return torch.stack([method(model, x, torch.tensor([c]), **options)[0] for c in range(k)])


def test_kept_of_the_three_class_example() -> None:
    net = flat_net([[1, -2, 0.5, 2], [2, -1, -1, 2], [-1, -3, 0, 1]])
    images = torch.tensor([1.0, 1, 2, -1], dtype=torch.float64).reshape(1, 1, 2, 2).expand(3, -1, -1, -1)
    subject = subject_of(("cgi",), net, images, targets=torch.arange(3))
    record = kept_job(subject, [0, 1, 2], 0)
    assert column(record, "cgi", "kept_share", 0) == pytest.approx([1 / 2, 3 / 4, 2 / 3], abs=1e-15)
    assert column(record, "cgi", "kept_mass", 0) == pytest.approx([3 / 6, 6 / 7, 4 / 5], abs=1e-15)


@pytest.mark.parametrize(
    "weight", [[[3.0, -1, 2, 4]] * 2, [[3.0, -1, 2, 4], [-3.0, 1, -2, -4]]], ids=["twins", "opposites"]
)
def test_nothing_is_lost_between_duplicates_or_opposites(weight: list[list[float]]) -> None:
    record = kept_job(subject_of(("cgi",), flat_net(weight), torch.randn(2, 1, 2, 2).double()), [0, 1], 0)
    assert column(record, "cgi", "kept_share", 0) == [1.0, 1.0]
    assert column(record, "cgi", "kept_mass", 0) == [1.0, 1.0]


def test_kept_equals_the_loop_under_every_network() -> None:
    subject, shard, seed = subject_of(("cgi", "clrp", "gradient"), seed=2), [3, 0], 5
    record = kept_job(subject, shard, seed)
    assert {r[0] for r in record.rows} == {"(model)", "cgi", "clrp"}
    assert {(r[1], r[5]) for r in record.rows} == {("kept", 5)}
    for stage, model in enumerate(networks(subject, seed)):
        for name, base in (("cgi", hp.gradient_x_input), ("clrp", hp.lrp)):
            shares, masses = zip(
                *(
                    loop_kept(all_maps(base, model, subject.images[i : i + 1]), int(subject.targets[i]))
                    for i in shard
                ),
                strict=True,
            )  # fmt: skip
            assert column(record, name, "kept_share", stage) == pytest.approx(shares, abs=1e-12)
            assert column(record, name, "kept_mass", stage) == pytest.approx(masses, abs=1e-9)
    assert len(set(column(record, "cgi", "kept_mass"))) == 6, "three networks, two images"


@pytest.mark.parametrize("seed_of_competition", [None, 9])
def test_the_map_before_has_the_noise_of_the_map_after(seed_of_competition: int | None) -> None:
    noisy = smooth(hp.gradient, n=2, sigma=0.5)
    competition = compete(noisy)
    if seed_of_competition is not None:
        competition = configure(competition, seed=seed_of_competition)  # type: ignore[assignment]
    subject = subject_of((competition,), seed=3)
    record = kept_job(subject, [6, 1], 0)
    seed = 3 if seed_of_competition is None else seed_of_competition
    for stage, model in enumerate(networks(subject, 0)):
        for row, i in enumerate((6, 1)):
            maps = all_maps(noisy, model, subject.images[i : i + 1], seed=seed, index=torch.tensor([i]))
            share, mass = loop_kept(maps, int(subject.targets[i]))
            assert column(record, competition.__name__, "kept_share", stage)[row] == pytest.approx(share, abs=1e-12)
            assert column(record, competition.__name__, "kept_mass", stage)[row] == pytest.approx(mass, abs=1e-9)


@pytest.mark.parametrize("k", [2, 3, 10])
def test_a_random_top_layer_keeps_the_closed_form_of_a_fixed_class(k: int) -> None:
    """One class, not the mean over all: that is near 2 / k for any network, trained ones too (see the last lines)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, k)).double().eval()
    x = torch.randn(1, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    subject = subject_of(("cgi",), net, x.expand(k, -1, -1, -1), targets=torch.arange(k), chunk=1)
    assert [b.name for b in subject.blocks] == ["1", "3"]
    top = np.array([column(kept_job(subject, [0], seed), "cgi", "kept_share", 1)[0] for seed in range(40)])
    error = top.std(ddof=1) / math.sqrt(len(top))
    assert top.mean() == pytest.approx(survival(k), abs=3 * error)
    assert abs(top.mean() - 1 / k) > 5 * error, "the paper's own 1 / k does not hold"
    everyone = [
        column(kept_job(replace(subject, chunk=k), list(range(k)), s), "cgi", "kept_share", 1) for s in range(5)
    ]
    assert np.mean(everyone) == pytest.approx(survival(k), abs=0.01 if k > 3 else 0.1)


def test_survival_is_that_of_symmetric_noise() -> None:
    for k, exact in ((2, 0.75), (3, 0.5833333333333334), (10, 0.1998046875)):
        assert survival(k) == pytest.approx(exact, abs=1e-15)
        draws = torch.randn(k, 200_000, generator=torch.Generator().manual_seed(k))
        keeps = torch.where(draws[0] > 0, draws[0] == draws.amax(0), draws[0] == draws.amin(0))
        assert keeps.double().mean().item() == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 200_000))


def test_predicted_classes_hold_for_both_maps() -> None:
    subject = replace(subject_of(("cgi",)), classes="predicted")
    record = kept_job(subject, [0, 4], 1)
    for stage, model in enumerate(networks(subject, 1)):
        for row, i in enumerate((0, 4)):
            x = subject.images[i : i + 1]
            share, _ = loop_kept(all_maps(hp.gradient_x_input, model, x), int(model(x).argmax()))
            assert column(record, "cgi", "kept_share", stage)[row] == pytest.approx(share, abs=1e-12)


def only_trained(trained: Tensor, then: float) -> Any:
    """gradient x input under the trained network; all values `then` under any other."""

    def gradient_once(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Any = None) -> Tensor:
        maps = hp.gradient_x_input(model, inputs, target)
        return maps if torch.equal(model.fc2.weight, trained) else torch.full_like(maps, then)  # type: ignore[arg-type]

    object.__setattr__(gradient_once, "__heatproof_spec__", Spec())
    return gradient_once


@pytest.mark.parametrize("then", [0.0, math.nan, math.inf])
def test_a_map_that_vanishes_or_is_not_finite_is_told(then: float) -> None:
    subject = subject_of(("gradient",))
    name = "lost"
    subject = replace(subject, methods={name: compete(only_trained(subject.model.fc2.weight, then))})  # type: ignore[arg-type]
    record = kept_job(subject, [0, 1], 0)
    for metric in ("kept_share", "kept_mass"):
        assert statuses(record, name, metric) == {(0, "ok"), (1, "vanished"), (2, "vanished")}
        assert np.isnan(column(record, name, metric, 1)).all()


def test_nan_of_a_rival_is_no_survivor() -> None:
    def one_bad_class(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Any = None) -> Tensor:
        maps = hp.gradient_x_input(model, inputs, target)
        bad = (target == 1)[..., None, None, None] & (torch.arange(8) == 0)
        return maps.masked_fill(bad, math.nan)

    object.__setattr__(one_bad_class, "__heatproof_spec__", Spec())
    subject = subject_of((compete(one_bad_class),), targets=torch.zeros(7, dtype=torch.int64))
    record = kept_job(subject, [0], 0)
    assert {s for _, s in statuses(record, "compete(one_bad_class)", "kept_share")} == {"undefined"}


def test_failures_blank_maps_and_no_competition() -> None:
    def blank(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        return torch.zeros_like(inputs)

    record: Record = kept_job(subject_of((compete(broken), compete(blank), "cgi")), [0], 0)
    assert statuses(record, "compete(broken)", "kept_mass") == {(0, "failed"), (1, "failed"), (2, "failed")}
    assert {r[8] for r in record.rows if r[0] == "compete(broken)" and r[3] != "rivals"} == {
        "KeyError: 'no such thing'"
    }
    assert {s for _, s in statuses(record, "compete(blank)", "kept_share")} == {"undefined"}
    assert {s for _, s in statuses(record, "cgi", "kept_share")} == {"ok"}
    with pytest.raises(hp.InputError, match="got gradient, edge_map; add cgi"):
        kept_job(subject_of(("gradient", "edge_map")), [0], 0)


def test_competitions_are_found_by_what_they_are() -> None:
    named = {
        "mine": METHODS["cgi"],
        "five": compete(hp.lrp, classes=5),
        "x": times_input(hp.gradient),
        "g": hp.gradient,
    }
    assert competitions(named) == {"mine": hp.gradient_x_input, "five": hp.lrp}
    seeded = configure(compete(hp.gradient), seed=4)
    assert competitions({"a": seeded}) == {"a": hp.gradient}, "a method without noise takes no seed"


def test_a_sample_stands_alone_and_reruns_are_equal() -> None:
    subject = subject_of(("cgi", "clrp"))
    together = kept_job(subject, [1, 6, 3], 2)
    assert repr(together.rows) == repr(kept_job(subject, [1, 6, 3], 2).rows)
    for place in (1, 6, 3):
        assert sorted(kept_job(subject, [place], 2).rows) == sorted(r for r in together.rows if r[4] == place)
    for chunk in (1, 8):
        other = kept_job(replace(subject, chunk=chunk), [1, 6, 3], 2)
        assert np.allclose([r[6] for r in other.rows], [r[6] for r in together.rows], rtol=0, atol=1e-10)
