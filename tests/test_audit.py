"""The audit end to end on a small network: brackets, resuming, errors, determinism."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

import heatproof as hp
from heatproof.audit import plan_audit, read_audit, run_audit
from heatproof.experiment import files
from heatproof.experiment.cells import Cells
from nets import Net, fresh_input
from test_contract import same, snapshot

CHEAP = ("gradient", "gradcam", "edge_map", "random_map")


def images(count: int = 10) -> Tensor:
    return fresh_input(count, dtype=torch.float32)


def net() -> Net:
    return Net(dtype=torch.float32)


def constant(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    return torch.ones_like(inputs)


def broken(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    raise KeyError("no such thing")


def fails_on_random_networks(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    if not torch.equal(model.fc2.weight, net().fc2.weight):
        raise ValueError("only the original will do")
    return hp.gradient(model, inputs, target)


def vanishes(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
    """A map that is constant as soon as the network is not the original."""
    return hp.gradient(model, inputs, target) * torch.equal(model.fc2.weight, net().fc2.weight)


def audited(tmp_path: Path, **options: Any) -> hp.Audit:
    options = {"methods": CHEAP, "seeds": 2, "nulls": 3, "faithfulness": False, **options}
    return hp.audit(net(), options.pop("images", images()), out=tmp_path / "run", **options)


def values(table: pd.DataFrame, method: str, metric: str, check: str = "cascading") -> np.ndarray[Any, Any]:
    rows = table[(table.method == method) & (table.metric == metric) & (table.check == check)]
    assert len(rows)
    return rows["value"].to_numpy()


def test_brackets(tmp_path: Path) -> None:
    audit = audited(
        tmp_path, images=images(24), checks=("cascading", "independent"), methods=(*CHEAP, constant), seeds=4, nulls=5
    )
    for check in ("cascading", "independent", "null", "prior"):
        for metric in ("spearman", "spearman_abs", "ssim", "hog"):
            assert (values(audit.table, "edge_map", metric, check) == 1).all()
    for metric in ("spearman", "spearman_abs"):
        assert abs(values(audit.table, "random_map", metric).mean()) < 0.03
    verdict = dict(zip(audit.verdicts.method, audit.verdicts.verdict, strict=True))
    assert verdict["edge_map"] == "input-dominated"
    assert verdict["random_map"] == "sensitive"
    assert verdict["constant"] == "undefined"
    edge = audit.results.floors.query("method == 'edge_map' and metric == 'spearman'").iloc[0]
    assert edge.floor == 1
    assert audit.results.curves.query("method == 'edge_map'").excess.isna().all(), "no excess over a floor of 1"


def test_guided_backprop_moves_less_than_the_gradient(tmp_path: Path) -> None:
    audit = audited(tmp_path, images=images(24), methods=("gradient", "guided_backprop"))
    first = audit.results.curves.query("stage == 1 and metric == 'spearman'").set_index("method")["mean"]
    assert first["guided_backprop"] > first["gradient"]


def test_rows_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """One cell computed by hand: image 9 (in a padded shard), seed 1, stage 2."""
    audit = audited(tmp_path)
    model, x = net(), images()
    target = model(x).argmax(1)
    stages = list(hp.randomize(model, calibration=x, seed=1))
    a, b = (hp.gradient(m, x, target) for m in (model, stages[1].model))
    row = audit.table.query("method == 'gradient' and stage == 2 and image == 9 and seed == 1 and check == 'cascading'")
    want = {"spearman": hp.spearman(a, b), "spearman_abs": hp.spearman(a, b, absolute=True), "ssim": hp.ssim(a, b)}
    for metric, found in want.items():
        assert row[row.metric == metric]["value"].item() == pytest.approx(found[9].item(), abs=2e-3)


def test_same_command_same_table(tmp_path: Path) -> None:
    first = audited(tmp_path / "a")
    torch.manual_seed(99)
    second = audited(tmp_path / "b")
    pd.testing.assert_frame_equal(first.table, second.table, check_exact=True)
    other = audited(tmp_path / "c", seed=1)
    assert not first.table["value"].equals(other.table["value"])


def test_model_is_untouched(tmp_path: Path) -> None:
    model, x = net(), images()
    before = snapshot(model, x)
    hp.audit(model, x, methods=CHEAP, seeds=1, nulls=2, out=tmp_path / "run")
    assert same(before, snapshot(model, x))


def test_finished_jobs_are_not_repeated(tmp_path: Path) -> None:
    first = audited(tmp_path)
    jobs = sorted((tmp_path / "run" / "jobs").iterdir())
    stamps = {p.name: p.stat().st_mtime_ns for p in jobs}
    jobs[0].unlink()
    jobs[1].write_text(jobs[1].read_text().replace("0.", "1.", 1))  # damaged: its checksum no longer fits
    again = audited(tmp_path)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    changed = {p.name for p in (tmp_path / "run" / "jobs").iterdir() if p.stat().st_mtime_ns != stamps[p.name]}
    assert changed == {jobs[0].name, jobs[1].name}


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
import test_audit
import heatproof as hp

def slow(model, inputs, target):
    time.sleep(0.05)
    return hp.gradient(model, inputs, target)

test_audit.audited(Path(sys.argv[1]), methods=(*test_audit.CHEAP, slow))
"""


