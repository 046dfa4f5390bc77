"""`bench` from Python: what it refuses and how it says so, and how its rows become tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.bench import plan_bench, read_bench
from heatproof.checks.interval import estimate
from heatproof.cli.bench_data import bench_data
from heatproof.cli.inputs import Inputs
from heatproof.cli.pair_data import training_data
from heatproof.data.images import image_set
from heatproof.experiment.bench_results import _curves, _summary
from heatproof.faithfulness.kind import Measure
from heatproof.faithfulness.kinds import KINDS
from heatproof.models.spec import LoadedModel


def network(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 3, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 64, outputs)]
    return nn.Sequential(*layers).eval()


def images(count: int = 5) -> Tensor:
    return torch.rand(count, 1, 8, 8, generator=torch.Generator().manual_seed(1))


def whole(count: int = 5) -> Tensor:
    masks = torch.zeros(count, 1, 8, 8, dtype=torch.bool)
    masks[..., 2:6] = True
    return masks


def planned(kind: str, out: Path, **options: Any) -> Any:
    given = {"methods": ("gradient",), "chunk": 4, "threads": 1, "out": out, **options}
    return plan_bench(kind, given.pop("model", network()), images(), **given)


WRONG: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no images in a chunk": ("complexity", {"chunk": 0}, "chunk=0; expected a whole number of images"),
    "a number for a tuple": ("pixel", {"fractions": 0.5}, r"fractions=0\.5; expected a tuple of numbers, such as"),
    "a word for a tuple": ("pixel", {"fills": "black"}, r"fills='black'; expected a tuple of texts, such as \('black',\)"),
    "a word for a number": ("adversarial", {"eps": "a"}, "bench adversarial: eps='a'; expected a number, such as"),
    "half a step": ("adversarial", {"steps": 1.5}, r"steps=1\.5; expected a whole number"),
    "words for numbers": ("pixel", {"fractions": ("a",)}, "expected a tuple of numbers"),
    "a number for a word": ("pixel", {"rank": 1}, "rank=1; expected a text, such as 'abs'"),
    "a black of words": ("pixel", {"black": "dark"}, "black='dark' is no colour"),
    "a black of other channels": ("pixel", {"black": torch.zeros(3)}, r"black has shape \(3,\)"),
    "masks that nobody uses": ("pixel", {"masks": whole()}, "bench pixel has no use for masks"),
    "masks in a list": ("localise", {"masks": whole().tolist()}, "masks are a list; expected a torch.bool tensor"),
    "masks of numbers": ("localise", {"masks": whole().float().numpy()}, "masks are float32"),
    "masks of another size": ("localise", {"masks": whole(4)}, r"expected a torch.bool tensor \(5, 1, 8, 8\)"),
    "a score that nobody knows": ("complexity", {"score": "odds"}, "score='odds'; expected one of logit, probability"),
    "a score that is none": ("complexity", {"score": 3}, "score=3; expected one of logit, probability"),
    "threads below one": ("complexity", {"threads": -1}, "threads=-1; expected a whole number from 1 on, or None"),
    "no threads": ("complexity", {"threads": 0}, "threads=0; expected a whole number from 1 on, or None"),
    "half a thread": ("complexity", {"threads": 1.5}, r"threads=1\.5; expected a whole number from 1 on, or None"),
    "no bench": (None, {}, "there is no bench None; did you mean "),
    "benches": (["pixel"], {}, r"there is no bench \['pixel'\]; did you mean "),
    "a number for a folder": ("complexity", {"out": 3}, "out=3; expected the path of a folder, or None"),
    "no methods": ("complexity", {"methods": ()}, "method"),
    "methods that nobody compares": (
        "feature-occlusion", {"masks": whole()}, "compares background and object, and no methods; leave methods",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named(tmp_path: Path, case: str) -> None:
    kind, options, said = WRONG[case]
    with pytest.raises(hp.InputError, match=said):
        planned(kind, **{"out": tmp_path, **options})


def test_options_of_a_near_type_are_taken(tmp_path: Path) -> None:
    given: dict[str, Any] = {"fractions": [np.float32(0.5), 1], "fills": ["black"]}
    assert planned("pixel", tmp_path, **given).bench.options.fractions == (0.5, 1.0)
    assert planned("pixel", tmp_path, black=-0.4).bench.subject.black.tolist() == pytest.approx([-0.4])
    rows = planned("feature-occlusion", tmp_path, masks=whole(), methods=None)
    assert rows.config["methods"] == ["background", "object"]


def test_names_and_arrays_are_taken_for_what_they_mean(tmp_path: Path) -> None:
    assert planned("complexity", tmp_path, score="probability").bench.subject.score is hp.probability
    assert torch.equal(planned("localise", tmp_path, masks=whole().numpy()).bench.masks, whole())


HOLDS: dict[str, tuple[dict[str, Any], str]] = {
    "an audit": ({"checks": ["cascading"]}, r"holds an audit and no bench; read it with: heatproof report"),
    "a retraining": ({"directions": ["roar"]}, r"holds a retraining run and no bench; read it with: heatproof report"),
    "another bench": ({"bench": "odd"}, "bench 'odd', which this version does not know"),
}


@pytest.mark.parametrize("case", HOLDS)
def test_a_folder_of_another_run_is_named(tmp_path: Path, case: str) -> None:
    config, said = HOLDS[case]
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(hp.RunError, match=said):
        read_bench(tmp_path)


@pytest.mark.parametrize(("score", "outputs", "unit"), [(hp.logit, 3, "probability"), (hp.value, 1, "score")])
def test_areas_are_named_after_what_they_are_of(tmp_path: Path, score: Any, outputs: int, unit: str) -> None:
    done = hp.bench(
        "pixel", network(outputs), images(), methods=("gradient",), score=score, fractions=(0.5,), chunk=4, threads=1,
        out=tmp_path,
    )  # fmt: skip
    assert done.results.measures["deletion:black"].title == f"deletion area ({unit}), black"
    assert done.results.measures["gap:black"].title == f"insertion - deletion area ({unit}), black"
    assert set(done.table["metric"]) == set(done.results.measures)
    assert done.table["value"].notna().all()
    with pytest.raises(hp.InputError, match="unit='odds'; expected one of probability, score"):
        planned("pixel", tmp_path, unit="odds")


def test_images_that_a_metric_is_not_about_are_not_missing_from_it() -> None:
    measures = {"a": Measure("a", "higher"), "b": Measure("b", "higher"), "curve": Measure("curve", curve=True)}
    rows = [("m", "flip", 0, "a", i, 0, float(i), "ok", "") for i in (0, 1)]
    rows += [("c", "flip", 0, "a", i, 0, 0.5, "ok", "") for i in (0, 1)]
    rows += [("m", "flip", 0, "b", i, 0, v, "ok", "") for i, v in ((2, 1.0), (3, np.nan))]
    rows += [("c", "flip", 0, "b", i, 0, 0.0, "ok", "") for i in (2, 3, 4)]
    rows += [("m", "flip", 1, "curve", i, 0, float(i), "ok", "") for i in (0, 1)]
    names = ["method", "check", "stage", "metric", "image", "seed", "value", "status", "error"]
    table = pd.DataFrame(rows, columns=names)
    found = {(r[0], r[1]): r for r in _summary(table, ["m", "c"], measures, "c")}
    assert found["m", "a"][-2:] == (1.0, 2)
    assert found["c", "b"][-2:] == (1.0, 3)
    assert found["m", "b"][-2:] == (pytest.approx(1 / 3), 3), "an undefined value and one that failed are missing"
    assert found["m", "a"][2] == estimate(np.array([[0.0, 1.0]])).mean
    assert next(_curves(table, ["m"], measures, {1: 0.1}))[-1] == 1.0


SAID: dict[str, tuple[dict[str, Any], tuple[str, ...] | None, list[int] | None]] = {
    "numbers of the source": ({"targets": torch.tensor([2, 0, 1])}, None, [2, 0, 1]),
    "its names, the model's numbers": ({"labels": ("a", "c", "b")}, ("c", "b", "a"), [2, 0, 1]),
    "names before numbers": (
        {"labels": ("a", "c", "b"), "targets": torch.tensor([0, 2, 1]), "classes": ("a", "b", "c")},
        ("c", "b", "a"), [2, 0, 1],
    ),
    "numbers that names were given to": (
        {"labels": ("2", "0", "1"), "targets": torch.tensor([2, 0, 1]), "classes": ("0", "1", "2")},
        ("shirt", "bag", "boot"), [2, 0, 1],
    ),
    "other names": (
        {"labels": ("a", "b", "a"), "targets": torch.tensor([0, 1, 0]), "classes": ("a", "b")}, ("c", "d"), None,
    ),
    "a folder whose numbers nobody knows": ({"labels": ("a", "b", "a")}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_flip_takes_images_by_their_own_class(case: str) -> None:
    known, names, expected = SAID[case]
    found = image_set(images(3), ("x", "y", "z"), source="somewhere", **known)
    given = Inputs(LoadedModel("net", network(), categories=names), found, names)
    data = bench_data(KINDS["flip"], given, None, None, None, 0, 4)
    assert (data.targets.tolist() if data.targets is not None else None) == expected
    assert ("as the model predicts it" in data.notes[0]) == (expected is None)
    assert "somewhere" in data.notes[0]
    with pytest.raises(hp.InputError, match="bench flip measures images of the classes that --pairs names"):
        bench_data(KINDS["flip"], given, None, None, torch.tensor([1, 1, 1]), 0, 4)


def test_trained_weights_beside_train_are_an_error_of_any_command(tmp_path: Path) -> None:
    given = Inputs(LoadedModel("net", network(), network, trained=True), image_set(images(3), ("x", "y", "z")), None)
    with pytest.raises(
        hp.InputError, match=r"^--train trains networks of this kind from random weights: leave --weights"
    ):
        training_data(tmp_path, None, given, tmp_path)


@pytest.mark.parametrize("kind", ["noise", "patch"])
def test_a_statistic_is_named_as_it_was_given(tmp_path: Path, kind: str) -> None:
    with pytest.raises(hp.InputError, match="statistic='foo'; expected ''"):
        planned(kind, tmp_path, statistic="foo")


def test_pixel_perturbation_speaks_in_its_own_name() -> None:
    net, x = network(), images()
    for maps, said in ((x[:2], "pixel_perturbation got images"), (x / 0, "pixel_perturbation: the maps hold NaN")):
        with pytest.raises(hp.InputError, match=said):
            hp.pixel_perturbation(net, x, maps * 0)
    for options, said in (({"chunk": 0}, "chunk=0"), ({"fractions": 0.5}, r"fractions=0\.5; expected a tuple")):
        with pytest.raises(hp.InputError, match=said):
            hp.pixel_perturbation(net, x, x, **options)
    with pytest.raises(hp.InputError, match="black='dark' is no colour"):
        hp.pixel_perturbation(net, x, x, black="dark")
