"""What ROAR and KAR take, say and refuse, beyond the plain case."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import heatproof as hp
from heatproof.errors import InputError, RunError
from heatproof.experiment.digests import tensor_hash
from heatproof.experiment.folder import differences, refusal
from heatproof.faithfulness.rectgrad_code import is_rectgrad
from heatproof.faithfulness.retrain_fit import processes
from heatproof.faithfulness.retrain_input import float_maps
from heatproof.faithfulness.retrain_presets import PRESETS
from heatproof.faithfulness.retrain_published import Used, beside_paper
from heatproof.faithfulness.retrain_settings import RetrainSettings, retrain_settings
from heatproof.models.factory import build, fresh
from heatproof.report.bench_parts import tally
from heatproof.report.retrain import _words
from heatproof.report.retrain_order import ranking
from heatproof.report.retrain_tables import retrain_tables
from heatproof.roar import plan_retrain, run_retrain
from retrain_case import Net, task, tiny


def plan(model: nn.Module | None = None, methods: Any = ("gradient",), **settings: Any) -> Any:
    (train_set, _), (test_set, _) = task(20, 0), task(10, 1)
    return plan_retrain(model, train_set, test_set, methods, **{"factory": Net, **settings})


def test_one_process_unless_asked_for_more() -> None:
    """A second one runs the script again, which an unguarded script and a notebook cannot bear."""
    made = plan()
    assert processes(made.task.recipe, made.workers) == 1


def test_a_tensor_of_one_number_has_a_hash_whatever_its_stride() -> None:
    assert tensor_hash(torch.tensor(0.5).expand(1)) == tensor_hash(torch.tensor([0.5]))
    assert tensor_hash(torch.arange(9)[::9]) == tensor_hash(torch.tensor([0]))
    assert tensor_hash(torch.arange(9)[3:6]) == tensor_hash(torch.tensor([3, 4, 5]))


def test_a_number_fills_images_of_one_channel_in_a_whole_plan() -> None:
    x, y = torch.randn(30, 1, 8, 8), torch.arange(30) % 2
    make = partial(nn.Sequential, nn.Flatten())
    made = plan_retrain(
        None, (x[:20], y[:20]), (x[20:], y[20:]), ("gradient",), factory=lambda: make(nn.Linear(64, 2)), fill=0.25
    )
    assert made.task.colours.fill.item() == 0.25


def test_a_model_that_cannot_be_pickled_is_said_before_the_run() -> None:
    train_set = task(20, 0)[0]
    traced = torch.jit.trace(fresh(Net, 0), train_set[0][:2])  # type: ignore[no-untyped-call]
    told = plan(traced, workers=2).config["warnings"]
    assert any("one after the other" in text for text in told)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_maps_of_half_precision_are_widened(dtype: torch.dtype) -> None:
    (train_set, mask), (test_set, new) = task(20, 0), task(10, 1)
    found = float_maps({"m": (mask.to(dtype), new.to(dtype))}, train_set, test_set)["m"]
    assert [m.dtype for m in found] == [torch.float32] * 2
    assert torch.equal(found[0], mask)


def test_rectgrad_with_options_set_by_partial_is_rectgrad() -> None:
    assert is_rectgrad(partial(hp.rectgrad, q=50))
    assert is_rectgrad(partial(partial(hp.rectgrad, q=50), chunk=2))
    assert not is_rectgrad(partial(hp.gradient))


def test_notes_about_a_paper_do_not_tell_runs_apart(tmp_path: Path) -> None:
    about = {"reduced": ["a"], "published": {}, "preset": "reduced"}
    run = tiny(tmp_path / "run", about=about)
    changed = {**run.results.config, "reduced": ["b"], "published": {"roar": {"random": 0.5}}, "preset": None}
    assert differences(run.folder, changed) == []


@pytest.mark.parametrize("name", ["gradient, blurred", "gradient, mask only"])
def test_two_entries_of_one_name_are_refused(name: str) -> None:
    (_, mask), (_, new) = task(20, 0), task(10, 1)
    given: dict[str, Any] = {"maps": {name: (mask, new)}}
    with pytest.raises(InputError, match=f"two entries would be called '{name}'"):
        plan(controls=("blurred", "mask"), **given)
    assert plan(controls=(), **given).entries


NETWORK = """
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 4, 3), nn.Linear(4, 2)
    def forward(self, x):
        return self.out(self.conv(x).relu().amax((2, 3)))
