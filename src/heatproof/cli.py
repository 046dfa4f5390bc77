"""The command line: explain, audit, report, demo, methods."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ._version import __version__
from .audit import DEFAULT_METHODS, Audit, AuditPlan, plan_audit, read_audit, run_audit
from .combine import Composed
from .data.folder import read_images
from .data.images import ImageSet
from .data.labels import read_class_names
from .data.lookup import find_object
from .data.preprocess import override
from .errors import HeatproofError, InputError
from .experiment.budget import seconds_of
from .explain import explain as explain_images
from .models.spec import LoadedModel, load_model
from .report.export import figures as export_figures
from .score import SCORES
from .types import METHODS, Score, name_of, spec_of

P = ParamSpec("P")
R = TypeVar("R")

app = typer.Typer(
    help="""Saliency maps for PyTorch image classifiers, put to the test.

    Start with: heatproof demo

    Exit codes: 0 done; 1 an error, which says what to do; 2 wrong usage; 3 a verdict of --fail-on; 130 interrupted
    (finished jobs stay, the same command resumes).""",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)

Model = Annotated[
    str,
    typer.Option(
        help="torchvision:NAME, timm:NAME, package.module:factory, path/to/file.py:factory, or a .pt2 file (torch.export)"
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option(help="safetensors, or a state-dict checkpoint (read without running code); random if left out"),
]
Images = Annotated[
    Path, typer.Option(help="folder of images (flat or one folder a class), an image, or .npy/.npz/.pt stack")
]
Limit = Annotated[int | None, typer.Option(min=1, help="at most so many images, evenly spread over the folder")]
Size = Annotated[int | None, typer.Option(min=1, help="side in pixels; default: the model's own preset")]
Resize = Annotated[int | None, typer.Option(min=1, help="short side before the centre crop; default: as the preset")]
Numbers = Annotated[str | None, typer.Option(help="one number, or one a channel: 0.485,0.456,0.406 (pixels in 0 to 1)")]
Function = Annotated[
    str | None,
    typer.Option("--preprocess", help="package.module:function, PIL image -> tensor (C, H, W) in model units"),
]
Methods = Annotated[
    str | None,
    typer.Option(
        help="separated by commas, with options: 'gradient, integrated_gradients(steps=20), mypackage.maps:mine'"
    ),
]
Target = Annotated[
    str | None,
    typer.Option(help="class to explain: a number or a name for all images; default: what the model predicts"),
]
ClassNames = Annotated[
    Path | None, typer.Option(help="file of class names: json, or one a line; default: the preset's")
]
ScoreName = Annotated[
    str, typer.Option("--score", help=f"what is explained: {', '.join(SCORES)}, or package.module:function")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of a job; part of the result's last digits")]
Seed = Annotated[int, typer.Option(help="of all randomness")]
Out = Annotated[Path | None, typer.Option(help="folder for the results; the same command resumes there")]
FigureFormat = Annotated[str | None, typer.Option(help="also write the figures as png, pdf or svg")]


def friendly(command: Callable[P, R]) -> Callable[P, R]:
    """Errors as one readable text with exit code 1; Ctrl-C as 130."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except HeatproofError as error:
            errors.print(f"heatproof: {error}", style="red", markup=False)
            raise typer.Exit(1) from error
        except torch.OutOfMemoryError as error:
            errors.print(
                "heatproof: out of memory; try a smaller --chunk, or --device cpu. Finished jobs stay.", style="red"
            )
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            errors.print(
                "heatproof: interrupted; finished jobs stay, the same command goes on from here", style="yellow"
            )
            raise typer.Exit(130) from error

    return run


@app.command()
@friendly
def methods() -> None:
    """List the methods, with their source."""
    table = Table(box=None, pad_edge=False)
    for column in ("method", "map", "what it is", "source"):
        table.add_column(column, overflow="fold", no_wrap=column == "method")
    for name in sorted(METHODS):
        spec = spec_of(METHODS[name])
        line = (METHODS[name].__doc__ or "").strip().splitlines()[0].split("``")[0].strip()
        if isinstance(made := METHODS[name], Composed):
            line = f"{replace(made, title='')!r}: {line[0].lower()}{line[1:]}"
        shape = "channels" if spec and spec.channels else "one channel"
        table.add_row(name, shape + (", signed" if spec and spec.signed else ""), line, spec.source if spec else "")
    console.print(table)
    console.print(
        "\nOptions in brackets: integrated_gradients(steps=20). Methods of methods: smooth(gradcam, n=10), "
        "compete(deeplift), vargrad(gradient), times_input(gradcam).",
        markup=False,
    )


