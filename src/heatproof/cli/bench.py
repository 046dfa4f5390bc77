"""The commands ``bench NAME``: one for each entry of the table of benches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..faithfulness.kind import Kind
from ..faithfulness.kinds import KINDS
from . import bench_retrain
from .console import console, working
from .friendly import friendly
from .generated import with_options
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
from .patch_training import PatchTraining
from .result import Result

if TYPE_CHECKING:
    from ..bench import BenchPlan
    from .inputs import Inputs

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

app = typer.Typer(rich_markup_mode=None)
"""Without a help of its own; see `heatproof.cli.benches`."""


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
    ) -> Result:
        from ..bench import plan_bench, run_bench
        from .bench_data import bench_data
        from .bench_patch import patched, rehearsed
        from .bench_run import about_bench, asked_methods, finish, plan_facts, print_plan, source_of_masks
        from .inputs import black_of, device_from, load_inputs, score_from, set_threads, target_from
        from .rehearsal import check_before_training

        set_threads(threads)
        where = device_from(device)
        given = load_inputs(
            model, weights, images, limit, first, split, size, resize, mean, std, preprocess, class_names, device
        )
        folder = out or Path("runs") / f"{kind.name}-{given.loaded.name}"

        def planned(given: Inputs, facts: dict[str, Any]) -> BenchPlan:
            data = bench_data(kind, given, masks, grids, target_from(target, given), seed, chunk)
            with working("trying every method on one image"):
                return plan_bench(
                    kind.name,
                    data.given.loaded.model,
                    data.given.images.pixels,
                    data.targets,
                    None if kind.rows else asked_methods(methods, psi),
                    masks=data.masks,
                    out=folder,
                    score=score_from(score),
                    black=black_of(data.given.images),
                    seed=seed,
                    device=where,
                    threads=threads,
                    chunk=chunk,
                    about=about_bench(data, facts),
                    photos=data.given.images.picture,
                    **chosen,
                    **source_of_masks(kind, data),
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
        if dry_run:
            return Result(facts={"plan": plan_facts(plan)})
        done = run_bench(plan, "auto")
        left = finish(done, figures)
        for note in done.results.config["warnings"]:
            if note not in plan.config["warnings"]:  # what only the results could say
                console.print(f"note: {note}", style="yellow")
        return left

    text = f"{kind.title}. {kind.about}\n\nSource: {kind.source}\n\nExample: {_example(kind)}"
    training = PatchTraining if kind.name == "patch" else Nothing
    made = with_options(run, {"chosen": kind.options, "training": training}, kind.name, text, _unused(kind))
    return friendly(made)


def _example(kind: Kind) -> str:
    masks = " --masks boxes.csv" if kind.masks == "needed" else ""
    train = " --train training-photos" if kind.name == "patch" else ""
    return (
        f"heatproof bench {kind.name} --model torchvision:resnet50 --weights w.safetensors --data photos{masks}{train}"
    )


def _unused(kind: Kind) -> list[str]:
    """Options that mean nothing to a bench."""
    unused = [] if kind.masks else ["masks", "grids"]
    return [*unused, *(["methods", "psi"] if kind.rows else []), *(["target"] if kind.by_class else [])]


for _kind in KINDS.values():
    app.command(_kind.name)(command_of(_kind))
for _direction in ("roar", "kar"):
    app.command(_direction)(friendly(bench_retrain.command(_direction)))
