"""Ten thousand small images through one audit: time, memory, files.

python -m benchmarks.long_run [--images N] [--out FOLDER]     # resumes; CIFAR-10 and its ResNet-20

Prints memory by the share of jobs that are done, so that growth would show, and what the table takes.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table

from heatproof.audit import Audit, AuditPlan, plan_audit, run_audit
from heatproof.data.folder import read_images
from heatproof.models.spec import load_model

from .networks import DATA

MODEL = "heatproof.models.nets.cifar_resnet:CifarResNet"
METHODS = ("gradient", "guided_backprop", "gradcam")

console = Console()


def main(
    images: Annotated[int, typer.Option()] = 10_000,
    chunk: Annotated[int, typer.Option(help="images in one pass")] = 10,
    out: Annotated[Path, typer.Option("--out", "-o", help="run folder")] = Path("runs/long"),
) -> None:
    """An audit of ResNet-20 on CIFAR-10's test images, on one thread."""
    torch.set_num_threads(1)
    loaded = load_model(MODEL, DATA / "weights/cifar10_resnet20.safetensors")
    found = read_images(DATA / "CIFAR10", loaded.preprocess, images)
    stages: list[tuple[str, float, float, int]] = []
    begun = time.monotonic()

    def note(what: str) -> None:
        stages.append((what, time.monotonic() - begun, *_used()))

    note("images read")
    plan = plan_audit(
        loaded.model, found.held, methods=METHODS, seeds=1, nulls=2, stages=2, chunk=chunk, threads=1, out=out,
        faithfulness=False,
    )  # fmt: skip
    note(f"planned: {len(plan.jobs)} jobs")
    marks = {len(plan.jobs) * tenth // 10: tenth for tenth in range(1, 11)}

    def step(done: int, total: int, left: float | None) -> None:
        if tenth := marks.pop(done, None):
            note(f"{tenth * 10} % of the jobs")
            console.print(f"{tenth * 10} %, {(left or 0) / 60:.0f} min left")

    audit = run_audit(plan, step)
    note(f"judged and reported: {len(audit.table)} rows")
    _print(stages, plan, audit)


def _used() -> tuple[float, int]:
    """MB of this process in memory, and files that it holds open."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6, len(os.listdir("/proc/self/fd"))


def _print(stages: list[tuple[str, float, float, int]], plan: AuditPlan, audit: Audit) -> None:
    table = Table("", "s", "MB", "open files")
    for what, seconds, megabytes, files in stages:
        table.add_row(what, f"{seconds:.0f}", f"{megabytes:.0f}", str(files))
    console.print(table)
    jobs = sum(path.stat().st_size for path in (plan.folder / "jobs").iterdir())
    held = audit.table.memory_usage(deep=False).sum()
    console.print(
        f"job files {jobs / 1e6:.0f} MB, {jobs / len(audit.table):.0f} bytes a row; table in memory "
        f"{held / len(audit.table):.0f} bytes a row; report {audit.report.stat().st_size / 1e6:.1f} MB: {audit.report}"
    )


if __name__ == "__main__":
    typer.run(main)