def test_sigkill_and_resume_give_the_undisturbed_table(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    command = [sys.executable, str(script)]
    process = subprocess.Popen([*command, str(tmp_path / "killed")])
    jobs = tmp_path / "killed" / "run" / "jobs"
    for _ in range(1200):
        if jobs.exists() and len(list(jobs.glob("*.json"))) >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    finished = {p.name: p.stat().st_mtime_ns for p in jobs.glob("*.json")}
    assert len(finished) >= 2, "killed before anything was finished"
    assert not (tmp_path / "killed" / "run" / "table.csv").exists(), "killed after everything was finished"
    for name in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / name)], check=True)
    assert all((jobs / name).stat().st_mtime_ns == stamp for name, stamp in finished.items())
    tables = [pd.read_csv(tmp_path / name / "run" / "table.csv") for name in ("killed", "whole")]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_keyboard_interrupt_leaves_finished_jobs(tmp_path: Path) -> None:
    def stop(done: int, total: int, left: float | None) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        audited(tmp_path, progress=stop)
    assert len(list((tmp_path / "run" / "jobs").glob("*.json"))) == 2
    with pytest.raises(hp.RunError, match="not finished"):
        read_audit(tmp_path / "run")
    assert len(audited(tmp_path).table)


def test_full_disk_says_so_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = 0
    plain = os.fsync

    def full(descriptor: int) -> None:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(hp.RunError, match="disk is full"):
        audited(tmp_path)
    monkeypatch.undo()
    assert not list((tmp_path / "run").rglob("*.tmp"))
    assert len(audited(tmp_path).table)


def test_another_configuration_is_refused(tmp_path: Path) -> None:
    audited(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}
    with pytest.raises(hp.RunError, match="seeds"):
        audited(tmp_path, seeds=3)
    with pytest.raises(hp.RunError, match="images_sha256"):
        audited(tmp_path, images=images() + 1)
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*")}


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("precious")
    with pytest.raises(hp.RunError, match="holds no run"):
        audited(tmp_path)


def test_methods_that_do_not_apply_are_rows_not_crashes(tmp_path: Path) -> None:
    gelu = Net(torch.nn.functional.gelu, dtype=torch.float32)
    audit = hp.audit(
        gelu, images(), methods=("gradient", "guided_backprop", broken), seeds=1, nulls=2, out=tmp_path / "run"
    )
    refused = dict(zip(audit.results.refused.method, audit.results.refused.error, strict=True))
    assert "gelu" in refused["guided_backprop"]
    assert "no such thing" in refused["broken"]
    assert list(audit.verdicts.method) == ["gradient"]
    page = audit.report.read_text()
    assert "guided_backprop" in page
    assert "no such thing" in page


