"""Time and memory of heatproof beside its peers, on the same inputs, in one process run.

python -m benchmarks                  # all rows
python -m benchmarks cgi import       # rows whose id starts so
"""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from .row import Row
from .rows import ROWS
from .timing import Timed, memory, timed

console = Console()


def main(
    rows: Annotated[list[str] | None, typer.Argument(help="beginnings of ids; default: all")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON of all runs")] = Path("runs/benchmarks.json"),
    threads: Annotated[int, typer.Option(help="of torch")] = 0,
) -> None:
    """Check that both sides agree, time them in turn, print a table with targets, write JSON."""
    if threads:
        torch.set_num_threads(threads)
    wanted = [r for r in ROWS if not rows or any(r.id.startswith(text) for text in rows)]
    if not wanted:
        raise typer.BadParameter(f"no row starts with {', '.join(rows or ())}; rows: {', '.join(r.id for r in ROWS)}")
    found = []
    for row in wanted:
        with console.status(row.id):
            found.append(_measured(row))
        console.print(_line(row, found[-1]), markup=False, highlight=False)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({**_machine(), "rows": found}, indent=1) + "\n")  # after each: a stop loses one row
    console.print(_table(wanted, found))
    console.print(f"all runs: {out}", markup=False)


def _measured(row: Row) -> dict[str, Any]:
    """Warm both sides, compare what they give, then time them."""
    about: dict[str, Any] = {"id": row.id, "what": row.what, "against": row.against, "target": row.target}
    try:
        pair = row.make()
        about["agree"] = pair.check(pair.ours(), pair.theirs())
        time = timed(pair, row.long)
        about |= {"ours": time.ours, "theirs": time.theirs, "ratio": time.ratio}
        if row.memory is not None:
            ours, theirs = memory(row)
            about |= {"memory": (ours, theirs), "memory ratio": ours / max(theirs, 1.0), "memory target": row.memory}
    except Exception as error:
        about["failed"] = f"{type(error).__name__}: {error}"
    return about


def _line(row: Row, found: dict[str, Any]) -> str:
    if "failed" in found:
        return f"{row.id}: {found['failed']}"
    time = Timed(found["ours"], found["theirs"])
    text = f"{row.id}: {median(time.ours):.3f} s against {median(time.theirs):.3f} s, {found['agree']}"
    return text + (f", {found['memory'][0]:.0f} against {found['memory'][1]:.0f} MiB" if "memory" in found else "")


def _table(rows: list[Row], found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("row", "against", "target", "time", "memory", ""):
        table.add_column(column, no_wrap=column in ("row", "target", "time", "memory"))
    for row, about in zip(rows, found, strict=True):
        failed, ratio = about.get("failed"), about.get("ratio")
        kept = ratio is not None and ratio <= row.target and about.get("memory ratio", 0) <= (row.memory or 1)
        time = "-" if ratio is None else f"{ratio:.2f}x"
        if row.long and ratio is not None:
            time += " (" + ", ".join(f"{a / b:.2f}" for a, b in zip(about["ours"], about["theirs"], strict=True)) + ")"
        space = f"{about['memory ratio']:.2f}x of {row.memory:g}x" if "memory ratio" in about else ""
        mark = "failed" if failed else "kept" if kept else "missed"
        table.add_row(row.id, row.against, f"{row.target:.2f}x", time, space, mark)
    return table


def _machine() -> dict[str, Any]:
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "device": gpu or "cpu",
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    typer.run(main)
