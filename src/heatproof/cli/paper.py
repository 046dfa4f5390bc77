"""The commands ``paper list`` and ``paper run``: claims of four papers, measured again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .friendly import friendly
from .options import Device
from .result import Result

app = typer.Typer(
    help="""Claims of the four papers behind heatproof, each measured again.

    Start with: heatproof paper list, then heatproof paper run all --budget quick --data FOLDER

    FOLDER holds, as far as you have them: MNIST/raw, FashionMNIST/raw (torchvision's files), CIFAR10, imagenet-samples,
    and weights/NAME.safetensors. imagenet-samples holds images.csv (file, class_index, boxes_xyxy) and the photos, in
    folders. What is missing is named, and its claims are left out.""",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Which = Annotated[
    list[str],
    typer.Argument(
        help="all, a paper (cgi, sanity-checks, fullgrad, rectgrad), or ids of claims (S0-Fig5)",
        autocompletion=completion.claims,
    ),
]
Data = Annotated[
    Path | None, typer.Option(help="the data folder; default: the environment variable HEATPROOF_DATA, else data")
]
Budget = Annotated[
    str,
    typer.Option(
        help="quick: 15 minutes on two cores, without label-randomised training and ROAR; full: three hours on two "
        "cores, with named reductions, or the papers' own sizes on a GPU",
        autocompletion=completion.paper_budgets,
    ),
]


@app.command("list")
@friendly
def list_claims(
    which: Annotated[
        list[str] | None, typer.Argument(help="papers or ids; default: all", autocompletion=completion.claims)
    ] = None,
) -> Result:
    """List the claims: what each paper says, where, what it published, and in which budget it is measured.

    Example: heatproof paper list fullgrad
    """
    from .paper_run import print_claims

    return print_claims(which or ["all"])


@app.command("run")
@friendly
def run(
    which: Which,
    budget: Budget = "quick",
    data: Data = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="folder; results in OUT/BUDGET, networks for all budgets in OUT/networks"),
    ] = Path("runs/papers"),
    workers: Annotated[
        int | None, typer.Option(min=1, help="processes side by side, one thread each; default: the cores, on a GPU 1")
    ] = None,
    device: Device = "auto",
) -> Result:
    """Measure claims again: trains what is needed, then prints each claim with its verdict and draws the gallery.

    Whatever is finished stays: the same command goes on where it was interrupted.

    Example: heatproof paper run fullgrad --budget quick --data DATA
    """
    from .paper_run import measure

    return measure(which, budget, data, out, workers, device)