@app.command()
@friendly
def explain(
    model: Model,
    images: Images,
    weights: Weights = None,
    out: Out = None,
    methods: Methods = None,
    target: Target = None,
    limit: Limit = None,
    size: Size = None,
    resize: Resize = None,
    mean: Numbers = None,
    std: Numbers = None,
    preprocess: Function = None,
    class_names: ClassNames = None,
    score: ScoreName = "logit",
    format: Annotated[str, typer.Option(help="of the sheets: png, pdf or svg")] = "png",
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
) -> None:
    """Draw one sheet for each image: picture, a map for each method, predicted class; and keep the raw maps."""
    _set_threads(threads)
    loaded, found, names = _inputs(
        model, weights, images, limit, size, resize, mean, std, preprocess, class_names, device
    )
    folder = out or Path("maps") / loaded.name
    with _bar("images") as step:
        done = explain_images(
            loaded.model,
            found.pixels.to(_device(device)),
            _target(target, found, names),
            _split(methods) or DEFAULT_METHODS,
            out=folder,
            score=_score(score),
            seed=seed,
            device=_device(device),
            names=found.names,
            class_names=names or (),
            photos=found.picture,
            format=format,
            progress=lambda n, total: step(n, total, None),
        )
    for name, reason in done.refused.items():
        console.print(f"not drawn: {name}: {reason}", style="yellow", markup=False)
    console.print(f"{len(done.sheets)} sheets and raw maps in {folder}", markup=False)


@app.command()
@friendly
def audit(
    model: Model,
    images: Images,
    weights: Weights = None,
    out: Out = None,
    methods: Methods = None,
    check: Annotated[
        str, typer.Option(help="orders of randomisation, by commas: cascading, reverse, independent")
    ] = "cascading",
    metrics: Annotated[
        str, typer.Option(help="by commas; only the Spearman ones decide")
    ] = "spearman,spearman_abs,ssim,hog",
    budget: Annotated[str, typer.Option(help="time to fit into, such as 90s, 10m, 2h; or full")] = "10m",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    target: Target = None,
    limit: Limit = None,
    size: Size = None,
    resize: Resize = None,
    mean: Numbers = None,
    std: Numbers = None,
    preprocess: Function = None,
    class_names: ClassNames = None,
    score: ScoreName = "logit",
    classes: Annotated[
        str, typer.Option(help="explain the original's class throughout (fixed) or each variant's (predicted)")
    ] = "fixed",
    init: Annotated[str, typer.Option(help="new weights: original, trunc_normal, uniform, permute")] = "original",
    std_init: Annotated[float, typer.Option(help="standard deviation for trunc_normal and uniform")] = 0.01,
    batch_norm: Annotated[
        str, typer.Option(help="running statistics of randomised blocks: reestimate, keep, reset")
    ] = "reestimate",
    blocks: Annotated[
        str | None, typer.Option(help="module prefixes in forward order, by commas; default: automatic")
    ] = None,
    stages: Annotated[int | None, typer.Option(min=1, help="at most so many stages, evenly spaced")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="randomisations of each stage")] = 5,
    fail_on: Annotated[
        str | None, typer.Option(help="verdicts that make the exit code 3, by commas: insensitive,input-dominated")
    ] = None,
    figures: FigureFormat = None,
    faithfulness: Annotated[bool, typer.Option(help="measure the quick faithfulness score beside each verdict")] = True,
    keep_maps: Annotated[str, typer.Option(help="raw maps to keep: strips, all, none")] = "strips",
    chunk: Annotated[
        int, typer.Option(min=1, help="images in one pass; bounds the memory, part of the last digits")
    ] = 8,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
) -> None:
    """Test whether maps depend on the network: randomise it block by block, and judge each map against its null.

    Example: heatproof audit --model torchvision:resnet50 --weights resnet50.safetensors --images photos --limit 32
    """
    _set_threads(threads)
    wanted = _verdict_names(fail_on)
    loaded, found, names = _inputs(
        model, weights, images, limit, size, resize, mean, std, preprocess, class_names, device
    )
    with console.status("trying every method on one image"):
        plan = plan_audit(
            loaded.model,
            found.pixels,
            _target(target, found, names),
            _split(methods) or DEFAULT_METHODS,
            _words(check),
            _words(metrics),
            classes=classes,
            init=init,
            std=std_init,
            batch_norm=batch_norm,
            blocks=_words(blocks) if blocks else None,
            stages=stages,
            seeds=seeds,
            budget=budget,
            out=out or Path("runs") / loaded.name,
            seed=seed,
            device=_device(device),
            threads=threads,
            chunk=chunk,
            score=_score(score),
            factory=loaded.factory,
            faithfulness=faithfulness,
            keep_maps=keep_maps,
            about=_about(loaded, found, names),
            photos=found.picture,
        )
    print_plan(plan)
    if dry_run:
        return
    result = run_with_bar(plan)
    finish(result, figures)
    failed = list(result.verdicts[result.verdicts["verdict"].isin(wanted)]["method"])
    failed += list(plan.refused) if "refused" in wanted else []
    if failed:
        console.print(f"--fail-on: {', '.join(failed)}", style="red", markup=False)
        raise typer.Exit(3)


