"""`audit`: does a map depend on the network at all? A plan of jobs, a run folder, a verdict for each method."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import torch
from torch import Tensor, nn

from .checks.kinds import applicable, checks_from, stages_of
from .checks.pair import Pair
from .checks.randomize import blocks_of
from .checks.subject import Subject
from .data.streamed import Images, Streamed
from .engine.chance import check_same
from .engine.chunks import padded
from .engine.guard import fixed_batch
from .engine.memory_format import channels_last
from .engine.model import all_outputs, check_inputs, own
from .errors import InputError, RunError
from .experiment.budget import Choice, choose, seconds_of, stage_positions
from .experiment.cells import ordered
from .experiment.csv_files import write_csv, write_tables
from .experiment.files import write_text
from .experiment.folder import PLANTED, claim, read_config, save_photos, to_picture
from .experiment.identity import model_fingerprint, weights_hash
from .experiment.jobs import Job
from .experiment.planning import Work, depends, megabytes, planned_jobs
from .experiment.pool import run_jobs_in_processes
from .experiment.ray_engine import is_ray, run_jobs_on_ray
from .experiment.record import record
from .experiment.results import Results, load
from .experiment.run import Progress, finished, thread_count
from .experiment.sendable import not_sendable
from .experiment.settings import CHUNK as CHUNK
from .experiment.settings import Settings, settings_from
from .experiment.trial import counted_costs, evenly, measured_costs, reduced, try_methods
from .experiment.work import Setup, competing, planted_networks
from .named import named_methods
from .notebook import shows
from .progress import Auto, bar, checked, shown, training_bar
from .report.render import render
from .score import check_target, predicted
from .score import classes as count_classes
from .train import Progress as TrainingProgress
from .types import Score

DEFAULT_METHODS = (
    "gradient",
    "gradient_x_input",
    "integrated_gradients",
    "guided_backprop",
    "gradcam",
    "guided_gradcam",
    "smoothgrad",
    "input_map",
    "edge_map",
    "random_map",
)
Ours = TypeVar("Ours", bound=Images)
CALIBRATION = 32
PLANTED_SECONDS = 40
"""What training the two networks of the check planted takes on one core, for the minutes that the plan prints."""
STRIPS = 3
PHOTOS = 32
"""Photos that the report shows with their original maps, spread evenly over those that are audited."""
ONE_IMAGE = (
    "one image: intervals are over random networks alone, so a verdict holds for this image; give ten or more to judge "
    "a method on such images"
)
TABLES = ("by_check", "calibration", "kept", "efficient", "planted", "per_image")
"""Tables of `Results` that are written where their check was asked for."""


@dataclass(frozen=True)
class Audit:
    """What an audit leaves: the tidy table, a verdict for each method, and the paths of the report and the run folder."""

    table: pd.DataFrame
    verdicts: pd.DataFrame
    report: Path
    folder: Path
    results: Results

    _repr_html_ = shows("audit")

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table of `results` into a folder as NAME.csv."""
        return write_tables(Path(folder), self.results)

    def __repr__(self) -> str:
        lines = self.verdicts[["method", "verdict"]].to_string(index=False)
        return f"Audit({self.folder})\n{lines}\nreport: {self.report}"


@dataclass(frozen=True)
class AuditPlan:
    """An audit that is ready to run: what it is about, its jobs under their keys, and what it will cost."""

    subject: Subject
    settings: Settings
    config: dict[str, Any]
    jobs: list[tuple[str, Job]]
    minutes: float
    megabytes: float
    workers: int = 1

    @property
    def folder(self) -> Path:
        return Path(self.settings.out)

    @property
    def refused(self) -> dict[str, str]:
        """Methods that cannot run on the model, and why."""
        return dict(self.config["refused"])

    @property
    def left(self) -> int:
        """Jobs that are not finished."""
        return sum(not finished(self.folder, key) for key, _ in self.jobs)


