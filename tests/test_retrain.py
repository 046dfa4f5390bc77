"""ROAR and KAR: the known-best case, a plain loop for comparison, resuming, and what is refused."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor, nn

import heatproof as hp
from heatproof.errors import InputError, RunError
from heatproof.experiment.files import read_maps
from heatproof.experiment.pool import run_jobs_in_processes
from heatproof.experiment.retrain_results import area, load_retrain
from heatproof.experiment.run import finished
from heatproof.faithfulness.ranks import ranks, removed
from heatproof.faithfulness.retrain import _images, _stacked_inputs
from heatproof.faithfulness.retrain_data import Entry, modified, palette
from heatproof.faithfulness.retrain_fit import chunk_for
from heatproof.faithfulness.retrain_task import Variant
from heatproof.models.factory import fresh
from heatproof.report.retrain_tables import interval_words, retrain_tables
from heatproof.roar import plan_retrain, read_retrain
from heatproof.train import load_network, read_card, train
from heatproof.training.loop import due
from retrain_case import Data, Net, task, tiny

FRACTIONS = (0.1, 0.8)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """True mask against random, in both directions."""
    (seen, mask), (new, new_mask) = task(160, 0), task(200, 1)
    return hp.roar(
        None, seen, new, (), factory=Net, maps={"truth": (mask, new_mask), "opposite": (-mask, -new_mask)}, rank="signed",
        controls=("random", "mask"), fractions=FRACTIONS, networks=3, epochs=4, batch=20, lr=0.05, workers=1,
        directions=("roar", "kar"), out=tmp_path_factory.mktemp("known") / "run",
    )  # fmt: skip


def areas(run: Any, direction: str) -> pd.DataFrame:
    return run.areas[run.areas["direction"] == direction].set_index("method")


@pytest.mark.parametrize("direction", ["roar", "kar"])
def test_the_true_mask_wins_and_the_opposite_loses(known: Any, direction: str) -> None:
    found = areas(known, direction).drop(index=["truth, mask only", "opposite, mask only"])
    assert list(found["area"].sort_values().index) == ["truth", "random", "opposite"]
    assert found.loc["truth", "upper"] < found.loc["random", "area"]
    assert found.loc["truth", "gain_lower"] > 0 > found.loc["opposite", "gain_upper"]
    assert np.isnan(found.loc["random", "gain"])


def test_without_its_evidence_a_task_cannot_be_learned_and_with_it_alone_it_can(known: Any) -> None:
    accuracy = known.accuracies.set_index(["direction", "method", "fraction"])["mean"].sort_index()
    chance = 4 * 0.5 / 200**0.5
    assert (accuracy["roar", "truth"] - 0.5).abs().max() < chance
    assert accuracy["kar", "truth"].min() > 0.95
    assert known.results.original > 0.95


def test_a_mask_whose_place_tells_nothing_stays_at_chance_alone(known: Any) -> None:
    accuracy = known.accuracies.set_index("method")["mean"]
    assert (accuracy["truth, mask only"] - 0.5).abs().max() < 4 * 0.5 / 200**0.5
    assert areas(known, "roar").loc["truth, mask only", ["gain", "gain_lower"]].isna().all()


def test_ties_are_told(known: Any) -> None:
    ties = known.results.ties.set_index(["method", "part"])["tied_share"]
    assert ties["truth", "train"] == 1.0
    assert ties["random", "test"] < 0.01


def test_areas_and_gains_are_those_of_scipy(known: Any) -> None:
    hits = {}
    for key in known.results.config["jobs"]:
        job = json.loads((known.folder / "jobs" / f"{key}.json").read_text())["job"]
        if job["kind"] == "retrain":
            place = (job["entry"], job["direction"], job["seed"], job["fraction"])
            hits[place] = read_maps(known.folder / "maps" / f"{key}.safetensors")["hits"].double().numpy()
    for direction in ("roar", "kar"):
        per = {}
        for entry in ("truth", "random"):
            grid = np.array([[hits[entry, direction, seed, f] for f in FRACTIONS] for seed in range(3)])
            per[entry] = integrate.trapezoid(grid, FRACTIONS, axis=1) / (FRACTIONS[-1] - FRACTIONS[0])
            per[entry] = per[entry] if direction == "roar" else 1 - per[entry]
        row = areas(known, direction).loc["truth"]
        assert row["area"] == pytest.approx(per["truth"].mean(), abs=1e-12)
        gains = per["random"] - per["truth"]
        variance = gains.mean(1).var(ddof=1) / 3 + gains.mean(0).var(ddof=1) / 200
        half = stats.t.ppf(0.975, 2) * variance**0.5
        expected = [gains.mean(), gains.mean() - half, gains.mean() + half]
        assert row[["gain", "gain_lower", "gain_upper"]].tolist() == pytest.approx(expected, abs=1e-9)


def test_random_areas_of_the_paper_are_one_curve_read_both_ways() -> None:
    """RectGrad paper, table 1: .5562 + .4438 = 1: AOC is 1 - AUC; and a straight line has its middle as its area."""
    line = np.array([0.9, 0.7, 0.5])[:, None, None]
    assert area(line, [0.1, 0.3, 0.5], "roar").item() == pytest.approx(0.7)
    assert area(line, [0.1, 0.3, 0.5], "roar") + area(line, [0.1, 0.3, 0.5], "kar") == pytest.approx(1)
    uneven = area(line, [0.1, 0.2, 0.9], "roar").item()
    assert uneven == pytest.approx((0.1 * 0.8 + 0.7 * 0.6) / 0.8)
    assert area(line[:1], [0.3], "roar").item() == pytest.approx(0.9)


def test_hits_equal_a_plain_loop(tmp_path: Path) -> None:
    run = tiny(tmp_path / "run", directions=("kar",), controls=("random", "mask"), fill=0.25)
    (seen, labels), (new, new_labels) = task(40, 0)[0], task(30, 1)[0]
    network = fresh(Net, 999)
    load_network(run.folder / "network.safetensors", network)
    maps = [hp.gradient(network, x, network(x).argmax(1)) for x in (seen, new)]
    orders = [ranks(m, seed=part, index=torch.arange(len(m))) for part, m in enumerate(maps)]
    found = run.table[run.table["metric"] == "accuracy"].set_index(["method", "stage", "seed"])["value"].sort_index()
    for place, fraction in ((1, 0.2), (2, 0.6)):
        kept = round(fraction * 144)
        changed, masks = [], []
        for x, order in zip((seen, new), orders, strict=True):
            image, mask = x.clone(), torch.empty_like(x)
            for i in range(len(x)):
                gone = order[i] >= kept
                image[i][:, gone] = 0.25
                for channel in range(2):
                    low, high = seen[:, channel].min(), seen[:, channel].max()
                    mask[i, channel] = torch.where(gone, low, high)
            changed.append(image)
            masks.append(mask)
        for name, (a, b) in (("gradient", changed), ("gradient, mask only", masks)):
            for seed in (0, 1):
                net = fresh(Net, seed)
                train(net, a, labels, epochs=1, batch=20, lr=0.02, schedule=None, seed=seed)
                want = float((net(b).argmax(1) == new_labels).double().mean())
                assert found[name, place, seed] == want


def test_modified_images_keep_everything_else_and_take_the_training_mean() -> None:
    pixels, found = torch.rand(4, 3, 5, 6), ranks(torch.rand(4, 1, 5, 6))
    colours = palette(torch.arange(24.0).reshape(2, 3, 2, 2))
    assert colours.fill.flatten().tolist() == [7.5, 11.5, 15.5]
    assert (colours.dark.flatten().tolist(), colours.light.flatten().tolist()) == ([0, 4, 8], [15, 19, 23])
    for direction in ("roar", "kar"):
        gone = removed(found, 0.3, direction).expand_as(pixels)
        out = modified(pixels, found, 0.3, direction, colours, picture=False)
        assert torch.equal(out[~gone], pixels[~gone])
        assert torch.equal(out[gone], colours.fill.expand_as(pixels)[gone])


def test_maps_explain_the_predicted_class_never_the_label(tmp_path: Path) -> None:
    (train_set, _), (test_set, _) = task(40, 0), task(30, 1)
    network, asked = fresh(Net, 5), []

    def spy(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        asked.append(bool((model(inputs).argmax(1) == target).all()))
        return hp.gradient(model, inputs, target)

    run = hp.kar(
        network, train_set, test_set, {"spy": spy}, factory=Net, fractions=(0.5,), networks=1, epochs=1, chunk=16,
        workers=1, out=tmp_path / "run", controls=(),
    )  # fmt: skip
    assert (network(train_set[0]).argmax(1) != train_set[1]).any(), "else the test says nothing"
    assert all(asked)
    assert run.areas["gain"].isna().all(), "no random control was asked for"


def test_the_explained_network_is_trained_once_and_has_a_card(tmp_path: Path) -> None:
    run = tiny(tmp_path / "run")
    card = read_card(run.folder / "network.safetensors")
    assert (card["epochs"], card["seed"], card["images"]) == (1, 999, 40)
    assert not (run.folder / "network.state").exists()
    before = (run.folder / "network.safetensors").stat().st_mtime_ns
    table = (run.folder / "retrain.csv").read_bytes()
    (run.folder / "jobs" / f"{run.results.config['jobs'][-1]}.json").unlink()
    with pytest.raises(RunError, match="not finished"):
        load_retrain(run.folder)
    again = tiny(tmp_path / "run")
    assert (run.folder / "network.safetensors").stat().st_mtime_ns == before
    assert (again.folder / "retrain.csv").read_bytes() == table


def test_what_counts_goes_into_the_keys_and_a_folder_holds_one_run(tmp_path: Path) -> None:
    (train_set, _), (test_set, _) = task(40, 0), task(30, 1)
    options: dict[str, Any] = {"factory": Net, "networks": 1, "fractions": (0.5,), "workers": 1, "epochs": 1}

    def keys(kind: str, model: nn.Module, methods: tuple[str, ...] = ("gradient",), **more: Any) -> set[str]:
        plan = plan_retrain(model, train_set, test_set, methods, **{**options, **more})
        return {key for key, j in plan.jobs if j.kind == kind}

    plain, other = fresh(Net, 5), fresh(Net, 6)
    assert keys("retrain", plain) == keys("retrain", plain, workers=2, out="elsewhere")
    for changed in (
        keys("retrain", other),
        keys("retrain", plain, ("gradient_x_input",)),
        keys("retrain", plain, fill=0),
    ):
        assert not changed & keys("retrain", plain)
    assert keys("original", other) == keys("original", plain), "networks on unchanged data know no map"
    assert not keys("original", plain, epochs=2) & keys("original", plain)
    tiny(tmp_path / "run")
    with pytest.raises(RunError, match="holds another run"):
        tiny(tmp_path / "run", lr=0.01)


def test_an_entry_without_maps_fails_alone(tmp_path: Path) -> None:
    (train_set, mask), (test_set, new_mask) = task(40, 0), task(30, 1)
    broken = mask.clone()
    broken[17, 0, 0, 0] = torch.nan
    run = hp.roar(
        fresh(Net, 3), train_set, test_set, ("gradient", "gradcam"), factory=Net, workers=1, networks=1, epochs=1, chunk=16,
        maps={"truth": (mask, new_mask), "broken": (broken, new_mask)}, fractions=(0.5,), out=tmp_path / "run",
        controls=("random", "edge", "blurred", "mask"),
    )  # fmt: skip
    refused = run.results.refused.set_index("method")["error"]
    assert "train image 17 has NaN" in refused["broken"]
    assert {"broken", "broken, blurred", "broken, mask only"} <= set(refused.index)
    have = set(run.areas["method"])
    assert {"gradient", "gradient, blurred", "gradient, mask only", "truth", "random", "edge"} <= have
    assert not have & set(refused.index)
    assert have | set(refused.index) >= {*run.results.config["entries"]}


KILLED = """
import os, random, signal, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import retrain_case
folder, whole = Path(sys.argv[1]), Path(sys.argv[2])

