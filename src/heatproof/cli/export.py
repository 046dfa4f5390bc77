"""The command ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import completion
from .console import console
from .result import Result


def export(
    folder: Annotated[Path, typer.Argument(help="finished run of an audit, a bench or roar, or a folder of explain")],
    to: Annotated[
        str,
        typer.Option(
            help="safetensors or npz (raw values, one file an image), png (pictures), csv (every table)",
            autocompletion=completion.exports,
        ),
    ] = "safetensors",
    methods: Annotated[
        str | None,
        typer.Option(help="maps of these methods alone, by commas", autocompletion=completion.methods),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="folder for the files; default: RUN/export")] = None,
    stages: Annotated[
        bool, typer.Option("--stages", help="also kept maps of randomised networks, METHOD|CHECK|STAGE|SEED")
    ] = False,
    tiles: Annotated[bool, typer.Option("--tiles", help="png: sheets of tiles, a row a method")] = False,
) -> Result:
    """Write the maps or tables of a finished run as files for other programs.

    Example: heatproof export runs/resnet50 --to npz --methods "gradient, gradcam"
    """
    from ..export import export as written
    from .inputs import split_methods

    files = written(folder, to, split_methods(methods), out, stages=stages, tiles=tiles)
    console.print(f"{len(files)} files in {files[0].parent}", soft_wrap=True)
    return Result([files[0].parent], {"folder": files[0].parent, "files": files})
