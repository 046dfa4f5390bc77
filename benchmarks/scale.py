"""What jobs cost here, and what the schedule of many machines makes of them.

python -m benchmarks.scale            # job times, measured and simulated runs on 1 and 2 workers
python -m benchmarks.scale --no-ray   # without the Ray cluster of two nodes that it starts on this machine

Every run does the same jobs in a new folder, and all folders must hold the same files.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.table import Table

from heatproof.audit import AuditPlan, _setup, plan_audit
from heatproof.experiment.jobs import Job
from heatproof.experiment.pool import run_jobs_in_processes
from heatproof.experiment.ray_engine import run_jobs_on_ray
from heatproof.experiment.run import run_job
from heatproof.experiment.work import Setup

from .networks import network, photos
from .ray_nodes import two_nodes
from .schedule import Cluster, schedule

METHODS = (
    "gradient", "gradient_x_input", "guided_backprop", "gradcam", "guided_gradcam", "fullgrad", "rectgrad",
    "smoothgrad(n=4)", "integrated_gradients(steps=4)", "input_map", "edge_map", "random_map",
)  # fmt: skip
"""Twelve, the long ones at few steps: the schedule is measured, not they."""

console = Console()


def main(
    images: Annotated[int, typer.Option(help="photos")] = 32,
    stages: Annotated[int, typer.Option(help="of the cascade")] = 2,
    seeds: Annotated[int, typer.Option(help="chains a shard")] = 2,
    ray: Annotated[bool, typer.Option(help="with a cluster of two nodes on this machine")] = True,
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON of all runs")] = Path("runs/scale.json"),
) -> None:
    """Time every job of an audit of SqueezeNet alone, then run all of them on 1 and 2 workers."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        plan = plan_audit(
            network("squeezenet1_0"), photos(images), methods=METHODS, seeds=seeds, nulls=2, stages=stages,
            chunk=4, threads=1, device="cpu", out=folder,
        )  # fmt: skip
        setup = _setup(plan.subject, plan.settings)
        console.print(f"{len(plan.jobs)} jobs")
        alone, files = _alone(plan, setup, Path(folder) / "alone")
        runs = list(_runs(plan, setup, Path(folder), files, alone, ray))
    _print(alone, runs)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"jobs": alone, "runs": runs}, indent=1) + "\n")


def _alone(plan: AuditPlan, setup: Setup, folder: Path) -> tuple[list[tuple[str, float]], str]:
    """Kind and seconds of each job, one after the other in this process; and what they left."""
    work, took = setup(), []
    for key, job in plan.jobs:
        start = time.monotonic()
        run_job(key, job, work, folder, 1)
        took.append((job.kind, time.monotonic() - start))
    return took, _files(folder)


def _runs(
    plan: AuditPlan, setup: Setup, folder: Path, files: str, alone: list[tuple[str, float]], ray: bool
) -> Iterator[dict[str, Any]]:
    seconds = [s for _, s in alone]

    def timed(name: str, workers: int, run: Callable[[Path], object]) -> dict[str, Any]:
        where = folder / f"{name} {workers}"
        start = time.monotonic()
        run(where)
        took = time.monotonic() - start
        if _files(where) != files:
            raise ValueError(f"{name} on {workers} workers left other files than one process")
        return {"engine": name, "workers": workers, "seconds": took, "work": sum(seconds) / workers,
                "simulated": schedule(seconds, Cluster(workers)).seconds}  # fmt: skip

    def pool(workers: int) -> Callable[[Path], object]:
        return lambda where: run_jobs_in_processes(plan.jobs, setup.copied(), where, 1, workers)

    yield timed("processes", 2, pool(2))
    if ray:
        with two_nodes() as (address, second):
            _warm(plan.jobs, setup, folder, address)
            yield timed("ray", 2, lambda where: run_jobs_on_ray(plan.jobs, setup, where, 1, address))
            second.stop()
            yield timed("ray", 1, lambda where: run_jobs_on_ray(plan.jobs, setup, where, 1, address))


def _warm(jobs: list[tuple[str, Job]], setup: Setup, folder: Path, address: str) -> None:
    """Start the workers of a cluster, which import torch once."""
    run_jobs_on_ray(jobs[:4], setup, folder / "warm", 1, address)


def _files(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted((folder / "jobs").iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _print(alone: list[tuple[str, float]], runs: list[dict[str, Any]]) -> None:
    kinds = {kind: [s for k, s in alone if k == kind] for kind, _ in alone}
    for kind, seconds in kinds.items():
        console.print(
            f"{kind}: {len(seconds)} jobs, {mean(seconds):.2f} s each ({min(seconds):.2f} to {max(seconds):.2f})"
        )
    one = sum(s for _, s in alone)
    table = Table("engine", "workers", "measured s", "simulated s", "measured / simulated", "efficiency")
    table.add_row("this process", "1", f"{one:.1f}", f"{one:.1f}", "1.00", "1.00")
    for run in runs:
        table.add_row(
            run["engine"], str(run["workers"]), f"{run['seconds']:.1f}", f"{run['simulated']:.1f}",
            f"{run['seconds'] / run['simulated']:.2f}", f"{one / (run['workers'] * run['seconds']):.2f}",
        )  # fmt: skip
    console.print(table)


if __name__ == "__main__":
    typer.run(main)
