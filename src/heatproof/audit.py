"""`audit`: does a map depend on the network at all? A plan of jobs, a run folder, a verdict for each method."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from .checks.batch_norm import POLICIES
from .checks.blocks import Block
from .checks.chain import DECIDING, METRICS, Record, Subject, chain, null_chain
from .checks.draws import INITS, draw, fixed_buffers
from .checks.randomize import blocks_of
from .checks.reasons import THRESHOLDS
from .data.labels import class_name
from .engine.chunks import chunk_slices, padded
from .engine.guard import fixed_batch
from .engine.model import check_inputs, outputs_of, own
from .errors import InputError
from .experiment.budget import Choice, choose, seconds_of, stage_positions
from .experiment.files import write_text
from .experiment.folder import claim, save_photos, to_picture
from .experiment.identity import (
    function_identity,
    method_identity,
    model_fingerprint,
    nonce,
    tensor_hash,
    versions,
    weights_hash,
)
from .experiment.jobs import Job, job, shards
from .experiment.results import Results, load
from .experiment.run import Progress, finished, run_jobs, thread_count
from .experiment.trial import counted_costs, evenly, measured_costs, reduced, try_methods
from .faithfulness.quick import quick_faithfulness
from .named import named_methods
from .report.render import render
from .score import check_target, logit, predicted
from .score import classes as count_classes
from .types import Score, spec_of

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
CHUNK = 8
CALIBRATION = 32
NULLS = 5
STRIPS = 3
CHECKS = ("cascading", "reverse", "independent")
CLASSES = ("fixed", "predicted")
KEEP = ("strips", "all", "none")


@dataclass(frozen=True)
class Audit:
    """What an audit leaves: the tidy table, a verdict for each method, and the paths of the report and the run folder."""

    table: pd.DataFrame
    verdicts: pd.DataFrame
    report: Path
    folder: Path
    results: Results

    def __repr__(self) -> str:
        lines = self.verdicts[["method", "verdict"]].to_string(index=False)
        return f"Audit({self.folder})\n{lines}\nreport: {self.report}"


@dataclass(frozen=True)
class AuditPlan:
    """An audit that is ready to run: what it is about, its jobs under their keys, and what it will cost."""

    subject: Subject
    config: dict[str, Any]
    jobs: list[tuple[str, Job]]
    folder: Path
    minutes: float
    megabytes: float
    refused: dict[str, str]
    strips: tuple[int, ...]
    stages: tuple[int, ...]
    photos: Callable[[int], Any] | None = None

    @property
    def left(self) -> int:
        """Jobs that are not finished."""
        return sum(not finished(self.folder, key) for key, _ in self.jobs)


def audit(
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    methods: Any = DEFAULT_METHODS,
    checks: Sequence[str] = ("cascading",),
    metrics: Sequence[str] = ("spearman", "spearman_abs", "ssim", "hog"),
    *,
    progress: Progress | None = None,
    **settings: Any,
) -> Audit:
    """Put saliency maps to the test on a model and images; writes a run folder with a report.

    Source: Adebayo et al. 2018, section 3; judged against null networks as design.md, section 4.

    Args:
        model: an ``nn.Module`` in evaluation mode; never touched.
        images: ``(N, C, H, W)`` in the model's units.
        targets: int64 ``(N,)``; None takes the classes that the original model predicts.
        methods: names with options (``"integrated_gradients(steps=10)"``), callables, or a dict of names to callables.
        checks: orders of weight randomisation: "cascading", "reverse", "independent".
        metrics: of "spearman", "spearman_abs", "ssim", "hog"; only the first two decide.
        progress: called with (jobs done, jobs in all, seconds).
        **settings: see `plan_audit`.

    Returns:
        `Audit`; its folder resumes: the same call again does only what is missing.

    Raises:
        HeatproofError: and leaves what was finished.
    """
    return run_audit(plan_audit(model, images, targets, methods, checks, metrics, **settings), progress)


def plan_audit(
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    methods: Any = DEFAULT_METHODS,
    checks: Sequence[str] = ("cascading",),
    metrics: Sequence[str] = ("spearman", "spearman_abs", "ssim", "hog"),
    *,
    classes: str = "fixed",
    init: str | Mapping[str, Tensor] = "original",
    std: float = 0.01,
    batch_norm: str = "reestimate",
    blocks: Sequence[Block | str] | None = None,
    stages: int | None = None,
    seeds: int = 5,
    nulls: int = NULLS,
    budget: str | float | None = None,
    out: str | Path = "runs/audit",
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    chunk: int = CHUNK,
    score: Score = logit,
    factory: Callable[[], nn.Module] | None = None,
    faithfulness: bool = True,
    keep_maps: str = "strips",
    about: Mapping[str, Any] | None = None,
    photos: Callable[[int], Any] | None = None,
) -> AuditPlan:
    """Everything of an audit but the work: checks the input, tries each method on one image, and chooses what to run.

    Args:
        model, images, targets, methods, checks, metrics: as in `audit`.
        classes: "fixed" explains the original model's class throughout, "predicted" the class of each variant.
        init, std, batch_norm, blocks, factory: as in `randomize`.
        stages: at most so many, evenly spaced; None for all (8 under a budget).
        seeds: randomisations of each stage. nulls: random networks for the floor.
        budget: "10m", "full", seconds; None is full. Chosen by counted work, so that the choice is the same every time.
        out: the run folder.
        device: "auto" takes CUDA where there is one.
        threads: of a job; None takes torch's number. chunk: images in one pass. Both are part of the result.
        faithfulness: measure the quick score that stands beside each verdict.
        keep_maps: raw maps to keep: "strips" (photos of the film strip), "all", "none".
        about: what the report prints: model, dataset, images (name, label), class_names, command, warnings.
        photos: gives the uint8 ``(H, W, 3)`` picture of an image; None shows the tensors themselves.

    Raises:
        InputError, ModelError, RunError.
    """
    _check_choices(
        checks, metrics, classes, keep_maps, batch_norm, init, seeds, nulls, chunk, 1 if stages is None else stages
    )
    private, images = placed(model, images, device)
    check_inputs(private, images)
    named = named_methods(methods)
    threads = threads or torch.get_num_threads()
    chunk = fixed_batch(private) or chunk
    with thread_count(threads):
        original = _in_chunks(private, images, score, chunk)
        wanted = _targets(original, targets, images, score)
        calibration = (
            padded(images[:CALIBRATION], chunk)[:chunk]
            if fixed_batch(private)
            else images[evenly(len(images), CALIBRATION)]
        )
        parts = tuple(blocks_of(private, calibration, blocks))
        subject = Subject(
            private, images, wanted, named, tuple(metrics), score, parts, calibration, factory, init, std, batch_norm,
            classes, chunk, seed,
        )  # fmt: skip
        tried = try_methods(subject)
        subject = replace(subject, methods=tried.usable)
        most = Choice(None, min(stages or len(parts), len(parts)), seeds, len(images))
        costs = counted_costs(subject, tried, len(checks), nulls, faithfulness)
        chosen = choose(costs, most, seconds_of(budget))
        measured = measured_costs(subject, costs).seconds(chosen)
        subject = reduced(subject, chosen)
    positions = stage_positions(len(parts), chosen.stages)
    strips = tuple(range(min(STRIPS, chosen.images)))
    asked = {
        "checks": list(checks), "nulls": nulls, "budget": str(budget), "faithfulness": faithfulness, "keep_maps": keep_maps,
        "strips": list(strips),
    }  # fmt: skip
    config = _config(subject, chosen, positions, threads, original, tried.refused, about or {}, asked)
    planned = _jobs(chosen, checks, nulls, faithfulness, keep_maps, strips, chunk)
    keyed = [(j.key(_depends(subject, config, j, positions)), j) for j in planned]
    return AuditPlan(
        subject,
        config,
        keyed,
        Path(out),
        measured / 60,
        _megabytes(subject, planned, len(positions)),
        tried.refused,
        strips,
        positions,
        photos,
    )


def run_audit(plan: AuditPlan, progress: Progress | None = None) -> Audit:
    """Run what is missing of a plan, then judge and report. Interrupted, it leaves every finished job."""
    claim(plan.folder, plan.config, [key for key, _ in plan.jobs])
    save_photos(plan.folder, {i: _photo(plan, i) for i in plan.strips})
    run_jobs(plan.jobs, lambda j: _work(plan, j), plan.folder, plan.config["threads"], progress)
    return read_audit(plan.folder)


def _photo(plan: AuditPlan, i: int) -> Any:
    return plan.photos(plan.config["kept"][i]) if plan.photos else to_picture(plan.subject.images[i])


def read_audit(folder: str | Path) -> Audit:
    """Judge what a run folder holds and write its tables and report again."""
    results = load(Path(folder))
    write_text(results.folder / "table.csv", results.table.to_csv(index=False))
    write_text(results.folder / "verdicts.csv", results.verdicts.to_csv(index=False))
    write_text(results.folder / "verdicts.json", results.verdicts.to_json(orient="records", indent=1) + "\n")
    report = render(results)
    return Audit(results.table, results.verdicts, report, results.folder, results)


def _work(plan: AuditPlan, j: Job) -> Record:
    shard = list(j["shard"])
    if j.kind == "chain":
        return chain(plan.subject, shard, j["check"], j["seed"], plan.stages, frozenset(j["keep"]))
    if j.kind == "null":
        return null_chain(plan.subject, shard, j["networks"], frozenset(j["keep"]))
    return quick_faithfulness(plan.subject, shard)


def _check_choices(
    checks: Sequence[str],
    metrics: Sequence[str],
    classes: str,
    keep_maps: str,
    batch_norm: str,
    init: str | Mapping[str, Tensor],
    seeds: int,
    nulls: int,
    chunk: int,
    stages: int,
) -> None:
    for given, known, what in ((checks, CHECKS, "checks"), (metrics, METRICS, "metrics")):
        unknown = [g for g in given if g not in known]
        if unknown or not given:
            raise InputError(f"{what}={tuple(given)!r}; expected some of {', '.join(known)}")
    if not set(DECIDING) & set(metrics):
        raise InputError(f"metrics={tuple(metrics)!r} holds none that decides a verdict; add one of {DECIDING}")
    named = ((classes, CLASSES, "classes"), (keep_maps, KEEP, "keep_maps"), (batch_norm, POLICIES, "batch_norm"))
    for value, allowed, what in (*named, (init if isinstance(init, str) else "original", INITS, "init")):
        if value not in allowed:
            raise InputError(f"{what}={value!r}; expected one of {', '.join(allowed)}")
    for number, least, what in ((seeds, 1, "seeds"), (nulls, 2, "nulls"), (chunk, 1, "chunk"), (stages, 1, "stages")):
        if number < least:
            raise InputError(f"{what}={number}; expected at least {least}")


def placed(model: nn.Module, images: Any, device: str) -> tuple[nn.Module, Tensor]:
    """A private twin and the images on the device of the audit."""
    private = own(model)
    check_inputs(nn.Identity(), images)
    if images.dim() != 4:
        raise InputError(f"images have shape {tuple(images.shape)}; expected (N, C, H, W)")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else str(images.device)
    try:
        return private.to(device), images.detach().to(device)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={device!r} cannot be used: {str(error).splitlines()[0]}") from None


def _in_chunks(private: nn.Module, images: Tensor, score: Score, chunk: int) -> Tensor:
    """The original model's outputs, from chunks of the audit's own size."""
    return torch.cat([outputs_of(private, images[s], score, chunk) for s in chunk_slices(len(images), chunk)])


def _targets(out: Tensor, targets: Any, images: Tensor, score: Score) -> Tensor:
    if targets is None:
        return predicted(out, score)
    found = check_target(targets, len(images), images.device, count_classes(out, score))
    if found.dim() != 1:
        raise InputError(f"targets have shape {tuple(found.shape)}; an audit explains one class for each image: (N,)")
    return found


def _jobs(
    chosen: Choice,
    checks: Sequence[str],
    nulls: int,
    faithfulness: bool,
    keep_maps: str,
    strips: tuple[int, ...],
    chunk: int,
) -> list[Job]:
    """One chain for each (shard, check, seed), one null chain and one faithfulness job for each shard."""
    planned: list[Job] = []
    for shard in shards(chosen.images, chunk):
        everything = keep_maps == "all"
        strip = [i for i in shard if i in strips and keep_maps != "none"]
        planned.append(job("null", shard=shard, networks=nulls, keep=shard if everything else []))
        if faithfulness:
            planned.append(job("faithfulness", shard=shard))
        for check in checks:
            for number in range(chosen.seeds):
                kept = shard if everything else (strip if number == 0 else [])
                planned.append(job("chain", shard=shard, check=check, seed=number, keep=kept))
    return planned


def _config(
    subject: Subject,
    chosen: Choice,
    positions: tuple[int, ...],
    threads: int,
    original: Tensor,
    refused: Mapping[str, str],
    about: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """What was asked and chosen, what it depends on, and what the report prints."""
    kept = evenly(len(original), chosen.images)
    identities = {name: method_identity(explain) for name, explain in subject.methods.items()}
    unknown = [name for name, identity in identities.items() if identity is None]
    warnings = [*about.get("warnings", [])]
    if unknown:
        warnings.append(f"not resumed, since their code cannot be identified: {', '.join(unknown)}")
    if fixed := fixed_buffers(subject.model):
        warnings.append(f"buffers that randomisation leaves as they are: {', '.join(fixed[:5])} ({len(fixed)} in all)")
    return {
        **asked,
        **{k: v for k, v in about.items() if k not in ("images", "warnings", "class_names")},
        "model": about.get("model", type(subject.model).__name__),
        "dataset": about.get("dataset", "images"),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        "weights_sha256": weights_hash(subject.model),
        "images_sha256": tensor_hash(subject.images),
        "targets_sha256": tensor_hash(subject.targets),
        "calibration_sha256": tensor_hash(subject.calibration),
        "fingerprint": model_fingerprint(subject.model),
        "blocks": [{"name": b.name, "tensors": list(b.tensors)} for b in subject.blocks],
        "stages": list(positions),
        "seeds": chosen.seeds,
        "init": subject.init if isinstance(subject.init, str) else tensor_hash(*subject.init.values()),
        "std": subject.std,
        "factory": subject.factory is not None,
        "original_sha256": tensor_hash(original),
        "randomised_sha256": _first_draw(subject),
        "score_identity": function_identity(subject.score) or nonce(),
        "batch_norm": subject.batch_norm,
        "classes": subject.classes,
        "methods": list(subject.methods),
        "method_identities": {n: i or nonce() for n, i in identities.items()},
        "refused": dict(refused),
        "metrics": list(subject.metrics),
        "score": getattr(subject.score, "__name__", "custom"),
        "chosen": {"effort": chosen.effort, "stages": len(positions), "seeds": chosen.seeds, "images": chosen.images},
        "thresholds": dict(THRESHOLDS),
        "device": subject.images.device.type,
        "dtype": str(subject.images.dtype),
        "threads": threads,
        "chunk": subject.chunk,
        "seed": subject.seed,
        "kept": kept,
        "images": _image_rows(subject, original[kept], kept, about),
        "warnings": warnings,
    }


def _first_draw(subject: Subject) -> str:
    """Hash of one set of new weights: it changes with the factory, whatever code that runs."""
    drawn = draw(subject.model, subject.init, subject.std, subject.seed, subject.factory)
    return tensor_hash(*drawn.values.values())


def _image_rows(
    subject: Subject, original: Tensor, kept: Sequence[int], about: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """What the report says of each image: name, label, explained and predicted class, probability."""
    rows = []
    guess = predicted(original, subject.score)
    chance = original.softmax(1) if original.dim() == 2 and original.shape[1] > 1 else None
    known, names = about.get("images", []), about.get("class_names", [])
    for i, place in enumerate(kept):
        row: dict[str, Any] = {"name": f"image {place}", **(known[place] if place < len(known) else {})}
        row |= {"target": int(subject.targets[i]), "predicted": int(guess[i])}
        if names:
            row |= {f"{k}_name": class_name(names, int(row[k])) for k in ("target", "predicted")}
        if chance is not None:
            row["probability"] = round(float(chance[i, guess[i]]), 6)
        rows.append(row)
    return rows


def _depends(subject: Subject, config: Mapping[str, Any], j: Job, positions: tuple[int, ...]) -> dict[str, Any]:
    """All that the result of a job depends on, besides the job itself."""
    shard = list(j["shard"])
    keys = (
        "versions weights_sha256 calibration_sha256 fingerprint blocks init std factory batch_norm classes "
        "method_identities metrics score score_identity original_sha256 randomised_sha256 device dtype threads chunk seed"
    ).split()
    pixels = tensor_hash(subject.images[shard], subject.targets[shard])
    extra = {"stages": positions} if j.kind == "chain" else {}
    return {**{k: config[k] for k in keys}, "pixels": pixels, **extra}


def _megabytes(subject: Subject, planned: Sequence[Job], stages: int) -> float:
    """Disk that the maps of a run will take, MB."""
    _, channels, height, width = subject.images.shape
    each = sum((channels if spec is None or spec.channels else 1) for spec in map(spec_of, subject.methods.values()))
    kept = sum(len(dict(j.params).get("keep", ())) * ((stages + 1) if j.kind == "chain" else 1) for j in planned)
    return kept * each * height * width * 4 / 1e6
