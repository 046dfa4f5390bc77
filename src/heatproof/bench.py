"""`bench`: do maps point at what matters? One measure of faithfulness or noise for several methods, as a run folder."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from .audit import CHUNK, placed, targets_of
from .checks.subject import Subject
from .engine.chance import check_same
from .engine.guard import fixed_batch
from .engine.model import all_outputs, check_inputs
from .errors import InputError
from .experiment.bench_results import BenchResults, load_bench
from .experiment.cells import ordered
from .experiment.csv_files import write_csv, write_tables
from .experiment.folder import claim, save_photos, to_picture
from .experiment.identity import function_identity, nonce, tensor_hash, versions
from .experiment.jobs import Job, job, shards
from .experiment.record import identity_of, image_rows, unidentified
from .experiment.run import Progress, finished, run_jobs, thread_count
from .experiment.trial import try_methods
from .faithfulness.fills import colour
from .faithfulness.kind import Bench, Kind
from .faithfulness.kinds import KINDS
from .faithfulness.option_types import check_chunk, options_of
from .faithfulness.probe import check_masks
from .named import named_methods
from .notebook import shows
from .progress import Auto, bar, checked, shown
from .score import SCORES, logit
from .types import METHODS, Score

BENCH_METHODS = (
    "gradient", "gradient_x_input", "integrated_gradients", "smoothgrad", "guided_backprop", "gradcam", "guided_gradcam",
    "fullgrad", "rectgrad", "edge_map", "random_map",
)  # fmt: skip
PHOTOS = 3
DEPENDS = (
    "versions", "weights_sha256", "fingerprint", "images_sha256", "targets_sha256", "masks_sha256",
    "original_sha256", "method_identities", "score", "score_identity", "black", "bench", "bench_identity", "options",
    "device", "dtype", "threads", "chunk", "seed",
)  # fmt: skip
"""What the result of every job depends on, by its key in the configuration."""


@dataclass(frozen=True)
class Benched:
    """What a bench leaves: tidy rows, their summary, and the paths of the report and the run folder."""

    table: pd.DataFrame
    summary: pd.DataFrame
    curves: pd.DataFrame
    report: Path
    folder: Path
    results: BenchResults

    _repr_html_ = shows("benched")

    def to_csv(self, folder: str | Path) -> list[Path]:
        """Write every table of `results` into a folder as NAME.csv."""
        return write_tables(Path(folder), self.results)

    def __repr__(self) -> str:
        return f"Benched({self.results.kind.name}, {self.folder})\nreport: {self.report}"


@dataclass(frozen=True)
class BenchPlan:
    """A bench that is ready to run: its jobs under their keys."""

    bench: Bench
    config: dict[str, Any]
    jobs: list[tuple[str, Job]]
    folder: Path
    photos: Callable[[int], Any] | None

    @property
    def kind(self) -> Kind:
        return KINDS[self.bench.kind]

    @property
    def refused(self) -> dict[str, str]:
        """Methods that cannot run on the model, and why."""
        return dict(self.config["refused"])

    @property
    def left(self) -> int:
        """Jobs that are not finished."""
        return sum(not finished(self.folder, key) for key, _ in self.jobs)


def bench(
    kind: str,
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    methods: Any = None,
    *,
    progress: Progress | Auto = "auto",
    **settings: Any,
) -> Benched:
    """Measure maps of several methods by one bench; writes a run folder with tables and a report.

    Args:
        kind: one of `heatproof.faithfulness.kinds.KINDS`: "pixel", "noise", "localise", ...
        model: an ``nn.Module`` in evaluation mode; never touched.
        images: ``(N, C, H, W)`` in the model's units.
        targets: int64 ``(N,)``; None explains the class that the model predicts.
        methods: as in `heatproof.audit`; None for `BENCH_METHODS`, and for a bench that compares no methods.
        progress: as in `heatproof.audit`.
        **settings: of `plan_bench`, and the options of the kind.

    Returns:
        `Benched`; its folder resumes: the same call again does only what is missing.

    Raises:
        HeatproofError: and leaves what was finished.
    """
    told = checked(progress)
    return run_bench(plan_bench(kind, model, images, targets, methods, **settings), told)


def plan_bench(
    kind: str,
    model: nn.Module,
    images: Tensor,
    targets: Tensor | None = None,
    methods: Any = None,
    *,
    masks: Tensor | np.ndarray[Any, Any] | None = None,
    out: str | Path | None = None,
    score: Score | str = logit,
    black: Tensor | float | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    chunk: int = CHUNK,
    about: Mapping[str, Any] | None = None,
    photos: Callable[[int], Any] | None = None,
    **options: Any,
) -> BenchPlan:
    """Everything of a bench but the work: checks the input and tries each method on one image.

    Args:
        kind, model, images, targets, methods: as in `bench`.
        masks: bool ``(N, 1, H, W)``, True on the object; for benches that use them.
        out: the run folder; None = ``runs/KIND``.
        score: what is explained, or the name of a score of `heatproof.score.SCORES`.
        black: a black pixel in the model's units, ``(C,)`` or a number, ``(0 - mean) / std`` for normalised inputs; None
            for 0, which is black only for inputs in [0, 1].
        device: "auto" takes CUDA where there is one. threads, chunk: of a job; both are part of the result.
        about: what the report prints: model, dataset, images (name, label), class_names, command, warnings.
        photos: gives the uint8 ``(H, W, 3)`` picture of an image.
        **options: of the kind; see its options' class.

    Raises:
        InputError, ModelError.
    """
    chosen = _kind(kind)
    asked = _methods(methods, chosen)
    check_chunk(chunk)
    score, count, folder = _score(score), _threads(threads), _folder(out, kind)
    private, images = placed(model, images, device)
    check_inputs(private, images)
    dark = None if black is None else colour(black, images, "black").flatten().expand(images.shape[1])
    size = fixed_batch(private) or chunk
    with thread_count(count):
        original = all_outputs(private, images, score, size)
        check_same(original[:size], all_outputs(private, images[:size], score, size))
        target = targets_of(original, targets, images, score)
        named = {} if chosen.rows else _with_control(named_methods(asked), chosen)
        subject = Subject(
            private, images, target, named, (), score, (), images[:size], chunk=size, seed=seed, black=dark
        )
        ready = chosen.prepare(Bench(subject, kind, options_of(chosen, options), _masks(masks, images, chosen)))
        tried = try_methods(ready.subject) if named else None
    if tried:
        ready = replace(ready, subject=replace(ready.subject, methods=tried.usable))
    config = _config(ready, chosen, original, count, tried.refused if tried else {}, about or {})
    planned = [job(kind, shard=shard) for shard in shards(len(ready.subject.images), size)]
    held = {key: config[key] for key in DEPENDS}
    return BenchPlan(ready, config, [(j.key(held), j) for j in planned], folder, photos)


def run_bench(plan: BenchPlan, progress: Progress | Auto = None) -> Benched:
    """Run what is missing of a plan, then aggregate and report. Interrupted, it leaves every finished job."""
    claim(plan.folder, plan.config, [key for key, _ in plan.jobs])
    save_photos(plan.folder, {i: _photo(plan, i) for i in range(min(PHOTOS, len(plan.bench.subject.images)))})
    with shown(progress, "jobs", bar) as step:
        run_jobs(
            plan.jobs,
            lambda j: plan.kind.work(plan.bench, list(j["shard"])),
            plan.folder,
            plan.config["threads"],
            step,
        )
    return read_bench(plan.folder)


def read_bench(folder: str | Path) -> Benched:
    """Aggregate what a run folder holds and write its tables and report again."""
    from .report.bench import render_bench

    results = load_bench(Path(folder))
    for name, table in (
        ("table", ordered(results.table, results.config)), ("summary", results.summary), ("curves", results.curves),
    ):  # fmt: skip
        if len(table):
            write_csv(results.folder / f"{name}.csv", table)
    report = render_bench(results)
    return Benched(results.table, results.summary, results.curves, report, results.folder, results)


def _kind(name: Any) -> Kind:
    if not isinstance(name, str) or name not in KINDS:
        near = get_close_matches(str(name), KINDS, n=2) or list(KINDS)
        raise InputError(f"there is no bench {name!r}; did you mean {', '.join(near)}?")
    return KINDS[name]


def _score(given: Any) -> Score:
    """A score, or the one of that name."""
    if callable(given):
        return cast(Score, given)
    if not isinstance(given, str) or given not in SCORES:
        raise InputError(f"score={given!r}; expected one of {', '.join(SCORES)}, or a function (out, target) -> (B,)")
    return SCORES[given]


def _threads(given: Any) -> int:
    if given is None:
        return torch.get_num_threads()
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise InputError(f"threads={given!r}; expected a whole number from 1 on, or None for PyTorch's own")
    return given


def _folder(out: Any, kind: str) -> Path:
    if out is not None and not isinstance(out, (str, Path)):
        raise InputError(f"out={out!r}; expected the path of a folder, or None for runs/{kind}")
    return Path("runs") / kind if out is None else Path(out)


def _methods(given: Any, kind: Kind) -> Any:
    """What is compared; () in a bench of rows of its own."""
    if kind.rows and given is not None:
        raise InputError(
            f"bench {kind.name} compares {' and '.join(kind.rows)}, and no methods; leave methods (--methods, --psi) out"
        )
    return () if kind.rows else BENCH_METHODS if given is None else given


def _with_control(methods: Mapping[str, Any], kind: Kind) -> dict[str, Any]:
    """What chance gives belongs to every table."""
    if kind.control and kind.control not in methods:
        return {**methods, kind.control: METHODS[kind.control]}
    return dict(methods)


def _masks(masks: Any, images: Tensor, kind: Kind) -> Tensor | None:
    if masks is None:
        if kind.masks == "needed":
            raise InputError(f"bench {kind.name} measures against masks of the object; give masks= (--masks)")
        return None
    if not kind.masks:
        raise InputError(f"bench {kind.name} has no use for masks; leave them out")
    found = check_masks(masks, images)
    empty = (~found.flatten(1).any(1)).nonzero().flatten().tolist()
    if empty:
        raise InputError(f"the mask of image {empty[0]} is empty ({len(empty)} in all); leave those images out")
    return found.to(images.device)


def _config(
    bench: Bench, kind: Kind, original: Tensor, threads: int, refused: Mapping[str, str], about: Mapping[str, Any]
) -> dict[str, Any]:
    s = bench.subject
    kept = list(range(len(s.images)) if bench.kept is None else bench.kept)
    return {
        **{k: v for k, v in about.items() if k not in ("images", "warnings", "class_names")},
        "bench": kind.name,
        "bench_identity": function_identity(kind.work) or nonce(),
        "options": asdict(bench.options),
        "levels": list(kind.levels(bench.options)),
        "control": kind.control if kind.control in s.methods else "",
        "model": about.get("model", type(s.model).__name__),
        "dataset": about.get("dataset", "images"),
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "versions": versions(),
        **identity_of(s, original),
        "masks_sha256": None if bench.masks is None else tensor_hash(bench.masks),
        "mask_area": None if bench.masks is None else round(float(bench.masks.float().mean()), 6),
        "black": None if s.black is None else [round(v, 6) for v in s.black.tolist()],
        "methods": list(kind.rows or s.methods),
        "refused": dict(refused),
        "device": s.images.device.type,
        "dtype": str(s.images.dtype),
        "threads": threads,
        "chunk": s.chunk,
        "seed": s.seed,
        "image_shape": list(s.images.shape[1:]),
        "images": image_rows(s, original[kept], kept, about),
        "warnings": [*about.get("warnings", []), *bench.notes, *unidentified(s)],
    }


def _photo(plan: BenchPlan, i: int) -> Any:
    place = i if plan.bench.kept is None else plan.bench.kept[i]
    return plan.photos(place) if plan.photos else to_picture(plan.bench.subject.images[i])
