"""The commands ``bench NAME``: one for each entry of the table of benches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from ..bench import BENCH_METHODS, Benched, BenchPlan, plan_bench, run_bench
from ..errors import InputError
from ..faithfulness.kind import Kind
from ..faithfulness.kinds import KINDS
from ..faithfulness.psi_choices import psi_methods
from ..report.bench import bench_figures, bench_tables
from . import bench_retrain
from .bench_data import BenchData, bench_data
from .bench_patch import PatchTraining, patched, rehearsed
from .console import bar, console, friendly, print_files
from .generated import with_options
from .inputs import (
    Inputs,
    about,
    black_of,
    device_from,
    load_inputs,
    score_from,
    set_threads,
    split_methods,
    target_from,
)
from .options import (
    ClassNames,
    Device,
    FigureFormat,
    First,
    Function,
    Images,
    Limit,
    Methods,
    Model,
    Numbers,
    Out,
    Resize,
    ScoreName,
    Seed,
    Size,
    Split,
    Target,
    Threads,
    Weights,
)
from .rehearsal import check_before_training
from .tables import print_tables

Masks = Annotated[
    str | None,
    typer.Option(
        help="where the object is: a csv with boxes (file, boxes_xyxy), a folder of PNGs named as the photos, beside "
        "(PHOTO.mask.png beside each photo), or nonzero (grey pictures: pixel > 0)"
    ),
]
Grids = Annotated[
    int | None,
    typer.Option(
        min=1, help="measure so many 2x2 grids of photos of different classes; the mask is the explained cell"
    ),
]
Chunk = Annotated[int, typer.Option(min=1, help="images in one pass; bounds the memory, part of the last digits")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")]
Psi = Annotated[
    str | None,
    typer.Option(
        help="all: also FullGrad with every post-processing of its family, a row each, to choose it by metric"
    ),
]
LIMIT = 100

app = typer.Typer(
    help="""Do maps point at what matters? One measure of faithfulness, noise or localisation for several methods.

    Start with: heatproof bench pixel --model torchvision:resnet50 --weights resnet50.safetensors --data photos""",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@dataclass(frozen=True)
class Nothing:
    """No options besides those of the bench."""


def command_of(kind: Kind) -> Any:
    """The command of a bench: options that all share, then its own."""

    def run(
        chosen: dict[str, Any],
        training: dict[str, Any],
        model: Model,
        images: Images,
        weights: Weights = None,
        out: Out = None,
        methods: Methods = None,
        psi: Psi = None,
        masks: Masks = None,
        grids: Grids = None,
        target: Target = None,
        limit: Limit = LIMIT,
        first: First = False,
        split: Split = None,
        size: Size = None,
        resize: Resize = None,
        mean: Numbers = None,
        std: Numbers = None,
        preprocess: Function = None,
        class_names: ClassNames = None,
        score: ScoreName = "logit",
        figures: FigureFormat = None,
        dry_run: DryRun = False,
        chunk: Chunk = 8,
        device: Device = "auto",
        threads: Threads = None,
        seed: Seed = 0,
    ) -> None:
        set_threads(threads)
        where = device_from(device)
        given = load_inputs(
            model, weights, images, limit, first, split, size, resize, mean, std, preprocess, class_names, device
        )
        folder = out or Path("runs") / f"{kind.name}-{given.loaded.name}"

        def planned(given: Inputs, facts: dict[str, Any]) -> BenchPlan:
            data = bench_data(kind, given, masks, grids, target_from(target, given), seed, chunk)
            with console.status("trying every method on one image"):
                return plan_bench(
                    kind.name,
                    data.given.loaded.model,
                    data.given.images.pixels,
                    data.targets,
                    None if kind.rows else _methods(methods, psi),
                    masks=data.masks,
                    out=folder,
                    score=score_from(score),
                    black=black_of(data.given.images),
                    seed=seed,
                    device=where,
                    threads=threads,
                    chunk=chunk,
                    about=_about(data, facts),
                    photos=data.given.images.picture,
                    **chosen,
                    **_source(kind, data),
                )

        if training.get("train"):  # everything that can be refused is, before minutes of training
            asked, side = PatchTraining(**training), int(chosen["side"])
            plan = planned(*rehearsed(given, asked, side))
            if dry_run:
                console.print("a network would first be trained on patched images; then:")
            else:
                check_before_training(plan)
                plan = planned(*patched(given, images, asked, side, folder, where))
        elif training:
            plan = planned(*patched(given, images, PatchTraining(**training), int(chosen["side"]), folder, where))
        else:
            plan = planned(given, {})
        print_plan(plan)
        if not dry_run:
            done = run_with_bar(plan)
            finish(done, figures)
            for note in done.results.config["warnings"]:
                if note not in plan.config["warnings"]:  # what only the results could say
                    console.print(f"note: {note}", style="yellow", markup=False)

    text = f"{kind.title}. {kind.about}\n\nSource: {kind.source}"
    training = PatchTraining if kind.name == "patch" else Nothing
    made = with_options(run, {"chosen": kind.options, "training": training}, kind.name, text, _unused(kind))
    return friendly(made)


def _unused(kind: Kind) -> list[str]:
    """Options that mean nothing to a bench."""
    unused = [] if kind.masks else ["masks", "grids"]
    return [*unused, *(["methods", "psi"] if kind.rows else []), *(["target"] if kind.by_class else [])]


def _methods(text: str | None, psi: str | None) -> list[str]:
    if psi not in (None, "all"):
        raise InputError(f"--psi {psi!r}; expected all, or leave it out")
    found = split_methods(text) or list(BENCH_METHODS)
    return list(dict.fromkeys([*found, *(psi_methods() if psi else ())]))


def _source(kind: Kind, data: BenchData) -> dict[str, str]:
    """Where the masks are from, for benches that treat some of them with care."""
    known = any(f.name == "source" for f in fields(kind.options))
    return {"source": data.source if data.source == "nonzero" else ""} if known else {}


def _about(data: BenchData, facts: dict[str, Any]) -> dict[str, Any]:
    said = about(data.given)
    named = {"masks": data.source} if data.source else {}
    return {**said, **named, **facts, "warnings": [*said["warnings"], *data.notes, *facts.get("warnings", ())]}


def print_plan(plan: BenchPlan) -> None:
    """What will be measured, in how many jobs; what was refused and why."""
    subject = plan.bench.subject
    console.print(
        f"{plan.kind.title}: {plan.config['model']} on {len(subject.images)} images, "
        f"{len(plan.config['methods'])} {'rows' if plan.kind.rows else 'methods'}",
        markup=False,
    )
    for name, reason in plan.refused.items():
        console.print(f"refused: {name}: {reason}", style="yellow", markup=False)
    for warning in plan.config["warnings"]:
        console.print(f"note: {warning}", style="yellow", markup=False)
    done = len(plan.jobs) - plan.left
    finished = f", {done} of them finished" if done else ""
    console.print(f"{len(plan.jobs)} jobs{finished}, in {plan.folder}", markup=False)


def run_with_bar(plan: BenchPlan) -> Benched:
    with bar("jobs") as step:
        return run_bench(plan, step)


def finish(done: Benched, format: str | None) -> None:
    """The tables, and where the files are."""
    print_tables(bench_tables(done.results))
    drawn = bench_figures(done.results, format) if format else None  # type: ignore[arg-type]
    print_files(done.folder, done.report, drawn)


for _kind in KINDS.values():
    app.command(_kind.name)(command_of(_kind))
for _direction in ("roar", "kar"):
    app.command(_direction)(friendly(bench_retrain.command(_direction)))
