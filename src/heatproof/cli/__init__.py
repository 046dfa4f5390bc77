"""The command line: audit, explain, serve, bench, paper, report, export, methods, demo, doctor.

A module with commands imports what their options need, and a command the rest, torch above all, when it is called: help and
completion are quick.
"""

from __future__ import annotations

import gc
import warnings
from pathlib import Path
from typing import Annotated

import typer

from .._version import __version__
from . import bash, completion
from .audit import audit
from .benches import app as bench
from .console import bar, console
from .demo import demo
from .doctor import doctor
from .exit_codes import DONE, EXIT_CODES
from .export import export
from .friendly import Json, Quiet, friendly
from .group import Commands
from .methods import methods
from .options import (
    ClassNames,
    Device,
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
from .report import report
from .result import Result, print_document
from .serve import serve

START, MEASURE, LOOK = "To start with", "Maps and tests", "Results and this installation"
"""Headings of the help."""
CODES = "\n".join(f"      {code:<5}{meaning}" for code, meaning in EXIT_CODES.items())

app = typer.Typer(
    cls=Commands,
    help=f"""Saliency maps for PyTorch image classifiers, put to the test.

    The first three commands to try:

    \b
      heatproof doctor                 is everything here? A self test of a minute
      heatproof demo                   the whole on data that comes with it, in minutes
      heatproof audit --model torchvision:resnet50 --weights resnet50.safetensors --images photos

    heatproof COMMAND --help shows the options of a command and an example. Every command takes --json (one JSON document on
    stdout) and --quiet. Completion of commands and values: heatproof --install-completion. Read on: the README, and the
    report that every run writes.

    Exit codes:

    \b
{CODES}""",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command(rich_help_panel=START)(friendly(doctor))
app.command(rich_help_panel=START)(friendly(demo))


@app.command(rich_help_panel=MEASURE)
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
    format: Annotated[
        str, typer.Option(help="of the sheets: png, pdf or svg", autocompletion=completion.figures)
    ] = "png",
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
) -> Result:
    """Draw one sheet for each image: picture, a map for each method, predicted class; and keep the raw maps.

    Example: heatproof explain --model torchvision:resnet50 --weights resnet50.safetensors --images photo.jpg
    """
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
        console.print(f"not drawn: {name}: {reason}", style="yellow")
    console.print(f"{len(done.sheets)} sheets and raw maps in {folder}", soft_wrap=True)
    return Result([folder], {"folder": folder, "sheets": done.sheets, "refused": done.refused})


app.command(rich_help_panel=MEASURE)(friendly(audit))
app.command(rich_help_panel=MEASURE)(friendly(serve))
app.add_typer(bench, name="bench", rich_help_panel=MEASURE)
app.add_typer(paper, name="paper", rich_help_panel=MEASURE)
app.command(rich_help_panel=LOOK)(friendly(report))
app.command(rich_help_panel=LOOK)(friendly(export))
app.command(rich_help_panel=LOOK)(friendly(methods))


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="print the version and stop")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    if version:
        from importlib.metadata import version as installed

        torch = installed("torch")
        if as_json:
            print_document("", DONE, {"torch": torch})
        else:
            console.print(f"heatproof {__version__}, torch {torch}")
        raise typer.Exit(DONE)
    if context.invoked_subcommand is None:
        context.fail("Missing command.")


def main() -> None:
    """The command ``heatproof``."""
    if bash.asked():
        bash.answer(app)
    warnings.filterwarnings("ignore", ".*treespec, LeafSpec.*", FutureWarning)  # torch's own, of each program it copies
    gc.freeze()  # nothing imported is garbage, and looking for some in all of torch takes long, above all as Python ends
    app()