"""


def test_a_network_whose_file_was_edited_is_not_made(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    file.write_text(NETWORK)
    factory = build(f"{file}:Net", {})
    assert fresh(factory, 0)
    file.write_text(NETWORK + "# later\n")
    with pytest.raises(RunError, match=r"net\.py changed during the run; finished jobs stay"):
        fresh(factory, 0)
    assert fresh(build(f"{file}:Net", {}), 0), "a new run takes the new file"
    file.unlink()
    with pytest.raises(RunError, match=r"net\.py changed"):
        fresh(factory, 0)


def test_worker_processes_say_that_the_file_was_edited(tmp_path: Path) -> None:
    file = tmp_path / "edited.py"
    file.write_text(NETWORK)
    factory = build(f"{file}:Net", {})
    made = plan(fresh(factory, 0), factory=factory, out=tmp_path / "run", workers=2)
    file.write_text(NETWORK + "# later\n")
    with pytest.raises(RunError, match=r"edited\.py changed during the run; finished jobs stay"):
        run_retrain(made)


def used(counts: tuple[int, int] = (50_000, 10_000), units: Any = (0.5, 0.5), names: Any = (), **over: Any) -> Used:
    held = PRESETS["paper"]
    s = RetrainSettings(Net, **{**held.settings, **over})
    return Used(str(held.model), units, True, (3, 32, 32), counts, s, list(names or held.methods))


def noted(**over: Any) -> str:
    return " | ".join(beside_paper(used(**over))["reduced"])


def test_what_is_as_in_the_paper_or_more_is_no_reduction() -> None:
    assert noted() == ""
    more = ("smoothgrad(n=100, sigma=0.1)", "integrated_gradients(rule='right', steps=100)")
    assert noted(names=more) == ""
    assert noted(counts=(60_000, 10_000)) == ""
    assert noted(networks=5) == ""
    assert noted(fractions=(0.1, 0.2, 0.3, 0.5, 0.7, 0.9)) == ""
    assert beside_paper(used(units=((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))))["warnings"] == []
    assert beside_paper(used(units=((0.5, 0.5, 0.4), 0.5)))["warnings"]


def test_what_differs_from_the_paper_is_said_as_it_is() -> None:
    assert noted(networks=1) == "1 of 3 networks for each point"
    longer = noted(epochs=40)
    assert "40 epochs instead of 20" in longer
    assert "worse" not in longer
    cycle = noted(schedule="onecycle")
    assert "in one cycle instead of a constant rate" in cycle
    assert "worse" not in cycle
    assert "of 20 epochs" not in cycle
    less = noted(epochs=4, batch=50, lr=2e-3, schedule="onecycle", counts=(4000, 2000))
    assert "4,000 of 50,000 training and 2,000 of 10,000 test images, 4 of 20 epochs" in less
    assert "worse" in less


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fractions", 0.5), ("fractions", ("a", "b")), ("fractions", None), ("controls", None), ("controls", (["x"],)),
        ("directions", None), ("about", 3), ("maps", [1]), ("rank", None), ("rank", ["abs"]), ("factory", 3), ("out", 3),
        ("seed", "a"), ("seed", -1), ("device", 3),
    ],
)  # fmt: skip
def test_a_wrong_type_is_refused_by_the_name_of_its_option(name: str, value: Any) -> None:
    with pytest.raises(InputError, match=f"{name}="):
        retrain_settings({"factory": Net, name: value})


def test_masks_alone_stand_after_everything_else(tmp_path: Path) -> None:
    run = tiny(tmp_path / "run", directions=("roar", "kar"), controls=("random", "mask", "edge"))
    run.results.areas.loc[run.results.areas["method"] == "gradient, mask only", "area"] = 0.0
    for direction, shown in zip(("roar", "kar"), retrain_tables(run.results), strict=True):
        assert [row[0] for row in shown[2]] == [row["method"] for row in ranking(run.results, direction)]
        assert shown[2][-1][0] == "gradient, mask only"
    assert sum(count for _, count, _ in tally(_words(run.results, "roar"))) == 1, "of methods, not of controls"


def test_a_dry_run_says_that_its_folder_will_be_refused(tmp_path: Path) -> None:
    run = tiny(tmp_path / "run")
    assert refusal(run.folder, run.results.config) == ""
    assert "networks: 2 there, 5 now" in refusal(run.folder, {**run.results.config, "networks": 5})


UNGUARDED = """
import sys; sys.path.insert(0, {tests!r})
import retrain_case
from heatproof.roar import roar
(train, _), (test, _) = retrain_case.task(20, 0), retrain_case.task(10, 1)
roar(None, train, test, ("gradient",), factory=retrain_case.Net, networks=1, epochs=1, fractions=(0.5,), out={out!r})
"""


def test_a_script_without_a_guard_runs(tmp_path: Path) -> None:
    text = UNGUARDED.format(tests=str(Path(__file__).parent), out=str(tmp_path / "run"))
    (tmp_path / "script.py").write_text(text)
    done = subprocess.run([sys.executable, "-W", "ignore", str(tmp_path / "script.py")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
