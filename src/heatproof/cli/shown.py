"""What an audit prints: its plan before, its verdicts after."""

from __future__ import annotations

from typing import Any

from ..audit import Audit, AuditPlan
from ..experiment.budget import seconds_of
from ..experiment.results import Results
from ..plots._select import first_check, without_verdict
from ..report.export import figures as export_figures
from ..report.guide import meaning
from ..report.use import TESTED, judged_whole
from ..report.words import count
from .console import console, minutes, print_files
from .result import Result
from .tables import records, tables

NUMBERS = (
    "floor: how alike maps of random networks are. excess: what is left above it {where}, 1 = the same map. "
    "faithfulness: gain over removing pixels in a random order. The report has their intervals."
)


def _where(results: Results) -> str:
    """What was done to the network of the map that the excess is of."""
    check = first_check(results)
    share = "all" if judged_whole(results, check) else "half"
    told = TESTED.get(check, f"with {share} of the network randomised")
    return told[:1].lower() + told[1:]


def print_plan(plan: AuditPlan) -> None:
    """Jobs, minutes, disk, and what the budget chose; what was refused and why."""
    c = plan.config
    chosen = c["chosen"]
    console.print(
        f"{c['model']} on {count(len(plan.subject.images), 'image')}: {count(len(plan.subject.methods), 'method')}, "
        f"{len(c['stages'])} of {count(len(c['blocks']), 'stage')}, {count(chosen['seeds'], 'seed')}, "
        f"{count(c['nulls'], 'null network')}"
    )
    if chosen["effort"]:
        console.print(
            f"budget {c['budget']}: at most {chosen['effort']} steps for methods that take many", markup=False
        )
    limit = seconds_of(None if c["budget"] == "None" else c["budget"])
    if limit and plan.minutes * 60 > 1.5 * limit:
        over = minutes(plan.minutes - limit / 60)
        note = f"note: over the budget of {c['budget']} by {over} on this machine; fewer methods or images make it less"
        console.print(note, style="yellow")
    for name, reason in plan.refused.items():
        console.print(f"refused: {name}: {reason}", style="yellow")
    for warning in c["warnings"]:
        console.print(f"note: {warning}", style="yellow")
    done = len(plan.jobs) - plan.left
    share = plan.left / len(plan.jobs)
    console.print(
        count(len(plan.jobs), "job")
        + (f", {done} of them finished" if done else "")
        + f", about {minutes(plan.minutes * share)}, "
        f"{plan.megabytes:.0f} MB in {plan.folder}",
        markup=False,
    )


def plan_facts(plan: AuditPlan) -> dict[str, Any]:
    """The plan as keys of a document."""
    c = plan.config
    return {
        "model": c["model"], "images": len(plan.subject.images), "methods": list(plan.subject.methods),
        "stages": c["stages"], "seeds": c["chosen"]["seeds"], "nulls": c["nulls"], "most_steps": c["chosen"]["effort"],
        "jobs": len(plan.jobs), "jobs_left": plan.left, "minutes": plan.minutes * plan.left / len(plan.jobs),
        "megabytes": plan.megabytes, "folder": plan.folder, "refused": plan.refused, "warnings": c["warnings"],
    }  # fmt: skip


def finish(result: Audit, format: str | None) -> Result:
    """What was asked for, as tables, and where the files are."""
    results = result.results
    judged = not without_verdict(results)
    for table in tables(results):
        console.print(table)
        console.print()
    if judged:
        for verdict, text in meaning(results, first_check(results)).items():
            if (results.verdicts["verdict"] == verdict).any():
                console.print(f"{verdict}: {text}")
        console.print(f"{NUMBERS.format(where=_where(results))}\n")
    if not judged:
        console.print("no verdict asked for: none of these checks carries one")
    drawn = export_figures(results, format) if format else None  # type: ignore[arg-type]
    files = print_files(result.folder, result.report, drawn)
    if judged:
        console.print(
            "A map that passes is not thereby right: a random map passes too. Read the faithfulness beside it."
        )
    facts = {
        "verdicts": records(results.verdicts) if judged else [],
        "checks": records(results.by_check),
        "refused": results.config.get("refused", {}),
        "warnings": results.config.get("warnings", []),
    }
    return Result([result.report], {**files, **facts})