@app.command()
@friendly
def report(
    folder: Annotated[Path, typer.Argument(help="run folder of an audit")],
    figures: FigureFormat = None,
) -> None:
    """Write the tables and the report of a finished run again, from its files."""
    finish(read_audit(folder), figures)


@app.command()
@friendly
def demo(
    out: Annotated[Path, typer.Option(help="folder for the results; the same command resumes there")] = Path(
        "runs/demo"
    ),
    images: Annotated[int, typer.Option(min=1, help="test images to audit")] = 32,
    seeds: Annotated[int, typer.Option(min=1, help="randomisations of each stage")] = 5,
    threads: Threads = None,
    seed: Seed = 0,
) -> None:
    """Everything on data that comes with it: train a small network on digits pasted on photos, explain, audit.

    No download. The true place of each digit is known, so the share of each map inside it is measured too.
    """
    from .demo import draw_sheets, inside_mask, plan, prepare

    _set_threads(threads)
    with _bar("training a small network") as step:
        ready = prepare(out, images, seed, progress=lambda done, total, *_: step(done, total, None))
    with console.status("drawing sheets"):
        sheets = draw_sheets(ready, out)
    planned = plan(ready, out, seeds, threads, seed)
    print_plan(planned)
    result = run_with_bar(planned)
    share = inside_mask(ready, out)
    finish(result, None)
    table = Table(box=None, pad_edge=False, title="share of each map inside the true mask", title_justify="left")
    for column in ("method", "inside", "times chance"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in share.to_dict("records"):
        table.add_row(row["method"], f"{row['inside']:.0%}", f"{row['times']:.1f}")
    console.print(table)
    console.print(f"sheets: {sheets[0].parent}\nreport: {result.report}", markup=False)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False) -> None:
    if version:
        console.print(f"heatproof {__version__}, torch {torch.__version__}", markup=False)
        raise typer.Exit(0)


def main() -> None:
    """The command ``heatproof``."""
    app()


def print_plan(plan: AuditPlan) -> None:
    """Jobs, minutes, disk, and what the budget chose; what was refused and why."""
    c = plan.config
    blocks, chosen = len(c["blocks"]), c["chosen"]
    console.print(
        f"{c['model']} on {len(plan.subject.images)} images: {len(plan.subject.methods)} methods, {len(plan.stages)} of "
        f"{blocks} stages, {chosen['seeds']} seeds, {c['nulls']} null networks",
        markup=False,
    )
    if chosen["effort"]:
        console.print(
            f"budget {c['budget']}: at most {chosen['effort']} steps for methods that take many", markup=False
        )
    limit = seconds_of(None if c["budget"] == "None" else c["budget"])
    if limit and plan.minutes * 60 > 1.5 * limit:
        over = _minutes(plan.minutes - limit / 60)
        note = f"note: over the budget of {c['budget']} by {over} on this machine; fewer methods or images make it less"
        console.print(note, style="yellow", markup=False)
    for name, reason in plan.refused.items():
        console.print(f"refused: {name}: {reason}", style="yellow", markup=False)
    for warning in c["warnings"]:
        console.print(f"note: {warning}", style="yellow", markup=False)
    done = len(plan.jobs) - plan.left
    share = plan.left / len(plan.jobs)
    console.print(
        f"{len(plan.jobs)} jobs"
        + (f", {done} of them finished" if done else "")
        + f", about {_minutes(plan.minutes * share)}, "
        f"{plan.megabytes:.0f} MB in {plan.folder}",
        markup=False,
    )


def run_with_bar(plan: AuditPlan) -> Audit:
    with _bar("jobs") as step:
        return run_audit(plan, step)


def finish(result: Audit, format: str | None) -> None:
    """The verdicts as a table, and where the files are."""
    table = Table(box=None, pad_edge=False)
    for column in ("method", "verdict", "excess at half", "floor", "faithfulness"):
        table.add_column(column, justify="left" if column in ("method", "verdict") else "right")
    for row in result.verdicts.to_dict("records"):
        colour = {"sensitive": "green", "undecided": "yellow"}.get(row["verdict"], "red")
        numbers = [_number(row.get(k)) for k in ("excess", "floor", "faithfulness")]
        table.add_row(row["method"], f"[{colour}]{row['verdict']}[/{colour}]", *numbers)
    console.print(table)
    if format:
        drawn = export_figures(result.results, format)  # type: ignore[arg-type]
        console.print(f"{len(drawn)} figures in {result.folder / 'figures'}", markup=False)
    console.print(f"report: {result.report}", markup=False)
    console.print("A map that passes is not thereby right: a random map passes too. Read the faithfulness beside it.")


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int, float | None], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None, left="")

        def step(done: int, total: int, left: float | None) -> None:
            text = f"about {_minutes(left / 60)} left" if left else ""
            bar.update(task, completed=done, total=total, left=text)

        yield step


