"""The command ``doctor``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from ..visible import visible
from .console import console, working
from .exit_codes import DONE, FAILED
from .result import Result

if TYPE_CHECKING:
    from ..doctor.finding import Finding

COLOURS = {"ok": "green", "note": "yellow", "problem": "red"}


def doctor(
    out: Annotated[Path, typer.Option("--out", "-o", help="folder that results would go into")] = Path("runs"),
    test: Annotated[bool, typer.Option("--test/--no-test", help="run the self test, about a minute")] = True,
) -> Result:
    """Look at this installation: versions, optional parts, devices, the folder for results; then a self test of a minute.

    Ends with exit code 1 where something is broken, and says what to do. Reads and writes nothing but a temporary folder.

    Example: heatproof doctor
    """
    findings: list[Finding] = []
    for finding in _examined(out, test):
        if not findings or findings[-1].area != finding.area:
            console.print(f"{finding.area}:", style="bold")
        findings.append(finding)
        console.print(_line(finding))
    broken = [f for f in findings if f.state == "problem"]
    untested = "" if test else " (no self test)"
    problems = f"{len(broken)} problem{'s' if len(broken) > 1 else ''}: {', '.join(f.name for f in broken)}"
    verdict = problems if broken else f"everything works{untested}"
    console.print(f"\n{verdict}", style="red" if broken else "green")
    lines = [f"{f.name}: {f.detail}: {f.advice}" for f in broken]
    return Result(lines, {"findings": [asdict(f) for f in findings]}, FAILED if broken else DONE)


def _examined(out: Path, test: bool) -> Iterator[Finding]:
    """Everything, as it is found; with a package broken that heatproof cannot do without there is nothing behind them."""
    from ..doctor.installed import CORE, installed

    with working("importing every package"):
        found = list(installed())
    yield from found
    if any(finding.name in CORE and finding.state == "problem" for finding in found):
        return
    from ..doctor.machine import devices, machine

    yield from machine(out)
    if test:
        from ..doctor.selftest import self_test

        for device in devices():
            with working(f"self test on {device}"):
                found = list(self_test(device))
            yield from found


def _line(finding: Finding) -> Table:
    """A finding in a line, and what to do about it below."""
    table = Table.grid(padding=(0, 2))
    table.add_column(width=8)
    table.add_column(min_width=20)
    table.add_column(overflow="fold")
    table.add_row(Text(finding.state, COLOURS[finding.state]), Text(finding.name), Text(visible(finding.detail)))
    if finding.advice:
        table.add_row("", "", Text(f"-> {visible(finding.advice)}"))
    return table
