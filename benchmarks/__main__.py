"""Time and memory of heatproof beside its peers, on the same inputs, in one process run.

python -m benchmarks                  # all rows
python -m benchmarks cgi import       # rows whose id starts so
"""

from __future__ import annotations

import json
import os
import platform
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from .measure import measured
from .row import Row
from .rows import ROWS
from .table import line, markdown, table

PEERS = ("captum", "quantus", "scipy", "scikit-image", "torchvision", "timm", "numpy")

console = Console()


def main(
    rows: Annotated[list[str] | None, typer.Argument(help="beginnings of ids; default: all")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON of all runs")] = Path("runs/benchmarks.json"),
    threads: Annotated[int | None, typer.Option(help="of torch; default: its own choice")] = None,
) -> None:
    """Check that both sides agree, time them in turn, print a table with targets, write JSON."""
    warnings.simplefilter("ignore")  # what the peers warn of would hide the rows
    if threads:
        torch.set_num_threads(threads)
    wanted = [row for row in ROWS if not rows or row.id.startswith(tuple(rows))]
    if not wanted:
        raise typer.BadParameter(f"no row starts with {', '.join(rows or ())}; rows: {', '.join(r.id for r in ROWS)}")
    found: list[dict[str, Any]] = []
    pace = Pace(wanted)
    for row in wanted:
        with console.status(f"{row.id}, {pace.left(row)}") as status:
            if not console.is_terminal:
                console.print(status.status)
            found.append(measured(row))
        pace.done(row)
        console.print(line(found[-1]), markup=False, highlight=False, soft_wrap=True)
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({**_machine(), "rows": found}, indent=1) + "\n")  # after each: a stop loses one row
        out.with_suffix(".md").write_text(markdown(found))
    console.print(table(found))
    console.print(f"all runs: {out}, as a page: {out.with_suffix('.md')}", markup=False)


class Pace:
    """Minutes left: those that the rows say, corrected by how long the rows before took here."""

    def __init__(self, rows: list[Row]) -> None:
        self.start, self.todo = time.monotonic(), sum(row.minutes for row in rows)
        self.behind = 0.0

    def left(self, row: Row) -> str:
        took = (time.monotonic() - self.start) / 60
        slower = (took + 1) / (self.behind + 1)  # the first minute says little
        return f"about {row.minutes * slower:.1f} min, {self.todo * slower:.0f} min left with it"

    def done(self, row: Row) -> None:
        self.todo -= row.minutes
        self.behind += row.minutes


def _machine() -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "versions": {name: _version(name) for name in PEERS},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [text for text in info.read_text().splitlines() if text.startswith("model name")] if info.exists() else []
    return names[0].partition(":")[2].strip() if names else platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    typer.run(main)
