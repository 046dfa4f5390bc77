"""What an audit prints: its plan before, its verdicts after."""

from __future__ import annotations

from rich.table import Table

from ..audit import Audit, AuditPlan, prepare, run_audit
from ..experiment.budget import seconds_of
from ..report.export import figures as export_figures
from .console import bar, console, minutes, number


def print_plan(plan: AuditPlan) -> None:
    """Jobs, minutes, disk, and what the budget chose; what was refused and why."""
    c = plan.config
    blocks, chosen = len(c["blocks"]), c["chosen"]
    console.print(
        f"{c['model']} on {len(plan.subject.images)} images: {len(plan.subject.methods)} methods, {len(c['stages'])} of "
        f"{blocks} stages, {chosen['seeds']} seeds, {c['nulls']} null networks",
        markup=False,
    )
    if chosen["effort"]:
        console.print(
            f"budget {c['budget']}: at most {chosen['effort']} steps for methods that take many", markup=False
        )
    limit = seconds_of(None if c["budget"] == "None" else c["budget"])
    if limit and plan.minutes * 60 > 1.5 * limit:
        over = minutes(plan.minutes - limit / 60)
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
        + f", about {minutes(plan.minutes * share)}, "
        f"{plan.megabytes:.0f} MB in {plan.folder}",
        markup=False,
    )


def run_with_bar(plan: AuditPlan) -> Audit:
    """Train what a check needs, then do the jobs, each with the time left."""
    with bar("training for the check planted") as step:
        prepare(plan, lambda done, total, word: step(done, total, None, f"planted: {word}"))
    with bar("jobs") as step:
        return run_audit(plan, step)


def finish(result: Audit, format: str | None) -> None:
    """The verdicts as a table, and where the files are."""
    table = Table(box=None, pad_edge=False)
    for column in ("method", "verdict", "excess at half", "floor", "faithfulness"):
        table.add_column(column, justify="left" if column in ("method", "verdict") else "right")
    for row in result.verdicts.to_dict("records"):
        colour = {"sensitive": "green", "undecided": "yellow"}.get(row["verdict"], "red")
        numbers = [number(row.get(k)) for k in ("excess", "floor", "faithfulness")]
        table.add_row(row["method"], f"[{colour}]{row['verdict']}[/{colour}]", *numbers)
    console.print(table)
    if format:
        drawn = export_figures(result.results, format)  # type: ignore[arg-type]
        console.print(f"{len(drawn)} figures in {result.folder / 'figures'}", markup=False)
    console.print(f"report: {result.report}", markup=False)
    console.print("A map that passes is not thereby right: a random map passes too. Read the faithfulness beside it.")
