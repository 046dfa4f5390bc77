"""Random logit, smooth and efficient MPRT, and the sheet of all classes: each against a slow reference and its brackets."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor, nn

import heatproof as hp
from heatproof.checks import subject as subject_module
from heatproof.checks.blocks import Block
from heatproof.checks.caveats import CAVEATS
from heatproof.checks.chain import chain, null_chain, null_stage
from heatproof.checks.class_maps import class_maps
from heatproof.checks.compared import compare
from heatproof.checks.efficient import efficient, map_entropy
from heatproof.checks.explained import explain_all
from heatproof.checks.random_logit import _other, random_logit
from heatproof.checks.randomize import blocks_of
from heatproof.checks.smooth_check import smoothed
from heatproof.checks.subject import Maps, Record, Subject
from heatproof.combine import compete, configure, smooth, times_input, vargrad
from heatproof.engine.chunks import generator
from heatproof.engine.model import own
from heatproof.score import logit, single_logit, value
from heatproof.similarity import comparison
from heatproof.similarity.metrics import metric_from_text
from heatproof.types import Spec
from nets import Net, fresh_input
from test_contract import same, snapshot

CONTROLS = ("edge_map", "random_map")


def subject_of(
    methods: tuple[Any, ...] = ("gradient", "gradient_x_input", *CONTROLS),
    model: nn.Module | None = None,
    images: Tensor | None = None,
    **options: Any,
) -> Subject:
    """Seven images of a network of five classes, each with its predicted class."""
    model = model or Net()
    images = fresh_input(7, seed=3) if images is None else images
    options = {"metrics": ("spearman", "spearman_abs"), "score": logit, "chunk": 4, **options}
    with torch.no_grad():
        targets = options.pop("targets", model(images).reshape(len(images), -1).argmax(1))
    blocks: tuple[Block, ...] = tuple(blocks_of(model, images))
    named = {m if isinstance(m, str) else m.__name__: hp.METHODS[m] if isinstance(m, str) else m for m in methods}
    return Subject(own(model), images, targets, named, blocks=blocks, calibration=images, **options)


def column(record: Record, method: str, metric: str, stage: int | None = None) -> list[float]:
    return [r[6] for r in record.rows if r[0] == method and r[3] == metric and stage in (None, r[2])]


def statuses(record: Record, method: str, metric: str) -> set[tuple[int, str]]:
    return {(r[2], r[7]) for r in record.rows if r[0] == method and r[3] == metric}


def flat_net(weight: list[list[float]]) -> nn.Module:
    rows = torch.tensor(weight, dtype=torch.float64)
    net = nn.Sequential(nn.Flatten(), nn.Linear(rows.shape[1], len(rows), bias=False)).double()
    net[1].weight.data = rows
    return net.eval()


def broken(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise KeyError("no such thing")


def only_on(name: str, then: Callable[[Tensor], Tensor]) -> Any:
    """A method whose map is the gradient under the original network, and something else under a random one."""
    weight = Net().fc2.weight

    def method(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        maps = hp.gradient(model, inputs, target)
        return maps if torch.equal(model.fc2.weight, weight) else then(maps)  # type: ignore[arg-type]

    method.__name__ = name
    return method


# random logit


def test_random_logit_is_the_similarity_of_two_classes_maps() -> None:
    subject, shard = subject_of(), [5, 0, 2]
    record = random_logit(subject, shard, seed=4)
    drawn = column(record, "(model)", "other_class")
    for place, other in zip(shard, drawn, strict=True):
        x, explained = subject.images[place : place + 1], subject.targets[place : place + 1]
        a, b = (hp.gradient(Net(), x, t).sum(1).flatten().numpy() for t in (explained, torch.tensor([int(other)])))
        found = {r[4]: r[6] for r in record.rows if r[0] == "gradient" and r[3] == "spearman"}
        assert found[place] == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)
        assert abs(found[place]) < 0.999
    assert {r[1] for r in record.rows} == {"random_logit"}
    assert {(r[2], r[5]) for r in record.rows} == {(1, 4)}


def test_other_class_is_uniform_and_never_the_explained_one() -> None:
    for target in range(5):
        counts = np.bincount([_other(target, 5, (0, s, 7)) for s in range(2000)], minlength=5)
        assert counts[target] == 0
        others = np.delete(counts, target)
        assert (abs(others - 500) < 5 * math.sqrt(2000 * 0.25 * 0.75)).all()
    assert [_other(t, 2, (0, s, 0)) for s in range(9) for t in (0, 1)] == [1, 0] * 9
    by_place = [_other(0, 1000, (0, 0, place)) for place in range(20)]
    assert len(set(by_place)) > 15
    assert by_place != [_other(0, 1000, (1, 0, place)) for place in range(20)]


def test_images_of_one_class_are_drawn_different_ones() -> None:
    subject = subject_of(("gradient",), targets=torch.full((7,), 2))
    drawn = column(random_logit(subject, list(range(7)), 0), "(model)", "other_class")
    assert drawn == [_other(2, 5, (0, 0, place)) for place in range(7)]
    assert len(set(drawn)) > 1


def test_random_logit_brackets_and_leaves_everything_as_it_was() -> None:
    model = Net()
    subject = subject_of(model=model, chunk=7)
    before = snapshot(model, subject.images)
    targets = subject.targets.clone()
    record = random_logit(subject, list(range(7)), 0)
    assert set(column(record, "edge_map", "spearman") + column(record, "edge_map", "spearman_abs")) == {1.0}
    noise = [v for s in range(8) for v in column(random_logit(subject, list(range(7)), s), "random_map", "spearman")]
    assert abs(np.mean(noise)) < 4 / math.sqrt(64 * len(noise)), "drawn anew for the other class"
    assert len(set(noise)) == len(noise), "and for every seed and image"
    assert same(before, snapshot(model, subject.images))
    assert torch.equal(subject.targets, targets)


def test_random_logit_keeps_its_class_where_others_are_predicted_anew() -> None:
    subject = subject_of(("gradient",))
    predicted = replace(subject, classes="predicted")
    assert random_logit(predicted, [1, 2], 3).rows == random_logit(subject, [1, 2], 3).rows


@pytest.mark.parametrize(("other", "signed"), [(1, 1.0), (2, -1.0)], ids=["duplicate", "opposite"])
def test_random_logit_closed_forms(other: int, signed: float) -> None:
    net = flat_net([[3.0, -1, 2, 4], [3.0, -1, 2, 4], [-3.0, 1, -2, -4]])
    images = torch.tensor([1.0, 2, -3, 0.5], dtype=torch.float64).reshape(1, 1, 2, 2)
    seed = next(s for s in range(20) if _other(0, 3, (0, s, 0)) == other)
    subject = subject_of(("gradient_x_input",), net, images, targets=torch.tensor([0]))
    record = random_logit(subject, [0], seed)
    assert column(record, "(model)", "other_class") == [other]
    assert column(record, "gradient_x_input", "spearman") == [signed]
    assert column(record, "gradient_x_input", "spearman_abs") == [1.0]


def test_random_logit_of_a_binary_logit_is_the_opposite_map() -> None:
    subject = subject_of(
        ("gradient",), flat_net([[3.0, -1.0, 2.0, 4.0]]), torch.randn(1, 1, 2, 2).double(), score=single_logit
    )
    assert column(random_logit(subject, [0], 1), "gradient", "spearman") == [-1.0]


def regression(out: Tensor, target: Tensor) -> Tensor:
    return out["y"][:, 0]  # type: ignore[call-overload, no-any-return]


class Dictionary(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = Net()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.net(x)}


@pytest.mark.parametrize(
    ("model", "score", "got"),
    [
        (flat_net([[1.0] * 128]), logit, "score=logit this model has 1 class"),
        (flat_net([[1.0] * 128]), value, "score=value this model has 1 class"),
        (Dictionary().eval(), regression, "score=regression this model has no"),
    ],
)
def test_one_class_or_a_score_without_classes_is_refused(model: nn.Module, score: Any, got: str) -> None:
    subject = replace(subject_of(("gradient",)), model=model, score=score)
    for check, call in (
        ("random_logit", lambda: random_logit(subject, [0], 0)),
        ("classes", lambda: class_maps(subject, [0])),
    ):
        with pytest.raises(hp.InputError, match=f"check '{check}'.*{got}"):
            call()


def test_random_logit_of_a_method_that_fails_is_told() -> None:
    record = random_logit(subject_of((broken, "gradient")), [0, 1], 0)
    assert statuses(record, "broken", "spearman") == {(1, "failed")}
    assert statuses(record, "gradient", "spearman") == {(1, "ok")}


@pytest.mark.parametrize(
    "job",
    [
        lambda s, shard: random_logit(s, shard, 2),
        lambda s, shard: efficient(s, shard, 2),
        lambda s, shard: class_maps(s, shard, ("gradient_x_input", "cgi", "smooth(gradient, n=2)")),
        lambda s, shard: chain(smoothed(s, n=2), shard, "cascading", 0, (1, 2), frozenset(shard)),
    ],
    ids=["random_logit", "efficient", "class_maps", "smoothed"],
)
def test_a_sample_depends_on_neither_batch_mates_nor_chunk(job: Callable[[Subject, list[int]], Record]) -> None:
    subject = subject_of(("gradient", "random_map", "edge_map"))
    together, again = job(subject, [1, 6, 3]), job(subject, [1, 6, 3])
    assert repr(together.rows) == repr(again.rows)
    for place in (1, 6, 3):
        alone = job(subject, [place])
        assert sorted(map(repr, alone.rows)) == sorted(repr(r) for r in together.rows if r[4] == place)
        assert all(torch.equal(m, together.maps[k]) for k, m in alone.maps.items())
    for chunk in (1, 3, 8):
        other = job(replace(subject, chunk=chunk), [1, 6, 3])
        assert [r[:6] + r[7:] for r in other.rows] == [r[:6] + r[7:] for r in together.rows]
        assert np.allclose(
            [r[6] for r in other.rows], [r[6] for r in together.rows], rtol=0, atol=1e-10, equal_nan=True
        )


# smooth MPRT


def test_smoothed_averages_methods_and_leaves_controls() -> None:
    kept = (
        hp.edge_map, hp.random_map, times_input(hp.random_map), times_input(hp.edge_map), compete(hp.random_map),
        hp.METHODS["smoothgrad"], configure(hp.METHODS["smoothgrad"], n=3), vargrad(hp.gradient),
        compete(smooth(hp.gradient, n=2)), times_input(compete(smooth(hp.gradient, n=2))),
    )  # fmt: skip
    averaged = (
        hp.gradient,
        hp.METHODS["cgi"],
        times_input(hp.gradient),
        configure(hp.integrated_gradients, steps=3),
        broken,
    )
    subject = subject_of((*kept, *averaged))
    found = smoothed(subject, n=3, sigma=0.2)
    assert list(found.methods) == list(subject.methods)
    assert [found.methods[m.__name__] for m in kept] == list(kept)
    assert [found.methods[m.__name__] for m in averaged] == [smooth(m, n=3, sigma=0.2) for m in averaged]
    assert vars(replace(found, methods=subject.methods)) == vars(subject)


def test_smoothed_map_is_the_mean_over_noise_of_the_image_range() -> None:
    subject = smoothed(subject_of(("gradient",)))
    found = explain_all(subject, subject.model, [5, 2], "original").maps["gradient"]
    for row, place in enumerate((5, 2)):
        x, draws = subject.images[place], generator("smooth", 0, place)
        spread = 0.1 * float(x.max() - x.min())
        noisy = torch.stack([x + spread * torch.randn(x.shape, generator=draws) for _ in range(10)])
        maps = hp.gradient(Net(), noisy, subject.targets[place].expand(10))
        assert torch.allclose(found[row], maps.mean(0), rtol=0, atol=1e-12)


def test_smoothed_brackets_and_equal_noise_under_every_network() -> None:
    subject = replace(smoothed(subject_of(), n=3), chunk=7)
    everyone, stages = list(range(7)), (1, len(subject.blocks))
    for record in (
        chain(subject, everyone, "reverse", 0, stages, frozenset()),
        null_chain(subject, everyone, 3, frozenset()),
    ):
        assert set(column(record, "edge_map", "spearman") + column(record, "edge_map", "spearman_abs")) == {1.0}
        noise = column(record, "random_map", "spearman")
        assert abs(np.mean(noise)) < 4 / math.sqrt(64 * len(noise))
        assert max(noise) < 0.9
    a, b = (explain_all(subject, subject.model, everyone, name) for name in ("original", "other/1"))
    rows = [
        r for r in compare(subject, a, b, everyone, "x", 1, 0) if r[0] == "gradient" and not r[3].startswith("zeros")
    ]
    assert {r[6] for r in rows} == {1.0}


@pytest.mark.parametrize("options", [{"n": 0}, {"n": 2.5}, {"sigma": -1.0}, {"sigma": math.nan}, {"sigma": "much"}])
def test_smoothed_refuses_impossible_noise_also_for_controls_alone(options: dict[str, Any]) -> None:
    with pytest.raises(hp.InputError, match="expected a whole n >= 1"):
        smoothed(subject_of(CONTROLS), **options)


# efficient MPRT


def entropy(pixels: Any, bins: int) -> float:
    return float(stats.entropy(np.histogram(np.asarray(pixels, dtype=np.float64), bins=bins)[0]))


@pytest.mark.parametrize("bins", [2, 7, 100])
@pytest.mark.parametrize("kind", ["normal", "whole", "spread", "tiny", "offset", "channels", "single"])
def test_map_entropy_is_that_of_numpys_histogram(kind: str, bins: int) -> None:
    draw = generator("entropy", kind, bins)
    maps = torch.randn(20, 1, 9, 11, generator=draw, dtype=torch.float64)
    if kind == "whole":  # ties on the edges of bins
        maps = (maps * 3).round()
    elif kind == "spread":
        maps = torch.linspace(0, 1, 99, dtype=torch.float64).expand(20, 99).reshape(20, 1, 9, 11) * maps[:, :, :1, :1]
    elif kind in ("tiny", "offset"):
        maps = maps * 1e-200 if kind == "tiny" else maps + 1e6
    elif kind == "channels":
        maps = torch.randn(20, 3, 9, 11, generator=draw, dtype=torch.float64)
    elif kind == "single":
        maps = maps.float().double()
    wanted = [entropy(m.sum(0), bins) for m in maps]
    assert map_entropy(maps, bins).tolist() == pytest.approx(wanted, rel=0, abs=1e-12)
    assert max(wanted) <= math.log(bins) + 1e-12


def test_map_entropy_closed_forms() -> None:
    even = torch.arange(400.0).reshape(1, 1, 20, 20)
    assert map_entropy(even).item() == pytest.approx(math.log(100), abs=1e-12)
    assert map_entropy(torch.full((2, 3, 4, 4), -7.3)).tolist() == [0.0, 0.0]
    lone = torch.zeros(1, 1, 10, 10)
    lone[0, 0, 3, 4] = -5
    assert map_entropy(lone).item() == pytest.approx(-(0.01 * math.log(0.01) + 0.99 * math.log(0.99)), abs=1e-12)
    bad = torch.randn(3, 1, 5, 5)
    bad[0, 0, 1, 1], bad[2, 0, 0, 0] = math.nan, -math.inf
    assert map_entropy(bad).isnan().tolist() == [True, False, True]
    maps = torch.randn(4, 2, 16, 16, dtype=torch.float64, generator=generator(1))
    second_moment = maps / maps.square().mean((1, 2, 3), keepdim=True).sqrt()
    assert torch.equal(map_entropy(second_moment), map_entropy(maps)), "the paper's normalisation changes nothing"
    assert torch.equal(map_entropy(maps[:, :, :, torch.randperm(16, generator=generator(2))]), map_entropy(maps))


def test_efficient_is_the_relative_rise_over_the_nulls_networks() -> None:
    subject, shard, bins = subject_of(("gradient", "edge_map", "random_map"), seed=1), [4, 0], 13
    record = efficient(subject, shard, networks=2, bins=bins)
    x, target = subject.images[shard], subject.targets[shard]
    before = [entropy(m.sum(0), bins) for m in hp.gradient(Net(), x, target)]
    assert column(record, "gradient", "entropy", 0) == pytest.approx(before, abs=1e-12)
    after = [[entropy(m.sum(0), bins) for m in hp.gradient(null_stage(subject, k).model, x, target)] for k in (1, 2)]
    assert column(record, "gradient", "entropy", 1) == pytest.approx(after[0] + after[1], abs=1e-12)
    rise = [(a - b) / b for per_network in after for a, b in zip(per_network, before, strict=True)]
    assert column(record, "gradient", "rise") == pytest.approx(rise, abs=1e-12)
    assert [(r[2], r[4], r[5]) for r in record.rows if r[0] == "gradient" and r[3] == "entropy"] == [
        (0, 4, 0), (0, 0, 0), (1, 4, 1), (1, 0, 1), (1, 4, 2), (1, 0, 2),
    ]  # fmt: skip
    assert set(column(record, "edge_map", "rise")) == {0.0}
    assert len(set(column(record, "random_map", "entropy"))) == 6, "drawn anew for every network"
    assert column(record, "(model)", "class_changed", 1) == [
        float(null_stage(subject, k).model(subject.images)[i].argmax() != subject.targets[i])
        for k in (1, 2)
        for i in shard
    ]


def test_efficient_tells_constant_vanished_and_failed_maps() -> None:
    def constant(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        return torch.ones_like(inputs)

    methods = (
        constant,
        only_on("flat", torch.zeros_like),
        only_on("lost", lambda m: m / 0),
        only_on("fails", lambda m: m[0]),
        broken,
    )
    record = efficient(subject_of(methods), [0, 1], 1)
    assert set(column(record, "constant", "entropy")) == {0.0}
    assert statuses(record, "constant", "entropy") == {(0, "ok"), (1, "ok")}
    assert statuses(record, "constant", "rise") == {(1, "undefined")}
    assert np.isnan(column(record, "constant", "rise")).all()
    assert column(record, "flat", "rise") == [-1.0, -1.0]
    assert statuses(record, "lost", "rise") == {(1, "vanished")}
    assert statuses(record, "lost", "entropy") == {(0, "ok"), (1, "vanished")}
    assert statuses(record, "fails", "entropy") == {(0, "ok"), (1, "failed")}
    assert statuses(record, "fails", "rise") == {(1, "failed")}
    assert statuses(record, "broken", "entropy") == {(0, "failed"), (1, "failed")}
    assert {r[8] for r in record.rows if r[0] == "broken"} == {"KeyError: 'no such thing'"}


@pytest.mark.parametrize("options", [{"networks": 0}, {"networks": 1, "bins": 1}, {"networks": 1, "bins": 10.0}])
def test_efficient_refuses_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(hp.InputError, match=r"efficient\((networks|bins)=.*whole number of [12] or more"):
        efficient(subject_of(), [0], **options)


# all classes


def test_class_maps_of_the_three_class_example() -> None:
    net = flat_net([[1, -2, 0.5, 2], [2, -1, -1, 2], [-1, -3, 0, 1]])
    images = torch.tensor([1.0, 1, 2, -1], dtype=torch.float64).reshape(1, 1, 2, 2)
    record = class_maps(subject_of(("gradient",), net, images), [0])
    assert {k: m.flatten().tolist() for k, m in record.maps.items()} == {
        "gradient_x_input|0|classes|0": [1, -2, 1, -2],
        "gradient_x_input|0|classes|1": [2, -1, -2, -2],
        "gradient_x_input|0|classes|2": [-1, -3, 0, -1],
        "cgi|0|classes|0": [0, 0, 1, -2],
        "cgi|0|classes|1": [2, 0, -2, -2],
        "cgi|0|classes|2": [-1, -3, 0, 0],
    }
    classes = [("(model)", "classes", c, "class", 0, 0, float(c), "ok", "") for c in range(3)]
    sums = {"gradient_x_input": [-2, -3, -5], "cgi": [-1, -2, -4]}
    totals = [
        (m, "classes", c, "total", 0, 0, float(t), "ok", "") for m, row in sums.items() for c, t in enumerate(row)
    ]
    assert record.rows == classes + totals


@pytest.mark.parametrize("most", [1, 2, 4])
def test_class_maps_of_many_classes_are_the_largest_logits(most: int) -> None:
    subject, shard = subject_of(), [6, 2]
    lowest = Net()(subject.images).argmin(1)
    subject = replace(subject, targets=lowest)
    record = class_maps(subject, shard, ("gradient", hp.gradcam), most)
    for place in shard:
        logits = Net()(subject.images)[place].tolist()
        explained = int(lowest[place])
        wanted = [explained] + [c for c in np.argsort(logits)[::-1].tolist() if c != explained]
        found = [int(r[6]) for r in record.rows if r[4] == place and r[3] == "class"]
        assert found == wanted[:most]
        for position, c in enumerate(found):
            for name, method in (("gradient", hp.gradient), ("gradcam", hp.gradcam)):
                alone = method(Net(), subject.images[place : place + 1], torch.tensor([c]))[0].float()
                kept = record.maps[f"{name}|{place}|classes|{position}"]
                assert kept.dtype == torch.float32
                assert torch.allclose(kept, alone, rtol=1e-5, atol=1e-7)
    assert len(record.maps) == 2 * 2 * most


def test_class_maps_calls_each_method_once_and_breaks_ties_by_number() -> None:
    calls = []

    def counted(model: nn.Module, inputs: Tensor, target: Any = None, *, score: Any = None) -> Tensor:
        calls.append(target.shape)
        return inputs.expand(*target.shape[:-1], *inputs.shape) * 1

    object.__setattr__(counted, "__heatproof_spec__", Spec())
    net = flat_net([[1.0] * 4] * 6)
    images = torch.ones(1, 1, 2, 2, dtype=torch.float64)
    record = class_maps(subject_of(("gradient",), net, images, targets=torch.tensor([3])), [0], (counted,), 4)
    assert [r[6] for r in record.rows if r[3] == "class"] == [3, 0, 1, 2]
    assert calls == [(4, 4)], "(K, chunk)"


def test_class_maps_of_binary_and_foreign_methods_and_of_failures() -> None:
    def foreign(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        return inputs * target[:, None, None, None]

    subject = subject_of(
        ("gradient",), flat_net([[3.0, -1, 2, 4]]), torch.ones(1, 1, 2, 2).double(), score=single_logit
    )
    record = class_maps(subject, [0], (foreign, broken, "gradient"))
    assert [record.maps[f"foreign|0|classes|{c}"].sum().item() for c in (0, 1)] == [0, 4]
    assert torch.equal(record.maps["gradient|0|classes|0"], -record.maps["gradient|0|classes|1"])
    assert next(r for r in record.rows if r[0] == "broken")[7:] == ("failed", "KeyError: 'no such thing'")
    (first, *_) = class_maps(replace(subject, targets=torch.tensor([1])), [0], ("gradient",), 1).rows
    assert first[3:7] == ("class", 0, 0, 1.0)


def test_class_maps_refuses_what_it_cannot_do() -> None:
    for most in (0, 2.0, True):
        with pytest.raises(hp.InputError, match="most="):
            class_maps(subject_of(), [0], most=most)  # type: ignore[arg-type]
    with pytest.raises(hp.InputError, match="no method 'gradcan'"):
        class_maps(subject_of(), [0], ("gradcan",))


def test_caveats_are_sentences() -> None:
    assert {"cascading", "smooth", "efficient", "random_logit", "labels", "kept"} <= set(CAVEATS)
    assert all(c.endswith(".") and 60 < len(c) < 400 for c in CAVEATS.values())


def test_a_chain_reads_the_maps_of_each_network_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The original's are kept for all stages and chains; only the first null's are read again, at the end of the ring."""
    subject = subject_of(("gradient",), metrics=("spearman", "spearman_abs", "ssim", "spearman_support"))
    calls: list[int] = []
    monkeypatch.setattr(subject_module, "read", lambda *args: calls.append(1) or comparison.read(*args))
    stages = tuple(range(1, len(subject.blocks) + 1))
    chain(subject, [0, 1], "cascading", 0, stages, frozenset())
    assert len(calls) == 1 + len(stages)
    calls.clear()
    null_chain(subject, [0, 1], 4, frozenset())
    assert len(calls) == 4 + 1, "those of the original are known from the chain before"


def test_compare_says_what_the_metrics_say_of_the_maps() -> None:
    """Also of one channel against several, and then of several again: SSIM reads the maps in two ways."""
    metrics = ("spearman", "spearman_abs", "ssim(preset='code')", "hog")
    subject = subject_of(("gradient",), metrics=metrics)
    a, b, c = (torch.randn(3, n, 16, 16, generator=torch.Generator().manual_seed(n)) for n in (3, 1, 3))
    c += torch.randn(3, 3, 16, 16, generator=torch.Generator().manual_seed(9))
    known = Maps({"gradient": a}, {})
    for other in (b, c, b):
        rows = list(compare(subject, known, Maps({"gradient": other}, {}), [0, 1, 2], "full", 1, 0))
        for metric in metrics:
            said = [row[6] for row in rows if row[3] == metric]
            assert said == metric_from_text(metric)(a, other).tolist()
