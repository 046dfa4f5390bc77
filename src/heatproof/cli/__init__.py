"""The command line: explain, serve, audit, bench, paper, report, demo, methods.

A module with commands imports what their options need, and a command the rest when it is called: help is quick.
"""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table

from .._version import __version__
from ..named import line_of
from ..types import METHODS, spec_of
from .audit import audit
from .benches import app as bench
from .console import bar, console, friendly
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
from .paper import app as paper
from .serve import serve

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


@app.command()
@friendly
def methods() -> None:
    """List the methods, with their source."""
    table = Table(box=None, pad_edge=False)
    for column in ("method", "map", "what it is", "source"):
        table.add_column(column, overflow="fold", no_wrap=column == "method")
    for name in sorted(METHODS):
        spec = spec_of(METHODS[name])
        shape = "channels" if spec and spec.channels else "one channel"
        table.add_row(
            name,
            shape + (", signed" if spec and spec.signed else ""),
            line_of(METHODS[name]),
            spec.source if spec else "",
        )
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
    first: First = False,
    split: Split = None,
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
    from ..audit import DEFAULT_METHODS
    from ..explain import explain as explain_images
    from .inputs import device_from, load_inputs, score_from, set_threads, split_methods, target_from

    set_threads(threads)
    given = load_inputs(
        model, weights, images, limit, first, split, size, resize, mean, std, preprocess, class_names, device
    )
    folder = out or Path("maps") / given.loaded.name
    with bar("images") as step:
        done = explain_images(
            given.loaded.model,
            given.images.pixels.to(device_from(device)),
            target_from(target, given),
            split_methods(methods) or DEFAULT_METHODS,
            out=folder,
            score=score_from(score),
            seed=seed,
            device=device_from(device),
            names=given.images.names,
            class_names=given.names or (),
            photos=given.images.picture,
            format=format,
            progress=lambda n, total: step(n, total, None),
        )
    for name, reason in done.refused.items():
        console.print(f"not drawn: {name}: {reason}", style="yellow", markup=False)
    console.print(f"{len(done.sheets)} sheets and raw maps in {folder}", markup=False)


app.command()(friendly(audit))
app.command()(friendly(serve))
app.add_typer(bench, name="bench")
app.add_typer(paper, name="paper")


@app.command()
@friendly
def report(
    folder: Annotated[Path, typer.Argument(help="run folder of an audit, a bench, or claims of papers")],
    figures: FigureFormat = None,
) -> None:
    """Write the tables and the report of a finished run again, from its files."""
    from ..experiment.folder import read_config

    config = read_config(folder)
    if "claims" in config:
        from ..papers.publish import publish
        from .paper_run import finish as finish_papers

        finish_papers(*publish(folder), [], [])
    elif "bench" in config:
        from ..bench import read_bench
        from .bench_run import finish as finish_bench

        finish_bench(read_bench(folder), figures)
    elif "directions" in config:
        from ..roar import read_retrain
        from .retrain_run import finish as finish_retrain

        finish_retrain(read_retrain(folder), figures)
    else:
        from ..audit import read_audit
        from .shown import finish

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
    from ..demo import draw_sheets, inside_mask, plan, prepare
    from .inputs import set_threads
    from .shown import finish, print_plan, run_with_bar

    set_threads(threads)
    with bar("training a small network") as step:
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
    gc.freeze()  # nothing imported is garbage, and looking for some in all of torch takes long, above all as Python ends
    app()