def start(where):
    if (child := os.fork()) == 0:
        retrain_case.tiny(where, networks=8)
        os._exit(0)
    return child

def finished():
    return len(list((folder / "jobs").glob("*.json"))) if folder.exists() else 0

draw, deaths = random.Random(7), 0
for _ in range(5):
    child, target = start(folder), finished() + draw.randint(0, 4)
    while finished() < target:
        time.sleep(0.002)
    time.sleep(draw.random() * 0.03)  # within a job or two, so that five kills never see the end
    os.kill(child, signal.SIGKILL)
    deaths += os.WIFSIGNALED(os.waitpid(child, 0)[1])
print(deaths, finished())
for where in (folder, whole):
    assert os.waitpid(start(where), 0)[1] == 0
"""


def test_killed_five_times_and_resumed_gives_the_same_tables(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(KILLED.format(tests=str(Path(__file__).parent)))
    places = [tmp_path / name for name in ("killed", "whole")]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(script), *map(str, places)], check=True, capture_output=True, text=True
    )
    deaths, finished = map(int, done.stdout.split())
    jobs = len(list((places[1] / "jobs").glob("*.json")))
    assert deaths == 5
    assert 0 < finished < jobs, "killed before anything, or after everything, was finished"
    for name in ("retrain.csv", "accuracies.csv", "areas.csv"):
        assert (places[0] / name).read_bytes() == (places[1] / name).read_bytes()


def test_processes_and_stacks_give_the_same_table(tmp_path: Path) -> None:
    alone = tiny(tmp_path / "alone")
    side = tiny(tmp_path / "side", workers=2)
    assert (side.folder / "retrain.csv").read_bytes() == (alone.folder / "retrain.csv").read_bytes()
    stacked = tiny(tmp_path / "stacked", stack=3)
    pd.testing.assert_frame_equal(stacked.accuracies, alone.accuracies, check_exact=True)
    group = [k for k in stacked.results.config["jobs"] if k.startswith("retrain")][:3]
    paths = [stacked.folder / "jobs" / f"{key}.json" for key in group]
    before = [path.stat().st_mtime_ns for path in paths]
    paths[1].unlink()
    tiny(tmp_path / "stacked", stack=3)
    assert all(path.stat().st_mtime_ns > old for path, old in zip(paths, before, strict=True))
    assert read_retrain(stacked.folder).areas.equals(stacked.areas)


def bad_inputs() -> list[tuple[dict[str, Any], str]]:
    (train_set, mask), (test_set, _) = task(20, 0), task(10, 1)
    one = (train_set[0], torch.zeros_like(train_set[1]))
    double: Data = (train_set[0].double(), train_set[1])
    return [
        ({"factory": None}, "give factory="),
        ({"train": one}, "at least two classes"),
        ({"train": double}, "float32"),
        ({"test": (train_set[0][:10], train_set[1][:10])}, "training images too"),
        ({"test": (test_set[0][..., :8], test_set[1])}, "test images"),
        ({"fractions": (0.0, 0.5)}, "over 0 and under 1"),
        ({"fractions": (0.5, 0.1)}, "rising"),
        ({"fractions": ()}, "rising"),
        ({"directions": ("both",)}, "roar, kar"),
        ({"directions": ()}, "at least one direction"),
        ({"controls": "random"}, "random, edge"),
        ({"rank": "top"}, "parity"),
        ({"fill": "black"}, "'mean'"),
        ({"networks": 0}, "at least 1"),
        ({"network": 3}, "did you mean networks"),
        ({"methods": {"random": hp.gradient}}, "called 'random'"),
        ({"maps": {"truth": (mask, mask)}}, "of the test images"),
        ({"factory": OwnWeights}, "brings its own weights"),
        ({"epochs": 0}, "epochs"),
        ({"maps": {"truth": mask}}, "a pair"),
        ({"maps": {"truth": (mask + 1j, mask[:10])}}, "real numbers"),
        ({"maps": {"truth": ("maps.npy", mask[:10])}}, "real numbers"),
        ({"fill": torch.zeros(3)}, r"fill.*\(2,\)"),
        ({"fill": math.nan}, "finite"),
        ({"fill": (0.0, math.inf)}, "finite"),
        ({"fill": {"red": 0}}, "fill"),
    ]


class OwnWeights(Net):
    def __init__(self) -> None:
        super().__init__()
        self.load_state_dict(
            {k: torch.arange(v.numel()).reshape(v.shape).float() for k, v in self.state_dict().items()}
        )


@pytest.mark.parametrize("change", range(len(bad_inputs())))
def test_bad_input_is_refused_before_anything_is_written(change: int, tmp_path: Path) -> None:
    given, said = bad_inputs()[change]
    options: dict[str, Any] = {
        "train": task(20, 0)[0], "test": task(10, 1)[0], "methods": ("gradient",), "factory": Net, "workers": 1,
        "out": tmp_path / "run", **given,
    }  # fmt: skip
    with pytest.raises(InputError, match=said):
        hp.roar(None, options.pop("train"), options.pop("test"), options.pop("methods"), **options)
    assert not (tmp_path / "run").exists()


def test_parity_ranks_rectgrad_by_its_positive_part_and_others_signed() -> None:
    (train_set, _), (test_set, _) = task(20, 0), task(10, 1)
    plan = plan_retrain(None, train_set, test_set, ("gradient", "rectgrad(q=90)"), factory=Net, rank="parity")
    assert plan.config["rules"] == {
        "gradient": "signed", "rectgrad(q=90)": "positive", "random": "signed", "edge": "signed",
    }  # fmt: skip


def test_parity_goes_by_the_method_whatever_its_name() -> None:
    (train_set, mask), (test_set, new_mask) = task(20, 0), task(10, 1)
    named = {"ours": hp.rectgrad, "smoothed": hp.smooth(hp.rectgrad, n=2), "rectgrad (old)": hp.gradient}
    plan = plan_retrain(
        None, train_set, test_set, named, factory=Net, rank="parity", controls=(), maps={"rectgrad": (mask, new_mask)}
    )
    assert plan.config["rules"] == {
        "ours": "positive", "smoothed": "positive", "rectgrad (old)": "signed", "rectgrad": "signed",
    }  # fmt: skip


def test_maps_of_other_types_count_as_float_maps(tmp_path: Path) -> None:
    (_, mask), (_, new_mask) = task(40, 0), task(30, 1)
    pair = (mask.mul(3).long(), new_mask.mul(3).long())
    given = {
        "float": (mask, new_mask), "bool": (mask.bool(), new_mask.bool()), "whole": pair,
        "numpy": (mask.numpy(), new_mask.numpy()),
    }  # fmt: skip
    (train_set, _), (test_set, _) = task(40, 0), task(30, 1)
    run = hp.roar(
        fresh(Net, 3), train_set, test_set, (), factory=Net, maps=given, fractions=(0.5,), networks=1, epochs=1, batch=20,
        workers=1, out=tmp_path / "run", controls=("blurred",),
    )  # fmt: skip
    found = run.areas.set_index("method")["area"]
    for name in ("bool", "whole", "numpy"):
        assert (found[name], found[f"{name}, blurred"]) == (found["float"], found["float, blurred"])
    assert "only" in interval_words(run.results)


def test_what_intervals_are_of_is_said(known: Any, tmp_path: Path) -> None:
    assert not known.results.conditional
    one = tiny(tmp_path / "one", networks=1)
    assert one.results.conditional
    for run, said in ((known, False), (one, True)):
        text = interval_words(run.results)
        assert ("conditional on one network (seed)" in text) is said
        assert "nothing about training the explained network again" in text
        assert ("conditional on one network (seed)" in run.report.read_text()) is said


def test_entries_without_a_result_are_in_the_terminal_tables(tmp_path: Path) -> None:
    (train_set, mask), (test_set, new_mask) = task(40, 0), task(30, 1)
    broken = mask.clone()
    broken[17, 0, 0, 0] = torch.nan
    run = hp.roar(
        None, train_set, test_set, (), factory=Net, workers=1, networks=1, epochs=1, fractions=(0.5,),
        maps={"truth": (mask, new_mask), "broken": (broken, new_mask)}, controls=(), out=tmp_path / "run",
    )  # fmt: skip
    title, heads, rows = retrain_tables(run.results)[-1]
    assert (title, heads, [row[0] for row in rows]) == ("could not run", ["method", "reason"], ["broken"])
    assert "NaN" in rows[0][1]


class Unstackable(Net):
    """torch computes the momentum of this batch norm from a Python number, which vmap cannot give."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(2, momentum=None)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.norm(x))


