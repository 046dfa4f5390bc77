"""The command ``demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from . import completion
from .console import bar, console, working
from .options import Seed, Threads
from .result import Result

CLOSING = """
Look first at
  {report}
    the verdicts: compare "gradient" with "edge_map", which never looks at the network
  {sheet}
    a scene with the maps of all methods: which of them find the digit?
The table above says how much of each map lies on the digit; 1.0 times chance is what a random map reaches.
Then your own: heatproof audit --model net.py:make --weights weights.pt --images photos
"""


def demo(
    out: Annotated[Path, typer.Option(help="folder for the results; the same command resumes there")] = Path(
        "runs/demo"
    ),
    images: Annotated[int, typer.Option(min=1, help="test images to audit")] = 32,
    seeds: Annotated[int, typer.Option(min=1, help="randomisations of each stage")] = 5,
    all_methods: Annotated[
        bool, typer.Option("--all-methods", help="audit the slow methods too: hours; without, they are only drawn")
    ] = False,
    budget: Annotated[
        str, typer.Option(help="time for the audit to fit into; or full", autocompletion=completion.budgets)
    ] = "2m",
    threads: Threads = None,
    seed: Seed = 0,
) -> Result:
    """Everything on data that comes with it: train a small network on digits pasted on photos, explain, audit.

    No download, a few minutes on two cores. Sheets show the maps of all methods; the audit has those that are quick. The
    true place of each digit is known, so the share of each map inside it is measured too.

    Example: heatproof demo
    """
    from ..audit import run_audit
    from ..demo import draw_sheets, inside_mask, plan, prepare
    from ..types import METHODS
    from .inputs import set_threads
    from .shown import finish, print_plan

    set_threads(threads)
    with bar("training a small network") as step:
        ready = prepare(out, images, seed, progress=lambda done, total, *_: step(done, total, None))
    with working("drawing sheets"):
        sheets = draw_sheets(ready, out)
    planned = plan(ready, out, seeds, threads, seed, all_methods, budget)
    print_plan(planned)
    drawn_only = sorted(set(METHODS) - {name.partition("(")[0] for name in planned.subject.methods})
    if drawn_only:
        console.print(f"drawn, and too slow for this audit (--all-methods): {', '.join(drawn_only)}")
    result = run_audit(planned, "auto")
    share = inside_mask(ready, planned.subject.methods, out)
    left = finish(result, None)
    table = Table(box=None, pad_edge=False, title="share of each map inside the true mask", title_justify="left")
    for column in ("method", "inside", "times chance"):
        table.add_column(column, justify="left" if column == "method" else "right")
    for row in share.to_dict("records"):
        table.add_row(row["method"], f"{row['inside']:.0%}", f"{row['times']:.1f}")
    console.print(table)
    console.print(CLOSING.format(report=result.report, sheet=sheets[0]), soft_wrap=True)
    return Result(left.essential, {**left.facts, "sheets": sheets, "inside_mask": share.to_dict("records")})
