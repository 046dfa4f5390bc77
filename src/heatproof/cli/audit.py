"""The command ``audit``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import completion
from .console import console, errors, working
from .exit_codes import DONE, JUDGED
from .names import AUDIT_PRESETS, CHECKS, METRICS
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
from .result import Result
from .texts import words

if TYPE_CHECKING:
    from ..audit import Audit, AuditPlan
    from ..checks.labels import Pair

EXAMPLE = "heatproof audit --model torchvision:resnet50 --weights resnet50.safetensors --images photos --limit 32"


def audit(
    model: Model,
    images: Images,
    weights: Weights = None,
    out: Out = None,
    methods: Methods = None,
    check: Annotated[
        str,
        typer.Option(
            help=f"by commas: {', '.join(CHECKS)}; or all (those that train nothing)", autocompletion=completion.checks
        ),
    ] = "cascading",
    metrics: Annotated[
        str | None,
        typer.Option(
            help=f"by commas, with options: ssim(preset=code), hog(cells=4); default: {', '.join(METRICS)}",
            autocompletion=completion.metrics,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"settings of Adebayo et al. 2018, as text or as code: {', '.join(AUDIT_PRESETS)}",
            autocompletion=completion.audit_presets,
        ),
    ] = None,
    budget: Annotated[
        str, typer.Option(help="time to fit into, such as 90s, 10m, 2h; or full", autocompletion=completion.budgets)
    ] = "10m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    target: Target = None,
    limit: Limit = None,
    first: First = False,
    split: Split = None,
    size: Size = None,
    resize: Resize = None,
    mean: Numbers = None,
    std: Numbers = None,
    preprocess: Function = None,
    class_names: ClassNames = None,
    score: ScoreName = "logit",
    classes: Annotated[
        str | None,
        typer.Option(
            help="explain the original's class throughout (fixed, default) or each network's (predicted)",
            autocompletion=completion.classes,
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            help="new weights: original (default), trunc_normal, uniform, permute, or a second checkpoint's file",
            autocompletion=completion.inits,
        ),
    ] = None,
    std_init: Annotated[
        float | None, typer.Option(help="standard deviation for trunc_normal and uniform [.01]")
    ] = None,
    draws: Annotated[
        str | None,
        typer.Option(
            help="new weights once for each seed (nested, default), or again at each stage (fresh)",
            autocompletion=completion.draws,
        ),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="of SmoothGrad and its like: the same for every network (shared, default) or fresh",
            autocompletion=completion.noise,
        ),
    ] = None,
    batch_norm: Annotated[
        str | None,
        typer.Option(
            help="running statistics of randomised blocks: reestimate (default), keep, reset",
            autocompletion=completion.batch_norm,
        ),
    ] = None,
    blocks: Annotated[
        str | None, typer.Option(help="module prefixes in forward order, by commas; default: automatic")
    ] = None,
    stages: Annotated[int | None, typer.Option(min=1, help="at most so many stages, evenly spaced")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="randomisations of each stage")] = 5,
    nulls: Annotated[int, typer.Option(min=2, help="random networks behind the floor")] = 5,
    train: Annotated[
        Path | None,
        typer.Option(help="check labels: training images; two networks are trained on them, one on permuted labels"),
    ] = None,
    train_limit: Annotated[int | None, typer.Option(min=1, help="training images, evenly spread")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="check labels: at most so many passes over them")] = None,
    lr: Annotated[float | None, typer.Option(help="check labels: learning rate")] = None,
    permuted_weights: Annotated[
        list[Path] | None,
        typer.Option(help="check labels: instead of --train, weights trained on permuted labels; may be repeated"),
    ] = None,
    fail_on: Annotated[
        str | None,
        typer.Option(
            help="verdicts that make the exit code 3, by commas: insensitive,input-dominated",
            autocompletion=completion.fail_on,
        ),
    ] = None,
    figures: FigureFormat = None,
    faithfulness: Annotated[bool, typer.Option(help="measure the quick faithfulness score beside each verdict")] = True,
    keep_maps: Annotated[
        str, typer.Option(help="raw maps to keep: strips, all, none", autocompletion=completion.keep_maps)
    ] = "strips",
    chunk: Annotated[
        int, typer.Option(min=1, help="images in one pass; bounds the memory, part of the last digits")
    ] = 8,
    device: Device = "auto",
    threads: Threads = None,
    workers: Annotated[
        int, typer.Option(min=1, help="processes side by side, on a CPU; with --threads 1, one a core is the fastest")
    ] = 1,
    engine: Annotated[
        str,
        typer.Option(
            help="where jobs run: local, or on a Ray cluster: ray, ray://host:port (a shared --out)",
            autocompletion=completion.engines,
        ),
    ] = "local",
    seed: Seed = 0,
) -> Result:
    """Test whether maps depend on the network: randomise it block by block, and judge each map against its null.

    Example: heatproof audit --model torchvision:resnet50 --weights resnet50.safetensors --images photos --limit 32
    """
    from ..audit import DEFAULT_METHODS, plan_audit, run_audit
    from ..checks.kinds import checks_from
    from ..data.streamed import MOST
    from ..experiment.work import competing
    from ..named import named_methods
    from .inputs import (
        black_of,
        device_from,
        init_from,
        load_inputs,
        score_from,
        set_threads,
        split_methods,
        target_from,
        verdict_names,
    )
    from .pair import Relabelled, check_asked, own_pair, trained_pair, untrained_pair
    from .pair_data import about_training, training_data
    from .rehearsal import check_before_training
    from .shown import finish, plan_facts, print_plan

    set_threads(threads)
    wanted = verdict_names(fail_on)
    named = named_methods(split_methods(methods) or DEFAULT_METHODS)
    relabelled = Relabelled(train, train_limit, epochs, lr, tuple(permuted_weights or ()), seed)
    check_asked(relabelled, checks_from(words(check), bool(competing(named))))
    given = load_inputs(
        model, weights, images, limit, first, split, size, resize, mean, std, preprocess, class_names, device, MOST
    )
    folder, where = out or Path("runs") / given.loaded.name, device_from(device)
    data = training_data(train, train_limit, given, images) if train else None
    if data:
        given = replace(given, names=data.classes)
    chosen: dict[str, Any] = {
        "classes": classes, "init": init_from(init, model), "std": std_init, "draws": draws, "noise": noise,
        "batch_norm": batch_norm,
        "blocks": words(blocks) if blocks else None, "black": black_of(given.images), "preset": preset,
    }  # fmt: skip

    def planned(pair: Pair | None) -> AuditPlan:
        with working("trying every method on one image"):
            return plan_audit(
                given.loaded.model if pair is None else pair.true,
                given.images.held,
                target_from(target, given),
                named,
                words(check),
                split_methods(metrics),
                **{name: value for name, value in chosen.items() if value is not None},
                labels=pair,
                stages=stages,
                seeds=seeds,
                nulls=nulls,
                budget=budget,
                out=folder,
                seed=seed,
                device=where,
                threads=threads,
                workers=workers,
                engine=engine,
                chunk=chunk,
                score=score_from(score),
                factory=given.loaded.factory,
                faithfulness=faithfulness,
                keep_maps=keep_maps,
                about=about_training(given, data),
                photos=given.images.picture,
            )

    if data:
        plan = planned(untrained_pair(data, given, seed, where))
        if dry_run:
            console.print("two networks would first be trained, for the check labels; then:")
        else:
            check_before_training(plan)
            plan = planned(trained_pair(relabelled, data, given, folder, where))
    else:
        plan = planned(own_pair(relabelled, given, model, images, where) if relabelled.weights else None)
    print_plan(plan)
    if dry_run:
        return Result(facts={"plan": plan_facts(plan)})
    result = run_audit(plan, "auto")
    left = finish(result, figures)
    if failed := failures(result, plan.refused, wanted):
        errors.print(f"--fail-on: {', '.join(failed)}", style="red")
    return replace(left, facts={**left.facts, "failed": failed}, code=JUDGED if failed else DONE)


def failures(result: Audit, refused: Iterable[str], wanted: Sequence[str]) -> list[str]:
    """Methods with one of the verdicts, in any check that judges, as "gradient (labels: insensitive)"; and refused ones."""
    rows = result.results.by_check
    if rows.empty:  # no check judges
        rows = result.verdicts.assign(check="no check that judges")
    found = [f"{r['method']} ({r['check']}: {r['verdict']})" for r in rows.to_dict("records") if r["verdict"] in wanted]
    return found + [f"{name} (refused)" for name in refused if "refused" in wanted]
