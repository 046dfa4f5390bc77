"""What a bench is about, and what it prints: its plan before, its tables after."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from ..bench import BENCH_METHODS, Benched, BenchPlan
from ..errors import InputError
from ..faithfulness.kind import Kind
from ..faithfulness.psi_choices import psi_methods
from ..report.bench import bench_figures, bench_tables
from .bench_data import BenchData
from .console import console, print_files
from .inputs import about, split_methods
from .result import Result
from .tables import print_tables, records


def asked_methods(text: str | None, psi: str | None) -> list[str]:
    """The methods that --methods and --psi name."""
    if psi not in (None, "all"):
        raise InputError(f"--psi {psi!r}; expected all, or leave it out")
    found = split_methods(text) or list(BENCH_METHODS)
    return list(dict.fromkeys([*found, *(psi_methods() if psi else ())]))


def source_of_masks(kind: Kind, data: BenchData) -> dict[str, str]:
    """Where the masks are from, for benches that treat some of them with care."""
    known = any(f.name == "source" for f in fields(kind.options))
    return {"source": data.source if data.source == "nonzero" else ""} if known else {}


def about_bench(data: BenchData, facts: dict[str, Any]) -> dict[str, Any]:
    """What the report says of model, images and masks, and the facts of a training."""
    said = about(data.given)
    named = {"masks": data.source} if data.source else {}
    return {**said, **named, **facts, "warnings": [*said["warnings"], *data.notes, *facts.get("warnings", ())]}


def print_plan(plan: BenchPlan) -> None:
    """What will be measured, in how many jobs; what was refused and why."""
    subject = plan.bench.subject
    console.print(
        f"{plan.kind.title}: {plan.config['model']} on {len(subject.images)} images, "
        f"{len(plan.config['methods'])} {'rows' if plan.kind.rows else 'methods'}",
        markup=False,
    )
    for name, reason in plan.refused.items():
        console.print(f"refused: {name}: {reason}", style="yellow")
    for warning in plan.config["warnings"]:
        console.print(f"note: {warning}", style="yellow")
    done = len(plan.jobs) - plan.left
    finished = f", {done} of them finished" if done else ""
    console.print(f"{len(plan.jobs)} jobs{finished}, in {plan.folder}")


def plan_facts(plan: BenchPlan) -> dict[str, Any]:
    """The plan as keys of a document."""
    found = {"jobs": len(plan.jobs), "jobs_left": plan.left, "methods": plan.config["methods"], "folder": plan.folder}
    return {**found, "refused": plan.refused, "warnings": plan.config["warnings"]}


def finish(done: Benched, format: str | None) -> Result:
    """The tables, and where the files are."""
    print_tables(bench_tables(done.results))
    drawn = bench_figures(done.results, format) if format else None  # type: ignore[arg-type]
    results = done.results
    facts = {
        "summary": records(results.summary),
        "curves": records(results.curves),
        "refused": records(results.refused),
    }
    files = print_files(done.folder, done.report, drawn)
    return Result([done.report], {**files, **facts, "warnings": results.config["warnings"]})