def test_networks_that_cannot_be_stacked_are_trained_one_by_one() -> None:
    (train_set, _), (test_set, _) = task(20, 0), task(10, 1)
    plan = plan_retrain(None, train_set, test_set, ("gradient",), factory=Unstackable, stack=3)
    assert plan.task.recipe.stack == plan.config["recipe"]["stack"] == 1
    assert any("one at a time" in text and "norm" in text for text in plan.config["warnings"])
    assert plan_retrain(None, train_set, test_set, ("gradient",), factory=Net, stack=3).task.recipe.stack == 3


def test_a_factory_that_cannot_be_sent_is_said_before_the_run() -> None:
    (train_set, _), (test_set, _) = task(20, 0), task(10, 1)
    hidden = lambda: Net()  # noqa: E731

    def warnings(factory: Any, **more: Any) -> list[str]:
        plan = plan_retrain(None, train_set, test_set, ("gradient",), factory=factory, **more)
        return [text for text in plan.config["warnings"] if "one after the other" in text]

    assert len(warnings(hidden, workers=2)) == 1
    assert not warnings(hidden, workers=1)
    assert not warnings(Net, workers=2)


def test_two_jobs_that_are_left_run_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def pool(keyed: Any, make: Any, folder: Path, threads: int, workers: int, progress: Any) -> Any:
        asked.append(sum(not finished(folder, key) for key, _ in keyed))
        return run_jobs_in_processes(keyed, make, folder, threads, 1, progress)

    monkeypatch.setattr("heatproof.faithfulness.retrain_jobs.run_jobs_in_processes", pool)
    tiny(tmp_path / "run", networks=1, fractions=(0.5,), controls=(), workers=2)
    assert asked == [2, 2]


