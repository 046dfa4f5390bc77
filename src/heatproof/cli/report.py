"""The command ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import FigureFormat
from .result import Result


def report(
    folder: Annotated[Path, typer.Argument(help="run folder of an audit, a bench, or claims of papers")],
    figures: FigureFormat = None,
) -> Result:
    """Write the tables and the report of a finished run again, from its files.

    Example: heatproof report runs/resnet50 --figures pdf
    """
    from ..experiment.folder import read_config

    config = read_config(folder)
    if "claims" in config:
        from ..papers.publish import publish
        from .paper_run import finish as finish_papers

        return finish_papers(*publish(folder), [], [])
    if "bench" in config:
        from ..bench import read_bench
        from .bench_run import finish as finish_bench

        return finish_bench(read_bench(folder), figures)
    if "directions" in config:
        from ..roar import read_retrain
        from .retrain_run import finish as finish_retrain

        return finish_retrain(read_retrain(folder), figures)
    from ..audit import read_audit
    from .shown import finish

    return finish(read_audit(folder), figures)
