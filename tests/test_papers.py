"""Claims of papers: what is asked for, what is kept, what is judged; and a broken method turns its rows."""

from __future__ import annotations

import ast
import csv
import json
import os
import re
import shutil
from dataclasses import replace
from math import nan
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

import heatproof as hp
from heatproof.cli import app
from heatproof.errors import InputError, RunError
from heatproof.papers import PAPERS, judge, markdown, sources
from heatproof.papers import run as running
from heatproof.papers.choice import chosen
from heatproof.papers.data import FILES, digest, missing
from heatproof.papers.lab import BUDGETS, Lab
from heatproof.papers.networks import TRAINED, place_of, recipe_of
from heatproof.papers.run import keyed, measured, packed, plan_papers, run_papers
from heatproof.papers.sources import source_of
from heatproof.papers.types import Claim, Experiment, Finding, Measured, Number
from heatproof.papers.verdicts import CANNOT, HELD, NOT_HELD, OUT, TODO, judged, read_claims

CHECKLIST = """
S0-Def-GxI S0-Lem1 S0-Alg1 S0-Alg2 S0-Gen S0-Fig1 S0-Fig2 S0-Fig3 S0-Thm-k S0-Thm-corr S0-Fig11 S0-Fig12 S0-Rem1
S0-Rem2 S0-Fig4 S0-Fig8 S0-Fig10 S0-Fig5 S0-Fig6 S0-Fig9 S0-Fig7 S0-Neg S0-Ext S1-A.1 S1-A.2 S1-A.3 S1-A.4 S1-A.5
S1-A.6 S1-A.7 S1-Vis S1-Met S1-Fig1 S1-3.1 S1-Fig3 S1-Fig4 S1-Fig5 S1-4 S1-Fig6 S1-5.2 S1-5.3-lin S1-5.3-conv S1-5.4
S1-B-CNN S1-B-MLP S1-B-unif S1-B-calib S1-Fig8-9 S1-Fig10-18 S1-Fig20 S1-Fig21 S1-Fig22 S1-Fig23 S1-Fig24 S1-Fig25
S1-Fig26-29 S1-Fig30-33 S1-Fig34 S1-Fig35 S1-Fig36 S1-Inc-v4 S4-Fig7 S4-Fig8 S4-Fig9 S4-Fig10 S4-Fig11 S4-Fig12
S4-Fig22-23 S4-Fig24-25 S4-Fig26 S4-Fig27 S4-Fig28-A S4-Fig28-B S4-Fig28-C S4-Fig28-D S4-Fig28-E S2-Def1 S2-Prop1
S2-Ex1 S2-Prop2 S2-Prop3 S2-Impl S2-Sat S2-Ex2 S2-WD S2-Eq2 S2-Fig1 S2-Fig2a S2-5.1-alt S2-Fig2b S2-Fig3 S2-6-digit
S2-6-mnist S2-Simple S2-Smooth S3-Eq S3-Claim1 S3-Claim2 S3-Pad S3-PRR S3-B2 S3-B3 S3-B4 S3-Train S3-Fig1/F.1 S3-Fig2
S3-Fig3 S3-Fig4 S3-Fig5a S3-Fig15 S3-Fig5b S3-Fig16 S3-Fig6/14 S3-Fig7 S3-Fig8 S3-Table1 S3-A.1/Fig13
""".split()
"""The rows of the four checklists, semantics.md 1.S0 to 1.S4; rows of several figures by figure."""
CLAIMS = [(paper, claim) for paper in PAPERS.values() for claim in paper.claims]
FAST = "S0-Thm-k"
"""A claim that needs no data and a few seconds."""


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    (tmp_path / "data").mkdir()
    return Lab(tmp_path / "data", tmp_path / "networks", tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which one claim is measured."""
    folder = tmp_path_factory.mktemp("claims")
    (folder / "data").mkdir()
    lab = Lab(folder / "data", folder / "networks", folder)
    run_papers(plan_papers(lab, folder / "quick", [], [FAST]), 1)
    return folder / "quick"


def test_every_row_of_the_checklists_is_a_claim() -> None:
    ids = [claim.id for _, claim in CLAIMS]
    assert len(set(ids)) == len(ids)
    missing = [
        row for row in CHECKLIST if not any(i == row or i.startswith((row + "-", row + "/", row + ".")) for i in ids)
    ]
    assert missing == []


@pytest.mark.parametrize(("paper", "claim"), CLAIMS, ids=[claim.id for _, claim in CLAIMS])
def test_claims_are_complete(paper: Any, claim: Claim) -> None:
    assert claim.id.startswith((paper.prefix, "S4" if paper.prefix == "S1" else paper.prefix))
    assert claim.says
    assert claim.source
    if claim.experiment:
        assert claim.judge is not None
        assert claim.protocol
        assert not claim.missing
        assert claim.experiment in {e.name for e in paper.experiments}
    else:
        assert claim.judge is None
        assert claim.missing


def test_experiments_and_pictures_fit_their_claims() -> None:
    names = [e.name for paper in PAPERS.values() for e in paper.experiments]
    assert len(set(names)) == len(names)
    for paper in PAPERS.values():
        ids = {c.id for c in paper.claims}
        used = {c.experiment for c in paper.claims} | {p.experiment for p in paper.pictures}
        assert {e.name for e in paper.experiments} == used - {""}
        for e in paper.experiments:
            assert set(e.networks) <= set(TRAINED)
            assert e.minutes != (None, None)
        for picture in paper.pictures:
            assert picture.claims, picture.title
            assert set(picture.claims) <= ids, picture.title


def test_a_claim_is_measured_judged_and_kept(finished: Path) -> None:
    found = read_claims(finished)
    row = found.table.set_index("id").loc[FAST]
    assert row["verdict"] == NOT_HELD  # the paper's constant is an error
    assert row["value"] == pytest.approx(0.1998, abs=0.01)
    others = found.table[found.table["id"] != FAST]
    assert not set(others["verdict"]) & {HELD, NOT_HELD} or set(
        others[others["verdict"].isin([HELD, NOT_HELD])]["experiment"]
    ) == {row["experiment"]}


def test_a_finished_experiment_is_not_measured_again(finished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> Any:
        raise AssertionError("measured again")

    lab = Lab(finished.parent / "data", finished.parent / "networks", finished.parent)
    plan = plan_papers(lab, finished, [], [FAST])
    assert plan.minutes == 0
    assert all(plan.done(key) for key, _ in plan.experiments)
    monkeypatch.setattr(running.Work, "do", refuse)
    run_papers(plan, 1)


def test_a_damaged_result_is_measured_again(tmp_path: Path, finished: Path) -> None:
    lab = Lab(finished.parent / "data", finished.parent / "networks", finished.parent)
    plan = plan_papers(lab, tmp_path / "quick", [], [FAST])
    run_papers(plan, 1)
    (path,) = (tmp_path / "quick" / "jobs").glob("*.json")
    whole = path.read_text()
    path.write_text(whole.replace("0.1", "0.2", 1))
    assert not plan.done(plan.experiments[0][0])
    run_papers(plan, 1)
    assert path.read_text() == whole == next((finished / "jobs").glob("*.json")).read_text()  # to the last digit


def test_two_processes_leave_the_same_files(tmp_path: Path, lab: Lab) -> None:
    free = [
        e.name
        for p in PAPERS.values()
        for e in p.experiments
        if not e.data and not e.networks and (e.minutes[0] or 9) <= 0.1
    ]
    ids = [c.id for _, c in CLAIMS if c.experiment in free[:3]]
    assert len(free) >= 3
    for workers in (1, 2):
        run_papers(plan_papers(lab, tmp_path / f"{workers}", [], ids), workers)
    one, two = (sorted((tmp_path / n / "jobs").glob("*.json")) for n in "12")
    assert [p.read_bytes() for p in one] == [p.read_bytes() for p in two] != []


def test_keys_hold_all_that_a_result_depends_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment("x", lambda lab: Measured(), networks=("mnist-cnn",), data=("MNIST",))
    monkeypatch.setattr(running, "source_of", lambda module: "first")
    held = {"format": 1, "code": "abc", "budget": "quick", "data": {"MNIST": "abc", "CIFAR10": "def"}, "device": "cpu"}
    key = keyed(experiment, held, lab)
    assert keyed(experiment, held, lab) == key
    assert keyed(experiment, {**held, "data": {"MNIST": "abc", "CIFAR10": "other"}}, lab) == key
    assert keyed(experiment, {**held, "data": {"MNIST": "other"}}, lab) != key
    assert keyed(experiment, {**held, "device": "cuda"}, lab) != key
    assert keyed(experiment, {**held, "code": "other"}, lab) != key
    assert keyed(experiment, held, replace(lab, budget="full")) != key  # by the network's recipe alone
    monkeypatch.setattr(running, "source_of", lambda module: "second")
    assert keyed(experiment, held, lab) != key


def test_the_code_of_a_measurement_is_all_that_it_imports_of_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "heatproof.papers"
    files = {
        f"{place}.cgi.maps": "from ..lab import Lab\nfrom . import other\nfrom .more import x\nfrom ...train import y",
        f"{place}.cgi.other": "from .maps import z\nother = 1",
        f"{place}.cgi.more": '"""Words."""\nfrom ..types import Number',
        f"{place}.lab": "lab = 1",
    }
    monkeypatch.setattr("heatproof.papers.sources.import_module", lambda name: name)
    monkeypatch.setattr("heatproof.papers.sources.sys", SimpleNamespace(modules={}))
    monkeypatch.setattr("inspect.getsource", files.__getitem__)
    assert source_of(f"{place}.cgi.maps") == "\n".join(ast.dump(ast.parse(re.sub('""".*"""', "", files[name])))
                                                       for name in sorted(files))  # fmt: skip
    more = source_of(f"{place}.cgi.more")
    files[f"{place}.cgi.more"] = "from ..types   import Number  # words\n'more'"
    assert source_of(f"{place}.cgi.more") == more
    files[f"{place}.cgi.more"] = "from ..types import Number, Measured"
    assert source_of(f"{place}.cgi.more") != more


def test_results_are_of_the_code_that_computes_and_not_of_what_shows_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "heatproof"
    shutil.copytree(Path(sources.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(sources, "__file__", str(package / "papers" / "sources.py"))
    code = sources.computing.__wrapped__
    before = code()
    for shows in ("cli/tables.py", "papers/judge.py", "plots/plates.py", "report/papers.py"):
        (package / shows).write_text("other = 1")
        assert code() == before
    for computes in ("rules/relu.py", "combine/compete.py", "similarity/ssim.py", "engine/passes.py", "explain.py"):
        held = (package / computes).read_text()
        (package / computes).write_text(f"# a remark\n{held}")
        assert code() == before
        (package / computes).write_text(f"{held}\nother = 1")
        assert code() != before
        (package / computes).write_text(held)
    (package / "rules" / "relu.py").rename(package / "rules" / "another.py")
    assert code() != before


def test_what_is_missing_is_named(lab: Lab) -> None:
    plan = plan_papers(lab, lab.runs / "quick")
    assert plan.experiments  # those that need no data
    assert all(why == OUT or "there is no" in why for why in plan.left_out.values())
    for name in [n for n, why in plan.left_out.items() if why != OUT]:
        assert running.experiment_named(name).data or running.experiment_named(name).networks
    with pytest.raises(InputError, match=r"does not exist; give --data"):
        plan_papers(replace(lab, data=lab.data / "nowhere"), lab.runs)


def test_a_folder_of_something_else_is_refused(lab: Lab) -> None:
    folder = lab.runs / "other"
    folder.mkdir()
    (folder / "holiday.txt").touch()
    with pytest.raises(RunError, match="holds something else"):
        run_papers(plan_papers(lab, folder, [], [FAST]), 1)
    (folder / "config.json").write_text("{}")
    with pytest.raises(RunError, match="holds something else"):
        run_papers(plan_papers(lab, folder, [], [FAST]), 1)
    with pytest.raises(RunError, match="holds no claims"):
        read_claims(folder)


def test_measurements_survive_their_files(tmp_path: Path) -> None:
    left = Measured(
        {"a/b": Number(1.5, 1, 2), "c": Number(nan)}, {"map": torch.arange(6.0).view(2, 3).T}, {"w": "x\ny"}
    )
    work = packed(left)
    (tmp_path / "jobs").mkdir()
    from heatproof.experiment.jobs import job
    from heatproof.experiment.run import run_job

    run_job("k", job("experiment", name="x"), lambda j: work, tmp_path, 1)
    found = measured(tmp_path, "k")
    assert found is not None
    assert found["a/b"] == Number(1.5, 1, 2)
    assert found.value("c") != found.value("c")
    assert found.listed("w") == ["x", "y"]
    assert torch.equal(found.arrays["map"], left.arrays["map"])
    assert measured(tmp_path, "other") is None


CONFIG = {"budget": "full", "left_out": {"gone": "there is no MNIST", "late": OUT}, "experiments": {}}


@pytest.mark.parametrize(
    ("claim", "verdict", "reason"),
    [
        ({"experiment": "x", "judge": lambda found: Finding(True, "yes")}, HELD, ""),
        ({"experiment": "x", "judge": lambda found: Finding(False, "no")}, NOT_HELD, ""),
        ({"experiment": "x", "judge": lambda found: Finding(None, "?", reason="wide")}, CANNOT, "wide"),
        ({"missing": "no weights"}, CANNOT, "no weights"),
        ({"experiment": "gone", "judge": lambda found: Finding(True, "")}, CANNOT, "there is no MNIST"),
        ({"experiment": "late", "judge": lambda found: Finding(True, "")}, OUT, ""),
        ({"experiment": "todo", "judge": lambda found: Finding(True, "")}, TODO, ""),
    ],
)
def test_verdicts(claim: dict[str, Any], verdict: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "heatproof.papers.verdicts.experiment_named", lambda name: Experiment(name, lambda lab: Measured())
    )
    row = judged(PAPERS["cgi"], Claim("S0-x", "says", "source", "done", **claim), CONFIG, {"x": Measured()})
    assert (row.verdict, row.reason) == (verdict, reason)


def test_answers_follow_intervals() -> None:
    n = Number
    assert judge.above(n(0.6, 0.55, 0.7), 0.5) is True
    assert judge.above(n(0.6, 0.45, 0.7), 0.5) is None
    assert judge.above(n(0.4, 0.3, 0.7), 0.5) is None
    assert judge.above(n(0.4, 0.3, 0.5), 0.5) is False
    assert judge.above(n(0.6), 0.5) is True
    assert judge.above(n(nan), 0.5) is None
    assert judge.below(n(0.4, 0.3, 0.45), 0.5) is True
    assert judge.below(n(0.4, 0.3, 0.6), 0.5) is None
    assert judge.below(n(0.6, 0.4, 0.7), 0.5) is None
    assert judge.below(n(0.6, 0.55, 0.7), 0.5) is False
    assert judge.within(n(0.52, 0.49, 0.55), 0.5, 0.1) is True
    assert judge.within(n(0.52, 0.1, 0.9), 0.5, 0.1) is None  # a wide interval tells nothing
    assert judge.within(n(0.52, 0.51, 0.55), 0.5, 0.01) is False
    assert judge.within(n(0.505, 0.504, 0.506), 0.5, 0.01) is True
    assert judge.within(n(3.0), 3, 0) is True and judge.within(n(3.1), 3, 0) is False  # noqa: PT018
    assert judge.agrees(n(0.52, 0.49, 0.55), 0.5) is True
    assert judge.agrees(n(0.52, 0.51, 0.55), 0.5) is False
    assert judge.agrees(n(0.5), 0.5) is None
    assert judge.more(n(0.6, 0.5, 0.7), n(0.4, 0.3, 0.45)) is True
    assert judge.more(n(0.6, 0.4, 0.7), n(0.4, 0.3, 0.45)) is None
    assert judge.more(n(0.4), n(0.4)) is False
    assert judge.more(n(0.3, 0.2, 0.35), n(0.4, 0.36, 0.45)) is False
    assert judge.more(n(0.3, 0.2, 0.41), n(0.4, 0.36, 0.45)) is None
    assert judge.every([True, None]) is None
    assert judge.every([None, False]) is False
    assert judge.every([True, True]) is True
    assert judge.finding(None, "m").reason == judge.UNCLEAR
    assert judge.finding(None, "m", n(nan)).reason == judge.NO_VALUE
    assert judge.finding(None, "m", n(0.5, 0.4, 0.6)).reason.startswith("the interval 0.400 to 0.600 holds both")
    assert judge.deciding([(True, n(1)), (None, n(2)), (None, n(3))]) == (None, n(2))
    assert judge.each_above([n(0.5, 0.4, 0.6), n(0.7, 0.1, 0.9)], 0.2) == (None, n(0.7, 0.1, 0.9))
    assert judge.each_below([n(0.5, 0.4, 0.6), n(0.1, 0.0, 0.2)], 0.3) == (False, n(0.5, 0.4, 0.6))
    assert judge.finding(None, "m", reason="dead").reason == "dead"
    assert judge.plain(0.004) == "4e-03"
    assert judge.plain(0.006) == "0.01"
    assert judge.plain(0) == "0.00"


@pytest.mark.parametrize("error", [InputError, RuntimeError])
def test_one_experiment_that_fails_costs_its_own_claims_only(
    error: type[Exception], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(lab: Lab) -> Measured:
        raise error("the photo robin.jpg is damaged")

    broken = Experiment("cgi-random-gradients", fails)
    monkeypatch.setattr(running, "experiment_named", lambda name: broken)
    plan = plan_papers(lab, lab.runs / "quick", [], [FAST])
    run_papers(plan, 1)
    found = measured(lab.runs / "quick", plan.experiments[0][0])
    assert found is not None
    said = f"{error.__name__}: the photo robin.jpg is damaged"
    assert found.failed == said
    monkeypatch.setattr("heatproof.papers.verdicts.experiment_named", lambda name: broken)
    row = judged(PAPERS["cgi"], PAPERS["cgi"].claim(FAST), {**CONFIG, "budget": "quick"}, {broken.name: found})
    assert (row.verdict, row.reason) == (CANNOT, said)


def test_a_lack_of_memory_is_not_kept(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(lab: Lab) -> Measured:
        raise torch.OutOfMemoryError("of the machine, now")

    monkeypatch.setattr(running, "experiment_named", lambda name: Experiment("cgi-random-gradients", fails))
    plan = plan_papers(lab, lab.runs / "quick", [], [FAST])
    with pytest.raises(torch.OutOfMemoryError):
        run_papers(plan, 1)
    assert measured(lab.runs / "quick", plan.experiments[0][0]) is None


def test_times_of_pieces_add_up(lab: Lab) -> None:
    work = running.Work(lab, lab.runs, {"x": "key"})
    for _ in range(2):
        work._note_time("x", 1.5)
    assert running.read_seconds(lab.runs / "times" / "key.json") == 3


def test_a_judge_that_cannot_cope_costs_its_own_row_only() -> None:
    row = judged(PAPERS["cgi"], PAPERS["cgi"].claim(FAST), CONFIG, {"cgi-random-gradients": Measured()})
    assert row.verdict == CANNOT
    assert "KeyError" in row.reason


def test_claims_survive_a_damaged_configuration(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "quick"
    shutil.copytree(finished, folder)
    (folder / "config.json").write_text("{")
    lab = Lab(finished.parent / "data", finished.parent / "networks", finished.parent)
    plan = plan_papers(lab, folder, [], [FAST])
    run_papers(plan, 1)
    assert read_claims(folder).table.set_index("id").loc[FAST, "verdict"] == NOT_HELD


def test_every_file_of_a_part_counts(tmp_path: Path) -> None:
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    names = FILES["MNIST"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    assert missing(tmp_path, "MNIST") == ""
    first = digest(tmp_path, "MNIST")
    for name in names:
        (tmp_path / name).write_bytes(b"y")
        assert digest(tmp_path, "MNIST") != first
        (tmp_path / name).rename((tmp_path / name).with_suffix(""))  # unpacked
        assert missing(tmp_path, "MNIST") == ""
        (tmp_path / name).with_suffix("").unlink()
        assert name in missing(tmp_path, "MNIST")
        (tmp_path / name).write_bytes(b"x")


def test_what_users_type() -> None:
    assert chosen(["all"]) == (list(PAPERS), [])
    assert chosen(["CGI", "sanity_checks", "s0-thm-k"]) == (["cgi", "sanity-checks"], [FAST])
    assert {"S3-B4/Fig17", "S3-B4-against"} <= set(chosen(["S3-B4"])[1])
    assert "S3-Fig6/14" in chosen(["s3-fig6"])[1]
    assert "S1-A.1" in chosen(["S1-A"])[1]
    assert chosen(["S0-Fig5"])[1] == [c.id for _, c in CLAIMS if c.id.startswith("S0-Fig5-")] != []
    with pytest.raises(InputError, match=r"no claim 'S0-Thmk'; did you mean S0-Thm-k"):
        chosen(["S0-Thmk"])
    with pytest.raises(InputError, match="papers: cgi"):
        chosen(["zzzzzz"])


def test_networks_are_kept_by_their_configuration(tmp_path: Path) -> None:
    places = {str(place_of(name, recipe_of(name, budget), tmp_path)) for name in TRAINED for budget in BUDGETS}
    recipes = {(name, recipe_of(name, budget)) for name in TRAINED for budget in BUDGETS}
    assert len(places) == len(recipes) > len(TRAINED)
    with pytest.raises(InputError, match="no trained network 'x'"):
        recipe_of("x", "quick")


def test_quick_is_planned_for_a_quarter_of_an_hour(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "missing", lambda data, part: "")
    monkeypatch.setattr(running, "digest", lambda data, part: part)
    assert plan_papers(lab, lab.runs / "quick").wall(2) < 14
    assert plan_papers(replace(lab, budget="full"), lab.runs / "full").wall(2) < 170


def test_a_method_is_swapped_whatever_its_options(lab: Lab) -> None:
    broken = replace(lab, swapped={"rectgrad": hp.gradient})
    assert broken.method("rectgrad") is hp.gradient
    assert list(broken.methods("rectgrad(q=90)", "gradient_x_input").values()) == [hp.gradient, hp.gradient_x_input]
    assert lab.method("rectgrad") is hp.rectgrad


runner = CliRunner()


def test_the_command_lists_runs_and_reports(tmp_path: Path) -> None:
    listed = runner.invoke(app, ["paper", "list", "cgi"])
    assert listed.exit_code == 0
    assert FAST in listed.output
    assert "rectgrad:" not in listed.output
    (tmp_path / "data").mkdir()
    command = ["paper", "run", FAST, "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--workers", "1"]
    first = runner.invoke(app, command)
    assert first.exit_code == 0, first.output
    folder = tmp_path / "out" / "quick"
    assert {"claims.csv", "numbers.csv", "papers.md", "gallery.html"} <= {p.name for p in folder.iterdir()}
    assert "did not hold" in first.output
    assert "1 did not hold" in " ".join(first.output.split())
    table = (folder / "claims.csv").read_bytes()
    again = runner.invoke(app, command)
    assert "1 of them finished" in " ".join(again.output.split())
    assert (folder / "claims.csv").read_bytes() == table
    (folder / "gallery.html").unlink()
    report = runner.invoke(app, ["report", str(folder)])
    assert report.exit_code == 0
    assert (folder / "gallery.html").exists()
    with (folder / "claims.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(CLAIMS)
    assert json.loads((folder / "config.json").read_text())["budget"] == "quick"


def test_errors_of_the_command_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HEATPROOF_DATA", str(tmp_path / "nowhere"))
    gone = runner.invoke(app, ["paper", "run", "all", "--out", str(tmp_path / "out")])
    assert gone.exit_code == 1
    assert "HEATPROOF_DATA" in gone.output
    wrong = runner.invoke(app, ["paper", "run", "all", "--budget", "huge", "--data", str(tmp_path)])
    assert wrong.exit_code == 1
    assert "expected quick or full" in wrong.output
    assert not (tmp_path / "out").exists()


TABLE = [
    re.split(r" (?<!\\)\| ", line[2:-2])
    for line in (Path(__file__).parents[1] / "docs" / "papers.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| **") and line.count(" | ") >= 5
]
"""The rows of docs/papers.md: id, claim, published, measured, verdict, why."""


def test_the_published_table_has_every_claim_as_it_is_said_now() -> None:
    """Else generate it again: heatproof paper run all --budget full, then copy its papers.md."""
    held = {row[0]: tuple(row[1:3]) for row in TABLE}
    wanted = {
        f"**{markdown.plain(c.id)}**": (
            f"{markdown.plain(c.says)} ({markdown.plain(c.source)})",
            markdown.plain(c.published) or "–",
        )
        for _, c in CLAIMS
    }
    assert held == wanted


def test_every_deviation_is_explained_in_the_published_table() -> None:
    sentences = {f"**{markdown.plain(c.id)}**": markdown.coded(c.why) for _, c in CLAIMS}
    for id, _, _, number, verdict, why in TABLE:
        assert any(word in verdict for word in (HELD, NOT_HELD, CANNOT))
        assert sentences[id] in why or "see [below]" in why
        if HELD not in verdict:
            assert why != "–", id
            assert number != "–" or CANNOT in verdict, id