def test_a_method_that_fails_later_is_a_failed_row(tmp_path: Path) -> None:
    audit = audited(tmp_path, methods=("gradient", fails_on_random_networks))
    rows = audit.table[audit.table.method == "fails_on_random_networks"]
    assert set(rows.status) == {"failed"}
    assert rows["value"].isna().all()
    assert rows["error"].str.contains("only the original will do").all()


def test_a_vanishing_map_is_counted_and_undecided(tmp_path: Path) -> None:
    audit = audited(tmp_path, methods=("gradient", vanishes))
    rows = audit.table[(audit.table.method == "vanishes") & (audit.table.check == "cascading")]
    assert set(rows[rows.metric == "spearman"].status) == {"vanished"}
    assert audit.verdicts.set_index("method").loc["vanishes", "verdict"] in ("undecided", "undefined")
    assert audit.verdicts.set_index("method").loc["vanishes", "vanished"] == 1


def test_classes_predicted_explains_each_variants_own_class(tmp_path: Path) -> None:
    fixed, own = (audited(tmp_path / c, classes=c, methods=("gradient",)) for c in ("fixed", "predicted"))
    changed = fixed.table[fixed.table.metric == "class_changed"]
    assert 0 < changed["value"].mean() <= 1
    assert not np.allclose(values(fixed.table, "gradient", "spearman"), values(own.table, "gradient", "spearman"))


@pytest.mark.parametrize(
    "methods",
    [("integrated_gradients(steps=2)",), ("smoothgrad(n=2)",), {"mine": lambda m, x, t: hp.gradient(m, x, t)}],
)
def test_methods_that_share_no_pass(tmp_path: Path, methods: Any) -> None:
    audit = audited(tmp_path, methods=methods)
    assert set(audit.table.status) == {"ok"}