@pytest.mark.parametrize("direction", ["roar", "kar"])
@pytest.mark.parametrize("picture", [False, True])
def test_images_of_a_stack_are_those_of_each_network(direction: str, picture: bool) -> None:
    (train_set, _), (test_set, _) = task(20, 0), task(10, 1)
    shared = plan_retrain(None, train_set, test_set, (), maps={"m": (train_set[0], test_set[0])}, factory=Net).task
    stored = (ranks(train_set[0], index=torch.arange(20)), ranks(test_set[0]))
    entry = Entry("m", "m", picture)
    variants = [Variant(entry, direction, k, p, k) for k, p in enumerate((0.1, 0.5, 0.9))]
    rows = torch.stack([torch.randperm(20)[:7] for _ in variants])
    together = _stacked_inputs(shared, variants, stored)(rows)
    for k, variant in enumerate(variants):
        alone = _images(shared, "train", variant, stored)[rows[k]]
        assert torch.equal(together[k], alone)


def test_more_images_a_pass_on_a_gpu_but_no_more_numbers() -> None:
    sizes = [chunk_for("cuda", side, side) for side in (28, 32, 64, 224)]
    assert sizes == [512, 512, 128, 64]
    assert chunk_for("cpu", 32, 32) == 64


def test_a_gpu_is_not_waited_for_at_every_step() -> None:
    assert [step for step in range(1, 50) if due("cuda", step, 49)] == [20, 40, 49]
    assert all(due("cpu", step, 49) for step in range(1, 50))