def audit(
    model: nn.Module,
    images: Images,
    targets: Tensor | None = None,
    methods: Any = DEFAULT_METHODS,
    checks: Sequence[str] = ("cascading",),
    metrics: Sequence[str] | None = None,
    *,
    progress: Progress | Auto = "auto",
    **settings: Any,
) -> Audit:
    """Put saliency maps to the test on a model and images; writes a run folder with a report.

    Source: Adebayo et al. 2018, section 3; judged against null networks as docs/theory/checks.md.

    Args:
        model: an ``nn.Module`` in evaluation mode; never touched.
        images: ``(N, C, H, W)`` in the model's units; a tensor, or where they are too many for memory what
            `heatproof.read_images(..., most=bytes).held` gives.
        targets: int64 ``(N,)``; None takes the classes that the original model predicts.
        methods: names with options (``"integrated_gradients(steps=10)"``), callables, or a dict of names to callables.
        checks: of `heatproof.checks.kinds.CHECKS`: "cascading", "reverse", "independent", "full", "graded", "biases",
            "smooth", "labels", "random_logit", "efficient", "calibration", "kept", "classes", "planted"; "all" for those
            that train nothing. The first that judges gives the verdict.
        metrics: of "spearman", "spearman_abs", "ssim", "hog", with options; None for all; only the first two decide.
        progress: "auto" shows a bar with the time left in a terminal or a notebook, False nothing; or a function, called
            with (jobs done, jobs in all, seconds left).
        **settings: see `heatproof.experiment.settings.Settings`.

    Returns:
        `Audit`; its folder resumes: the same call again does only what is missing.

    Raises:
        HeatproofError: and leaves what was finished.
    """
    told = checked(progress)
    return run_audit(plan_audit(model, images, targets, methods, checks, metrics, **settings), told)


def plan_audit(
    model: nn.Module,
    images: Images,
    targets: Tensor | None = None,
    methods: Any = DEFAULT_METHODS,
    checks: Sequence[str] = ("cascading",),
    metrics: Sequence[str] | None = None,
    **settings: Any,
) -> AuditPlan:
    """Everything of an audit but the work: checks the input, tries each method on one image, and chooses what to run.

    Args:
        model, images, targets, methods, checks, metrics, **settings: as in `audit`.

    Raises:
        InputError, ModelError, RunError.
    """
    chosen_settings = settings_from({"metrics": metrics, **settings})
    named = named_methods(methods)
    wanted = checks_from(checks, bool(competing(named)))
    if ("labels" in wanted) != (chosen_settings.labels is not None):
        raise InputError(
            "the check labels and labels=, the pair of networks it compares, go together: see train_pair and user_pair "
            "(--train or --permuted-weights on the command line)"
        )
    private, images = placed(model, images, chosen_settings.device)
    check_inputs(private, images[:1])
    if chosen_settings.labels is not None:
        _check_pair(private, chosen_settings.labels)
    threads = chosen_settings.threads or torch.get_num_threads()
    with thread_count(threads):
        subject, original = _subject(private, images, targets, named, chosen_settings)
        wanted, left_out = applicable(wanted, checks, subject.blocks, count_classes(original, subject.score))
        plan = _planned(subject, chosen_settings, wanted, threads, original)
    told = [f"check {check} left out: {reason}" for check, reason in left_out.items()]
    return replace(plan, config={**plan.config, "warnings": [*plan.config["warnings"], *told]})


def _check_pair(private: nn.Module, pair: Pair) -> None:
    """The gates are of the pair's own networks, so the audit must be of them too."""
    if weights_hash(private) != weights_hash(pair.true):
        raise InputError("labels= holds a pair whose network on true labels is not the model; audit(pair.true, ...)")
    if {model_fingerprint(own(n)) for n in pair.permuted} != {model_fingerprint(own(pair.true))}:
        raise InputError(
            "labels= holds networks of another architecture than the model; they must differ in labels only"
        )