def _inputs(
    model: str,
    weights: Path | None,
    images: Path,
    limit: int | None,
    size: int | None,
    resize: int | None,
    mean: str | None,
    std: str | None,
    preprocess: str | None,
    class_names: Path | None,
    device: str,
) -> tuple[LoadedModel, ImageSet, tuple[str, ...] | None]:
    """Model, images and class names, as the options of every command give them."""
    with console.status(f"loading {model}"):
        loaded = load_model(model, weights, device=_device(device))
    how = override(
        loaded.preprocess, size=size, resize=resize, mean=_floats(mean), std=_floats(std), function=preprocess
    )
    with _bar("reading images") as step:
        found = read_images(images, how, limit, progress=lambda n, total: step(n, total, None))
    for file, reason in found.skipped:
        console.print(f"skipped: {file}: {reason}", style="yellow", markup=False)
    return loaded, found, read_class_names(class_names) if class_names else loaded.categories


def _about(loaded: LoadedModel, found: ImageSet, names: tuple[str, ...] | None) -> dict[str, Any]:
    warnings = [f"skipped {file}: {reason}" for file, reason in found.skipped]
    if loaded.trained is False:
        warnings.append("the network has random weights: its maps explain nothing that was learned (give --weights)")
    rows = [
        {"name": n, **({"label": label} if label else {})} for n, label in zip(found.names, found.labels, strict=True)
    ]
    about: dict[str, Any] = {
        "model": loaded.name,
        "dataset": Path(found.source).name,
        "images": rows,
        "command": shlex.join(["heatproof", *sys.argv[1:]]),
        "warnings": warnings,
        "class_names": list(names) if names else [],
    }
    if loaded.weights_sha256:
        about["weights_file_sha256"] = loaded.weights_sha256
    return about


def _target(text: str | None, found: ImageSet, names: tuple[str, ...] | None) -> torch.Tensor | None:
    if text is None:
        return None
    if text.lstrip("-").isdigit():
        number = int(text)
    elif names and text in names:
        number = names.index(text)
    else:
        raise InputError(
            f"--target {text!r} is neither a number nor a class name" + ("" if names else "; give --class-names")
        )
    return torch.full((len(found),), number, dtype=torch.int64)


def _score(text: str) -> Score:
    if text in SCORES:
        return SCORES[text]
    if ":" not in text:
        raise InputError(f"--score {text!r}; expected one of {', '.join(SCORES)}, or package.module:function")
    found: Score = find_object(text, "score")
    return found


def _verdict_names(text: str | None) -> list[str]:
    from .checks.verdict import WORST_FIRST

    wanted = _words(text) if text else []
    known = (*WORST_FIRST, "refused")
    if unknown := [w for w in wanted if w not in known]:
        raise InputError(f"--fail-on {unknown[0]!r}; expected some of {', '.join(known)}")
    return wanted


def _split(text: str | None) -> list[str] | None:
    """Methods by commas that are not inside brackets; "all" for every method."""
    if text is None:
        return None
    if text.strip() == "all":
        return [name_of(m) for m in METHODS.values()]
    parts, depth, current = [], 0, ""
    for letter in text:
        depth += (letter in "([") - (letter in ")]")
        if letter == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += letter
    return [p.strip() for p in [*parts, current] if p.strip()]


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _floats(text: str | None) -> tuple[float, ...] | float | None:
    if text is None:
        return None
    try:
        numbers = tuple(float(n) for n in text.split(","))
    except ValueError:
        raise InputError(f"{text!r} is no list of numbers; expected something like 0.485,0.456,0.406") from None
    return numbers if len(numbers) > 1 else numbers[0]


def _device(text: str) -> str:
    if text == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=text)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"--device {text!r} cannot be used: {str(error).splitlines()[0]}") from None
    return text


def _set_threads(threads: int | None) -> None:
    if threads:
        torch.set_num_threads(threads)


def _minutes(minutes: float) -> str:
    return f"{minutes:.0f} min" if minutes >= 2 else f"{60 * minutes:.0f} s"


def _number(value: Any) -> str:
    return "" if value is None or value != value else f"{value:z.2f}"
