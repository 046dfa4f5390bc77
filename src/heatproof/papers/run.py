"""Measuring claims: networks are trained first, then experiments run side by side; whatever is finished stays."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import InputError, RunError, out_of_memory
from ..experiment.files import read_job, read_maps, read_rows, write_json
from ..experiment.folder import CONFIG, holds_no_run, read_config
from ..experiment.identity import method_identity, nonce, versions
from ..experiment.jobs import Job, job
from ..experiment.pool import run_jobs_in_processes
from ..experiment.run import Progress, finished
from . import PAPERS
from .data import digest, missing
from .lab import Lab
from .networks import is_kept, place_of, recipe_of, train_network, train_networks, training_minutes
from .sources import computing, source_of
from .types import Experiment, Measured, Number

Reporter = Callable[[str], Progress | None]
"""Gives the progress of a part of the work, by its name."""
EXPERIMENT, NETWORK = "experiment", "network"
FORMAT = 1
"""Of what experiments leave; another one measures again."""


@dataclass
class Left:
    """What a job leaves: rows ("number", name, value, lower, upper) and ("word", name, text), and arrays."""

    rows: list[Any] = field(default_factory=list)
    maps: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Work:
    """Does the jobs of a plan; picklable, so that a worker process starts from it."""

    lab: Lab
    folder: Path
    keys: Mapping[str, str]

    def __call__(self) -> Callable[[Job], Left]:
        return self.do

    def do(self, j: Job) -> Left:
        name, start = str(j["name"]), time.process_time()
        try:
            left = self._trained(name) if j.kind == NETWORK else self._measured(name)
        except RunError:
            raise  # of the disk, say: not the job's own
        except Exception as error:  # of its data or its code, which the key holds: the other jobs go on
            if out_of_memory(error):
                raise  # of this machine, now
            left = Left([("failed", name, f"{type(error).__name__}: {error}")])
        finally:
            self._note_time(name, time.process_time() - start)
        return left

    def _note_time(self, name: str, seconds: float) -> None:
        """Added to what earlier pieces took, which an interrupted job goes on from."""
        path = self.folder / "times" / f"{self.keys[name]}.json"
        write_json(path, round(read_seconds(path) + seconds, 1))

    def _measured(self, name: str) -> Left:
        return packed(experiment_named(name).measure(replace(self.lab, runs=self.folder / "runs" / self.keys[name])))

    def _trained(self, name: str) -> Left:
        lab, recipe = self.lab, recipe_of(name, self.lab.budget)
        if recipe.labels == "pair":
            gates = train_networks(name, recipe, lab.data, lab.networks, lab.device).gates["gates"]
            return packed(
                Measured({gate["name"]: Number(gate["value"]) for gate in gates if gate["value"] is not None})
            )
        card = train_network(name, recipe, lab.data, lab.networks, lab.device)[1]
        found = card.get("test_accuracy", card.get("accuracy"))
        return packed(Measured({} if found is None else {"test accuracy": Number(float(found))}))


@dataclass(frozen=True)
class PaperPlan:
    """What is asked for, ready to run.

    Attributes:
        networks, experiments: jobs under their keys, longest first.
        left_out: experiments that cannot run, and why.
    """

    lab: Lab
    folder: Path
    config: dict[str, Any]
    networks: list[tuple[str, Job]]
    experiments: list[tuple[str, Job]]
    left_out: dict[str, str]

    @property
    def minutes(self) -> float:
        """Of one core, for what is not finished; networks that are kept count as nothing."""
        return sum(self.expected(j) for key, j in (*self.networks, *self.experiments) if not self.done(key))

    def wall(self, workers: int) -> float:
        """Minutes of the clock: trainings first, and no part is done before its longest job."""
        parts = [
            [self.expected(j) for key, j in jobs if not self.done(key)] for jobs in (self.networks, self.experiments)
        ]
        return sum(max([sum(part) / workers, *part]) for part in parts)

    def expected(self, j: Job) -> float:
        """Minutes of one core that a job takes."""
        name = str(j["name"])
        if j.kind == EXPERIMENT:
            return minutes_of(name, self.lab.budget)
        return (
            0.05
            if is_kept(name, self.lab.budget, self.lab.networks, self.lab.device)
            else training_minutes(name, self.lab.budget)
        )

    def done(self, key: str) -> bool:
        return finished(self.folder, key)


def read_seconds(path: Path, none: float = 0.0) -> float:
    """What was noted of a job's time; `none` where nothing was."""
    try:
        return float(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return none


def experiment_named(name: str) -> Experiment:
    """An experiment of any paper."""
    return next(e for paper in PAPERS.values() for e in paper.experiments if e.name == name)


def minutes_of(name: str, budget: str) -> float:
    """Minutes on one core, as estimated by who wrote the experiment."""
    quick, full = experiment_named(name).minutes
    return (quick if budget == "quick" else full) or 0.0


def plan_papers(lab: Lab, folder: Path, papers: Iterable[str] | None = None, claims: Iterable[str] = ()) -> PaperPlan:
    """All experiments of papers and of single claims; where neither is named, of all papers.

    Args:
        papers: names in `PAPERS`.
        claims: ids.

    Raises:
        InputError: a data folder that does not exist.
    """
    if not lab.data.is_dir():
        raise InputError(
            f"the data folder {lab.data} does not exist; give --data (or set HEATPROOF_DATA): a folder with MNIST/raw, "
            "FashionMNIST/raw, CIFAR10, imagenet-samples and weights, as far as you have them"
        )
    wanted = _wanted(papers, set(claims))
    left_out = {e.name: why for paper in PAPERS.values() for e in paper.experiments if (why := reason_out(e, lab))}
    held = _held(lab)
    runs = [e for e in wanted if e.name not in left_out]
    longest = sorted(runs, key=lambda e: -minutes_of(e.name, lab.budget))
    experiments = [(keyed(e, held, lab), job(EXPERIMENT, name=e.name)) for e in longest]
    every = {
        e.name: keyed(e, held, lab) for paper in PAPERS.values() for e in paper.experiments if e.name not in left_out
    }
    names = sorted({n for (key, _), e in zip(experiments, longest, strict=True) if not finished(folder, key)
                    for n in e.networks}, key=lambda n: -training_minutes(n, lab.budget))  # fmt: skip
    networks = [(_network_key(name, held, lab), job(NETWORK, name=name)) for name in names]
    config = {**held, "claims": True, "experiments": every, "left_out": left_out}
    return PaperPlan(lab, folder, config, networks, experiments, left_out)


def run_papers(plan: PaperPlan, workers: int, told: Reporter = lambda what: None) -> None:
    """Train what is needed, then run what is missing.

    Args:
        workers: processes side by side, each with one thread.
        told: gives the progress of a part of the work, by its name.
    """
    check_folder(plan.folder)
    write_json(plan.folder / CONFIG, plan.config)
    names = {str(j["name"]): key for key, j in (*plan.networks, *plan.experiments)}
    work = Work(plan.lab, plan.folder, names)
    for what, jobs in (("networks", plan.networks), ("experiments", plan.experiments)):
        if any(not plan.done(key) for key, _ in jobs):
            run_jobs_in_processes(jobs, work, plan.folder, 1, workers, _by_minutes(told(what), plan, jobs))


def _by_minutes(progress: Progress | None, plan: PaperPlan, jobs: list[tuple[str, Job]]) -> Progress | None:
    """The time left by what each job is expected to take; they differ a hundredfold."""
    if progress is None:
        return None
    expected = {key: plan.expected(j) for key, j in jobs if not plan.done(key)}
    start = time.monotonic()

    def by_minutes(done: int, total: int, left: float | None) -> None:
        behind = sum(minutes for key, minutes in expected.items() if plan.done(key))
        ahead = sum(expected.values()) - behind
        progress(done, total, (time.monotonic() - start) / behind * ahead if behind else left)

    return by_minutes


def check_folder(folder: Path) -> None:
    """Raise `RunError` for a folder of something else. One of claims is free for any: keys tell what a result is of."""
    if any(folder.glob(f"jobs/{EXPERIMENT}-*.json")):
        return  # whatever became of its configuration, which is written again
    if holds_no_run(folder) or ((folder / CONFIG).exists() and "claims" not in read_config(folder)):
        raise RunError(f"{folder} holds something else than claims of papers; choose another folder with --out")


def measured(folder: Path, key: str) -> Measured | None:
    """What an experiment left; None where it is not finished."""
    path = folder / "jobs" / f"{key}.json"
    if not finished(folder, key) or (rows := read_rows(path)) is None:
        return None
    held = read_job(path)
    maps = read_maps(folder / "maps" / held["maps"]) if held and held["maps"] else {}
    numbers = {row[1]: Number(*row[2:]) for row in rows if row[0] == "number"}
    words = {row[1]: row[2] for row in rows if row[0] == "word"}
    return Measured(numbers, maps, words, next((row[2] for row in rows if row[0] == "failed"), ""))


def packed(found: Measured) -> Left:
    """As rows and arrays, which files hold."""
    rows = [("number", name, *map(float, number)) for name, number in found.numbers.items()]
    words = [("word", name, text) for name, text in found.words.items()]
    return Left([*rows, *words], {name: array.detach().cpu().contiguous() for name, array in found.arrays.items()})


def reason_out(e: Experiment, lab: Lab) -> str:
    """Why an experiment cannot run here; "" where it can."""
    if e.minutes[0 if lab.budget == "quick" else 1] is None:
        return NOT_IN_BUDGET
    parts = [*e.data, *(recipe_of(name, lab.budget).data for name in e.networks)]
    return next((why for part in parts if (why := missing(lab.data, part))), "")


NOT_IN_BUDGET = "not in this budget"


def _wanted(papers: Iterable[str] | None, claims: set[str]) -> list[Experiment]:
    """Experiments of the papers, and of single claims."""
    names = set(PAPERS if papers is None and not claims else papers or ())
    found: dict[str, Experiment] = {}
    for paper in PAPERS.values():
        asked = {c.experiment for c in paper.claims if c.id in claims} | {
            p.experiment for p in paper.pictures if claims & set(p.claims)
        }
        found |= {e.name: e for e in paper.experiments if paper.name in names or e.name in asked}
    return list(found.values())


def _held(lab: Lab) -> dict[str, Any]:
    """What every result depends on."""
    parts = {part for paper in PAPERS.values() for e in paper.experiments for part in e.data}
    parts |= {recipe_of(n, lab.budget).data for paper in PAPERS.values() for e in paper.experiments for n in e.networks}
    return {
        "format": FORMAT,
        "budget": lab.budget,
        "device": lab.device,
        "versions": versions(),
        "code": computing(),
        "data": {part: digest(lab.data, part) for part in sorted(parts) if not missing(lab.data, part)},
        "swapped": {name: method_identity(explain) or nonce() for name, explain in lab.swapped.items()},
    }


def keyed(e: Experiment, held: Mapping[str, Any], lab: Lab) -> str:
    """The name of an experiment's files: of all that its result depends on, its code included."""
    used = [*e.data, *(recipe_of(name, lab.budget).data for name in e.networks)]
    depends = {
        **held,
        "data": {part: held["data"].get(part) for part in used},
        "measure": hashlib.sha256(source_of(e.measure.__module__).encode()).hexdigest(),
        "networks": [str(place_of(name, recipe_of(name, lab.budget), Path(), lab.device)) for name in e.networks],
    }
    return job(EXPERIMENT, name=e.name).key(depends)


def _network_key(name: str, held: Mapping[str, Any], lab: Lab) -> str:
    recipe = recipe_of(name, lab.budget)
    depends = {**held, "data": held["data"].get(recipe.data), "place": str(place_of(name, recipe, Path(), lab.device))}
    return job(NETWORK, name=name).key(depends)