def _subject(
    private: nn.Module, images: Images, targets: Tensor | None, methods: Mapping[str, Any], s: Settings
) -> tuple[Subject, Tensor]:
    """What is audited, and the original model's outputs from chunks of the audit's own size."""
    fixed = fixed_batch(private)
    chunk = fixed or s.chunk
    original = all_outputs(private, images, s.score, chunk)
    check_same(original[:chunk], all_outputs(private, images[:chunk], s.score, chunk))
    calibration = padded(images[:CALIBRATION], chunk)[:chunk] if fixed else images[evenly(len(images), CALIBRATION)]
    subject = Subject(
        private, images, targets_of(original, targets, images, s.score), methods, s.metrics or (), s.score,
        tuple(blocks_of(private, calibration, s.blocks)), calibration, s.factory, s.init, s.std, s.batch_norm, s.classes,
        chunk, s.seed, s.draws, s.black, s.noise,
    )  # fmt: skip
    return subject, original


def _planned(subject: Subject, s: Settings, checks: Sequence[str], threads: int, original: Tensor) -> AuditPlan:
    tried = try_methods(subject)
    subject = replace(subject, methods=tried.usable)
    seeds = s.seeds if isinstance(s.init, str) else 1  # another checkpoint is one network, whatever the seed
    most = Choice(None, min(s.stages or len(subject.blocks), len(subject.blocks)), seeds, len(subject.images))
    costs = counted_costs(subject, tried, checks, s.nulls, s.faithfulness)
    chosen = choose(costs, most, seconds_of(s.budget))
    seconds = measured_costs(subject, costs).seconds(chosen)
    kept = evenly(len(subject.images), chosen.images)
    subject = reduced(subject, chosen)
    positions = stage_positions(len(subject.blocks), chosen.stages)
    stages = {check: stages_of(check, subject.blocks, positions) for check in checks}
    strips = tuple(range(min(STRIPS, chosen.images)))
    photos = () if s.keep_maps == "none" else tuple(evenly(chosen.images, PHOTOS))
    config = record(subject, s, chosen, stages, threads, kept, original, tried.refused)
    config |= {"stages": list(positions), "strips": list(strips), "photos": list(photos), **_networks(s, checks)}
    planned = planned_jobs(
        Work(chosen.images, chosen.seeds, s.nulls, stages, s.faithfulness, s.keep_maps, strips, photos,
             len(s.labels.permuted) if s.labels else 0, subject.chunk)
    )  # fmt: skip
    keyed = [(j.key(depends(subject, config, j)), j) for j in planned]
    workers, alone = _workers(subject, s)
    config["warnings"] += [alone] if alone else []
    config["warnings"] += [ONE_IMAGE] if chosen.images == 1 else []
    seconds /= max(1, min(workers, len(keyed), (os.cpu_count() or 1) // threads))
    seconds += PLANTED_SECONDS if "planted" in checks and not (Path(s.out) / PLANTED).exists() else 0
    return AuditPlan(subject, s, config, keyed, seconds / 60, megabytes(subject, planned), workers)


def _networks(s: Settings, checks: Sequence[str]) -> dict[str, Any]:
    """What is recorded of networks other than the model's."""
    found: dict[str, Any] = {}
    if s.labels is not None:
        found["labels"] = {**s.labels.gates, "permuted_sha256": [weights_hash(n) for n in s.labels.permuted]}
    if "planted" in checks:
        found["planted"] = {"seed": s.seed}
    return found


def prepare(plan: AuditPlan, progress: TrainingProgress | None = None) -> None:
    """Train the networks of the check planted, where it was asked for and they are not there yet.

    Args:
        progress: called with (steps done, steps in all, a word on it).
    """
    claim(plan.folder, plan.config, [key for key, _ in plan.jobs])
    if "planted" in plan.config["checks"] and plan.left:
        with thread_count(plan.config["threads"]):
            planted_networks(plan.folder, plan.subject.seed, progress)


def run_audit(plan: AuditPlan, progress: Progress | Auto = None) -> Audit:
    """Run what is missing of a plan, then judge and report. Interrupted, it leaves every finished job.

    Args:
        progress: as in `audit`; a function is called for jobs alone.
    """
    with shown(None if callable(progress) else progress, "planted", training_bar) as told:
        prepare(plan, told)
    with shown(progress, "jobs", bar) as step:
        _run_jobs(plan, step)
    if read_config(plan.folder)["jobs"] != [key for key, _ in plan.jobs]:
        raise RunError(f"another run began in {plan.folder} meanwhile; choose another folder with out= (--out)")
    return read_audit(plan.folder)


def _run_jobs(plan: AuditPlan, progress: Progress | None) -> None:
    drawn = sorted({*plan.config["strips"], *plan.config["photos"]})
    save_photos(plan.folder, {i: _photo(plan, i) for i in drawn})
    setup, threads, engine = _setup(plan.subject, plan.settings), plan.config["threads"], plan.settings.engine
    if is_ray(engine):
        gpus = 1 if plan.subject.images.device.type == "cuda" else 0
        run_jobs_on_ray(plan.jobs, setup, plan.folder, threads, engine, gpus, progress)
    else:
        setup = setup.copied() if plan.workers > 1 and plan.left > 1 else setup
        run_jobs_in_processes(plan.jobs, setup, plan.folder, threads, plan.workers, progress)


def _setup(subject: Subject, settings: Settings) -> Setup:
    return Setup(subject, replace(settings, photos=None, about=None), Path(settings.out).resolve())


def _workers(subject: Subject, settings: Settings) -> tuple[int, str]:
    """Processes that jobs run in, and why not as many as were asked for, or ""."""
    if settings.workers == 1:
        return 1, ""
    why = "a GPU does one job at a time" if subject.images.device.type != "cpu" else ""
    why = why or not_sendable(_setup(subject, settings))
    return (1, f"workers={settings.workers}, but jobs run in one process: {why}") if why else (settings.workers, "")


def _photo(plan: AuditPlan, i: int) -> Any:
    photos = plan.settings.photos
    return photos(plan.config["kept"][i]) if photos else to_picture(plan.subject.images[i])


def read_audit(folder: str | Path) -> Audit:
    """Judge what a run folder holds and write its tables and report again."""
    results = load(Path(folder))
    table = ordered(results.table, results.config)
    write_csv(results.folder / "table.csv", table)
    write_csv(results.folder / "verdicts.csv", results.verdicts)
    for name in TABLES:
        found = getattr(results, name)
        if len(found) and not (name == "by_check" and found["check"].nunique() == 1):  # that is verdicts.csv
            write_csv(results.folder / f"{name}.csv", found)
    write_text(results.folder / "verdicts.json", results.verdicts.to_json(orient="records", indent=1) + "\n")
    report = render(results)
    return Audit(table, results.verdicts, report, results.folder, results)


def placed(model: nn.Module, images: Ours, device: str) -> tuple[nn.Module, Ours]:
    """A private twin, in the memory format that is fastest there, and the images on the device of the audit."""
    private = own(model)
    few: Any = images[:1] if isinstance(images, Streamed) else images  # those were looked at as they were read
    check_inputs(nn.Identity(), few)
    if few.dim() != 4:
        raise InputError(f"images have shape {tuple(images.shape)}; expected (N, C, H, W)")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else str(images.device)
    try:
        private = private.to(device)
        images = images.detach().to(device)  # type: ignore[assignment]  # streamed: their shards
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device!r} cannot be used: {str(error).splitlines()[0]}") from None
    return channels_last(private, padded(images[:1], fixed_batch(private) or 1)), images


def targets_of(out: Tensor, targets: Any, images: Images, score: Score) -> Tensor:
    """One class to explain for each image, int64 ``(N,)``: the given ones, checked, or the predicted ones."""
    if targets is None:
        return predicted(out, score)
    found = check_target(targets, len(images), images.device, count_classes(out, score))
    if found.dim() != 1:
        raise InputError(f"targets have shape {tuple(found.shape)}; expected (N,), one class to explain for each image")
    return found
