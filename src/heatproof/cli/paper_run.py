"""Claims of papers: listed, measured, and printed with their verdicts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import torch
from rich.table import Table
from rich.text import Text

from ..errors import InputError
from ..experiment.files import check_makeable
from ..papers import PAPERS
from ..papers.choice import chosen
from ..papers.lab import Lab
from ..papers.publish import publish
from ..papers.run import NOT_IN_BUDGET, PaperPlan, Reporter, check_folder, plan_papers, run_papers
from ..papers.verdicts import CANNOT, HELD, NOT_HELD, OUT, VERDICTS, Claims
from ..progress import Step
from ..report.words import count
from ..training.options import usable
from .console import bar, console, minutes, working
from .result import Result
from .tables import records

MANY = 40
"""More claims than that take a line each."""
COLOURS = {HELD: "green", NOT_HELD: "red", CANNOT: "yellow"}


def print_claims(which: list[str]) -> Result:
    """What each paper says, in tables."""
    papers, ids = chosen(which)
    listed: list[dict[str, str]] = []
    for paper in PAPERS.values():
        claims = [c for c in paper.claims if paper.name in papers or c.id in ids]
        if not claims:
            continue
        table = Table(box=None, pad_edge=False, title=f"{paper.name}: {paper.title}", title_justify="left")
        for column in ("id", "claim", "source", "published", "budget"):
            table.add_column(column, overflow="fold", no_wrap=column == "id")
        for claim in claims:
            about = (claim.says, claim.source, claim.published, _budgets(claim.experiment, paper.name))
            table.add_row(claim.id, *map(Text, about))
            keys = ("paper", "id", "claim", "source", "published", "budgets")
            listed.append(dict(zip(keys, (paper.name, claim.id, *about), strict=True)))
        console.print(table)
        console.print()
    console.print("heatproof paper run ID ... measures some, heatproof paper run all measures everything.")
    return Result([claim["id"] for claim in listed], {"claims": listed})


def _budgets(experiment: str, paper: str) -> str:
    """The budgets that measure a claim."""
    found = next((e for e in PAPERS[paper].experiments if e.name == experiment), None)
    if found is None:
        return "-"
    return ", ".join(name for name, m in zip(("quick", "full"), found.minutes, strict=True) if m is not None)


def measure(which: list[str], budget: str, data: Path | None, out: Path, workers: int | None, device: str) -> Result:
    """Train what is needed, measure, and print the verdicts; the arguments are the options of ``paper run``."""
    if budget not in ("quick", "full"):
        raise InputError(f"--budget {budget!r}; expected quick or full")
    papers, ids = chosen(which)
    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else str(usable(device, "--device"))
    held = data or Path(os.environ.get("HEATPROOF_DATA", "data"))
    size = "unreduced" if budget == "full" and where.startswith("cuda") else budget
    folder = out / size
    check_folder(folder)
    check_makeable(folder)
    plan = plan_papers(Lab(held, out / "networks", folder / "runs", size, where), folder, papers, ids)
    processes = workers or (1 if where.startswith("cuda") else os.cpu_count() or 1)
    _print_plan(plan, processes)
    try:
        with _bars() as told:
            run_papers(plan, processes, told)
    finally:  # what is finished can be read, whatever stopped the rest
        with working("drawing the gallery"):
            claims, page = publish(folder)
    return finish(claims, page, papers, ids)


def _print_plan(plan: PaperPlan, workers: int) -> None:
    done = sum(plan.done(key) for key, _ in plan.experiments)
    training = (
        f", after training {count(len(plan.networks), 'network')} as far as they are not kept" if plan.networks else ""
    )
    said = count(len(plan.experiments), "experiment") + (f", {done} of them finished" if done else "")
    time = minutes(plan.wall(workers)) if plan.minutes else ""
    console.print(
        f"budget {plan.lab.budget}: {said}{training}" + (f"; about {time}" if time else "") + f", in {plan.folder}",
        markup=False,
    )
    out = [name for name, why in plan.left_out.items() if why == NOT_IN_BUDGET]
    if out:
        console.print(f"not in this budget: {', '.join(out)}")
    for why in dict.fromkeys(why for why in plan.left_out.values() if why != NOT_IN_BUDGET):
        console.print(f"left out: {why}", style="yellow")


@contextmanager
def _bars() -> Iterator[Reporter]:
    """A progress bar for each part of the work."""
    with ExitStack() as stack:
        opened: list[ExitStack] = []

        def told(what: str) -> Step:
            for earlier in opened:
                earlier.close()  # one bar at a time
            opened.append(stack.enter_context(ExitStack()))
            return opened[-1].enter_context(bar(what))

        yield told


def finish(claims: Claims, page: Path, papers: list[str], ids: list[str]) -> Result:
    """The verdicts of what was asked for, their counts, and where the files are."""
    table = claims.table
    shown = table[table["paper"].isin(papers) | table["id"].isin(ids)] if papers or ids else table
    for name, rows in shown.groupby("paper", sort=False):
        console.print(_verdicts(PAPERS[str(name)].title, rows, brief=len(shown) > MANY))
        console.print()
    counts = shown["verdict"].value_counts()
    console.print(", ".join(f"{counts[v]} {v}" for v in VERDICTS if v in counts))
    console.print(f"gallery: {page}", soft_wrap=True)
    console.print(f"beside it: {', '.join(sorted(p.name for p in claims.folder.glob('*.[cm][sd]*')))}")
    if len(shown) > MANY:
        console.print("what was measured: papers.md, the gallery, or heatproof paper run ID")
    facts = {"folder": claims.folder, "gallery": page, "claims": records(shown), "counts": counts.to_dict()}
    return Result([page], facts)


def _verdicts(title: str, rows: pd.DataFrame, brief: bool) -> Table:
    """Claims with verdict and numbers; brief: a line each, without numbers."""
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    table.add_column("id", no_wrap=True, min_width=int(rows["id"].str.len().max()))
    table.add_column("verdict", no_wrap=brief, min_width=len(CANNOT) if brief else None)
    table.add_column("claim", overflow="ellipsis" if brief else "fold", no_wrap=brief)
    if not brief:
        table.add_column("measured", overflow="fold")
    for row in rows.to_dict("records"):
        if row["verdict"] != OUT:
            cells = (row["claim"],) if brief else (row["claim"], row["measured"] or row["reason"])
            table.add_row(row["id"], Text(row["verdict"], COLOURS.get(row["verdict"], "")), *map(Text, cells))
    return table