def test_a_callable_that_spoils_what_it_is_given_harms_nobody(tmp_path: Path) -> None:
    def spoils(model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        maps = inputs.clone()
        inputs.mul_(0)
        with torch.no_grad():
            model.fc1.weight.mul_(0)
        model.register_forward_hook(lambda m, a, out: out * 0)
        return maps

    model = net()
    before = snapshot(model, images())
    options: dict[str, Any] = {"seeds": 1, "nulls": 2, "faithfulness": False}
    spoiled = hp.audit(
        model, images(), methods={"spoils": spoils, "gradient": hp.gradient}, out=tmp_path / "a", **options
    )
    assert same(before, snapshot(model, images()))
    alone = hp.audit(net(), images(), methods=("gradient",), out=tmp_path / "b", **options)
    assert np.array_equal(values(spoiled.table, "gradient", "spearman"), values(alone.table, "gradient", "spearman"))


class Scaled:
    def __init__(self, power: float) -> None:
        self.power = power

    def explain(self, model: nn.Module, inputs: Tensor, target: Tensor) -> Tensor:
        return hp.gradient(model, inputs, target).abs() ** self.power * inputs


@pytest.mark.parametrize("change", ["bound method", "defaults", "score", "factory", "closure"])
def test_what_changed_is_computed_again(tmp_path: Path, change: str) -> None:
    def run(second: bool, out: str) -> pd.DataFrame:
        a: float = 2.0 if second else 1.0
        options: dict[str, Any] = {"methods": {"m": hp.gradient}}
        if change == "bound method":
            options["methods"] = {"m": Scaled(1 + a).explain}
        elif change == "defaults":
            options["methods"] = {"m": lambda m, x, t, p=a: x * p + hp.gradient(m, x, t) * (p - 1)}
        elif change == "closure":
            options["methods"] = {"m": lambda m, x, t: x * a + hp.gradient(m, x, t) * (a - 1)}
        elif change == "score":
            options["score"] = (lambda o, t: hp.logit(o, t)) if second else (lambda o, t: hp.probability(o, t) ** 2)
        else:
            options["factory"] = lambda: Net(
                dtype=torch.float32, seed=int(torch.randint(99, (1,))) + (100 if second else 0)
            )
        return audited(tmp_path / out, **options).table

    first = run(False, "same")
    fresh = run(True, "fresh")
    assert not first["value"].equals(fresh["value"]), "a change that shows"
    try:
        again = run(True, "same")
    except hp.RunError:
        return  # refused: another configuration
    pd.testing.assert_frame_equal(again, fresh, check_exact=True)


KEYS = """
import sys; sys.path.insert(0, {tests!r})
import test_audit
from heatproof.audit import plan_audit
from heatproof.types import METHODS
plan = plan_audit(test_audit.net(), test_audit.images(), methods=list(METHODS), out={out!r}, threads=1)
print([key for key, _ in plan.jobs])
"""


def test_keys_are_the_same_in_every_process(tmp_path: Path) -> None:
    """No address and no order of a set may get into a key, or nothing is ever resumed."""
    code = KEYS.format(tests=str(Path(__file__).parent), out=str(tmp_path / "run"))
    found = [
        subprocess.run(
            [sys.executable, "-c", f"x = [object()] * {n}\n{code}"], env={**os.environ, "PYTHONHASHSEED": str(n)},
            capture_output=True, text=True, check=True,
        ).stdout
        for n in (1, 20000)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert "chain-" in found[0]


def test_independent_alone_has_no_verdict(tmp_path: Path) -> None:
    audit = audited(tmp_path, checks=("independent",))
    assert set(audit.verdicts.verdict) == {"undecided"}


def test_torchscript_and_structured_outputs(tmp_path: Path) -> None:
    script = torch.jit.trace(net(), images())
    audit = audited_model(
        script, tmp_path / "script", methods=("gradient", "guided_backprop"), batch_norm="keep", init="trunc_normal"
    )
    assert list(audit.verdicts.method) == ["gradient"]
    refused = audit.table[audit.table.status == "refused"]
    assert list(refused.method) == ["guided_backprop"]

    class Wrapped(Net):
        def forward(self, x: Tensor) -> Any:
            return {"logits": super().forward(x)}

    with pytest.raises(hp.ModelError, match="wrap the model"):
        audited_model(Wrapped(dtype=torch.float32), tmp_path / "dict", score=lambda out, t: hp.logit(out["logits"], t))


def audited_model(model: nn.Module, out: Path, **options: Any) -> hp.Audit:
    return hp.audit(
        model, images(), **{"methods": CHEAP, "seeds": 1, "nulls": 2, "faithfulness": False, "out": out, **options}
    )


def test_a_damaged_file_of_maps_is_made_again(tmp_path: Path) -> None:
    first = audited(tmp_path)
    path = next((tmp_path / "run" / "maps").iterdir())
    path.write_bytes(path.read_bytes()[:40])
    again = audited(tmp_path)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    assert len(again.results.strips) == 3


def test_files_of_a_run(tmp_path: Path) -> None:
    audit = audited(tmp_path, faithfulness=True)
    folder = audit.folder
    assert {p.name for p in folder.iterdir()} == {
        "config.json", "jobs", "maps", "per_image.csv", "photos", "report.html", "table.csv", "verdicts.csv",
        "verdicts.json",
    }  # fmt: skip
    table = pd.read_csv(folder / "table.csv", keep_default_na=True)
    assert list(table.columns) == [
        "model",
        "dataset",
        "method",
        "check",
        "stage",
        "metric",
        "image",
        "seed",
        "value",
        "status",
        "error",
    ]
    verdicts = json.loads((folder / "verdicts.json").read_text())
    assert {v["method"] for v in verdicts} == set(CHEAP)
    assert all(np.isfinite(v["faithfulness"]) for v in verdicts)
    config = json.loads((folder / "config.json").read_text())
    assert len(config["weights_sha256"]) == 64
    assert len(audit.results.strips) == 3
    assert set(audit.results.strips[0].maps) == set(CHEAP)


def test_report_can_be_made_again_from_files(tmp_path: Path) -> None:
    audit = audited(tmp_path)
    before = audit.report.read_bytes()
    audit.report.unlink()
    assert read_audit(audit.folder).report.read_bytes() == before


def test_nulls_and_cascade_share_no_network(tmp_path: Path) -> None:
    audit = audited(tmp_path)
    last = audit.table.query("check == 'cascading' and stage == 4 and method == 'gradient' and metric == 'spearman'")
    null = audit.table.query("check == 'null' and method == 'gradient' and metric == 'spearman'")
    assert not set(last["value"]) & set(null["value"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"images": images()[0]}, "expected"),
        ({"images": images() * float("nan")}, "NaN"),
        ({"images": torch.rand(4, 3, 8, 8)}, "channel"),
        ({"targets": torch.full((10,), 7)}, "out of range"),
        ({"targets": torch.zeros(3, dtype=torch.int64)}, "target"),
        ({"methods": ("gradeint",)}, "gradient"),
        ({"methods": ()}, "empty"),
        ({"methods": (broken,)}, "no method can run"),
        ({"checks": ("sideways",)}, "cascading"),
        ({"metrics": ("ssim",)}, "decides"),
        ({"metrics": ("pearson",)}, "spearman"),
        ({"classes": "any"}, "fixed"),
        ({"init": "zeros"}, "init"),
        ({"batch_norm": "forget"}, "batch_norm"),
        ({"blocks": ["conv1"]}, "in no block"),
        ({"budget": "soon"}, "budget"),
        ({"device": "toaster"}, "device"),
        ({"seeds": 0}, "seeds"),
        ({"stages": 0}, "stages"),
    ],
)
def test_bad_input_is_told_before_anything_is_written(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises((hp.InputError, hp.ModelError), match=message):
        audited(tmp_path, **options)
    assert not (tmp_path / "run").exists()


def test_training_mode(tmp_path: Path) -> None:
    with pytest.raises(hp.ModelError, match="training mode"):
        hp.audit(net().train(), images(), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_budget_chooses_the_same_every_time_and_less_for_less(tmp_path: Path) -> None:
    def chosen(budget: Any) -> Any:
        plan = plan_audit(net(), images(16), budget=budget, out=tmp_path / "run")
        return plan.config["chosen"], list(plan.subject.methods)

    assert chosen("full")[0] == {"effort": None, "stages": 4, "seeds": 5, "images": 16}
    assert chosen(1e-3) == chosen(1e-3)
    least, names = chosen(1e-3)
    assert least["images"] == 4
    assert least["effort"] == 4
    assert "integrated_gradients(steps=4)" in names
    assert "smoothgrad(n=4)" in names
    assert not (tmp_path / "run").exists(), "a plan writes nothing"


def test_an_exported_program_of_fixed_batch(tmp_path: Path) -> None:
    program = torch.export.export(net(), (images(4),)).module()
    want = audited(tmp_path / "eager", chunk=4)
    plan = plan_audit(
        program, images(), methods=CHEAP, seeds=2, nulls=3, faithfulness=False, chunk=4, out=tmp_path / "program"
    )
    found = run_audit(plan)
    assert set(found.verdicts.method) == set(want.verdicts.method)
    assert (values(found.table, "edge_map", "spearman") == 1).all()


def test_a_check_with_more_images_than_the_run_keeps_them_all() -> None:
    """The control "planted" explains 32 images of its own, however few the audit has."""
    columns = ["method", "check", "stage", "metric", "image", "seed", "value", "status"]
    rows = [("gradient", "planted", 1, "spearman", i, 0, float(i), "ok") for i in range(32)]
    rows += [("gradient", "cascading", 1, "spearman", 1, seed, 0.5, "ok") for seed in (3, 1)]
    cells = Cells(pd.DataFrame(rows, columns=columns), {"chosen": {"images": 3}})
    assert cells.of("planted", "gradient", "spearman", 1).tolist() == [list(map(float, range(32)))]
    np.testing.assert_array_equal(
        cells.of("cascading", "gradient", "spearman", 1), [[np.nan, 0.5, np.nan], [np.nan, 0.5, np.nan]]
    )
