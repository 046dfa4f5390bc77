"""A million images, twelve methods, 64 GPUs: what the cost model and the simulated schedule say.

python -m benchmarks.scale_plan [--images N] [--gpus G] [--stages S] [--seeds S] [--chunk C]

Seconds of a GPU are counted work over the constants of `heatproof.experiment.cost`, not measured; everything else is from
`python -m benchmarks.scale` and `python -m benchmarks.long_run`, see docs/scale.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from heatproof.audit import _subject
from heatproof.checks.subject import Subject
from heatproof.experiment.cost import count
from heatproof.experiment.settings import METRICS, NULLS, settings_from
from heatproof.experiment.trial import try_methods
from heatproof.named import named_methods

from .networks import network, photos
from .schedule import Cluster, schedule

METHODS = (
    "gradient", "gradient_x_input", "guided_backprop", "gradcam", "guided_gradcam", "fullgrad", "rectgrad", "lrp",
    "smoothgrad(n=50)", "integrated_gradients(steps=50)", "edge_map", "random_map",
)  # fmt: skip
METRIC_GAIN = 50.0
"""Times that a GPU compares maps faster than one CPU thread: the target of docs/performance.md, not measured."""
COMPARED = 6e-3
"""CPU seconds for all four metrics on one pair of maps of 224 px."""
ROW_BYTES, ROW_MEMORY = 76.0, 320.0
"""Of a row of the table: in its job's file, and in the memory of who judges them all."""
PLANNED = 0.005
"""Seconds of the driver for an image: read twice (1.9 ms each for photos of 256 px), and through the model once."""
START, EACH, LASTS = 30.0, 0.05, 24 * 3600.0
"""Seconds until a worker is ready; to hand out a job and keep its files; mean time until a worker is lost."""

console = Console()


@dataclass(frozen=True)
class Audit:
    """What is run: rows of the model that all methods take for an image under one network, and how many networks."""

    images: int
    chunk: int
    stages: int
    seeds: int
    rows: float
    row: float

    def jobs(self) -> Iterator[float]:
        """Seconds of each job, in the plan's order: the floor of a shard, then its chains."""
        variant = self.chunk * self.rows * self.row
        compared = self.chunk * len(METHODS) * COMPARED / METRIC_GAIN
        for _ in range(ceil(self.images / self.chunk)):
            yield (NULLS + 1) * variant + 2 * NULLS * compared
            for _ in range(self.seeds):
                yield self.stages * (variant + compared)

    @property
    def table(self) -> int:
        """Rows of the table: stages of all seeds, networks of the floor, and pairs of them."""
        networks = self.stages * self.seeds + 2 * NULLS
        return self.images * len(METHODS) * networks * (len(METRICS) + 1)


def main(
    images: Annotated[int, typer.Option()] = 1_000_000,
    gpus: Annotated[int, typer.Option()] = 64,
    stages: Annotated[int, typer.Option(help="of the cascade")] = 4,
    seeds: Annotated[int, typer.Option(help="chains a shard")] = 3,
    chunk: Annotated[int, typer.Option(help="images in one pass")] = 64,
) -> None:
    """ResNet-50 at 224 px."""
    subject = _counted()
    tried = try_methods(subject)
    rows = tried.fixed_rows + sum(per * units for units, per in tried.effort_rows.values())
    row = count(subject.model, photos(1).cpu().expand(chunk, -1, -1, -1)).seconds("cuda") / chunk
    audit = Audit(images, chunk, stages, seeds, rows, row)
    jobs = list(audit.jobs())
    console.print(
        f"{rows:.0f} rows an image and network, {row * 1e3:.2f} ms each; {len(jobs)} jobs, {sum(jobs) / 3600:.0f} GPU hours"
    )
    table = Table("GPUs", "hours", "efficiency", "workers lost")
    for workers in sorted({1, 8, gpus, 8 * gpus}):
        found = schedule(jobs, Cluster(workers, START, EACH, LASTS))
        table.add_row(str(workers), f"{found.seconds / 3600:.1f}", f"{found.busy:.2f}", str(found.lost))
    console.print(table)
    console.print(f"driver: {images * PLANNED / 3600:.1f} h to read and hash the images before the first job")
    console.print(
        f"table: {audit.table:.2g} rows, {audit.table * ROW_BYTES / 1e9:.0f} GB of job files in one folder, "
        f"{audit.table * ROW_MEMORY / 1e9:.0f} GB of memory to judge them"
    )


def _counted() -> Subject:
    """ResNet-50 and a photo, on this machine's CPU: rows and operations are counted, not timed."""
    x = photos(1).cpu()
    subject, _ = _subject(network("resnet50").cpu(), x, None, named_methods(METHODS), settings_from({"chunk": 1}))
    return subject


if __name__ == "__main__":
    typer.run(main)
