"""Images a second of many small trainings: one after the other, as a stack, side by side in processes.

    python benchmarks/stacked_training.py --device cuda --bf16 -o runs/stacked.json
    python benchmarks/stacked_training.py --stacks 2,4 --processes 2 --images 2000

RectGradCNN on random 32 px images, Adam, batches of 100, as in Table 1 of the RectGrad paper. Each figure is the median
over `repeats` passes after one to warm up; the start of a process, about 4 s and paid once, is left out.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Table
from torch import Tensor

from heatproof.models.nets.rectgrad_cnn import RectGradCNN
from heatproof.train import seeded, train
from heatproof.training.stacked import train_stacked

OPTIONS = {"epochs": 1, "batch": 100, "lr": 1e-3, "schedule": None}


def main(
    out: Annotated[Path, typer.Option("--out", "-o", help="JSON of the figures.")] = Path("stacked_training.json"),
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    bf16: Annotated[bool, typer.Option(help="bfloat16 where it applies.")] = False,
    stacks: Annotated[str, typer.Option(help="Networks at once, such as 2,4,8,16.")] = "2,4,8,16",
    processes: Annotated[str, typer.Option(help="Processes side by side, such as 2,4; empty for none.")] = "2",
    images: Annotated[int, typer.Option(help="Images of a pass of one network.")] = 1000,
    threads: Annotated[int, typer.Option(help="Of torch, in this process and in each of the others.")] = 1,
    repeats: Annotated[int, typer.Option(help="Measurements; the median counts.")] = 3,
) -> None:
    """Measure, print a table, write JSON."""
    torch.set_num_threads(threads)
    data = _data(images, device)
    stacked, side = _numbers(stacks), _numbers(processes)
    found = [
        ("one at a time", 1, _speed(_alone(data, device, bf16), images, repeats, device)),
        *((f"stack of {k}", k, _speed(_stack(data, k, device, bf16), k * images, repeats, device)) for k in stacked),
        *((f"{k} processes", k, _side_by_side(k, images, device, bf16, threads, repeats)) for k in side),
    ]
    _show(found)
    machine = torch.cuda.get_device_name() if device.startswith("cuda") else f"{platform.processor()} x{os.cpu_count()}"
    settings = {"device": device, "machine": machine, "bf16": bf16, "images": images, "threads": threads}
    rows = [{"how": how, "networks": k, "images_per_second": speed} for how, k, speed in found]
    out.write_text(json.dumps({**settings, "torch": torch.__version__, "rows": rows}, indent=1) + "\n")


def _data(images: int, device: str) -> tuple[Tensor, Tensor]:
    g = torch.Generator().manual_seed(0)
    x, y = torch.rand(images, 3, 32, 32, generator=g) * 2 - 1, torch.randint(10, (images,), generator=g)
    return x.to(device), y.to(device)


def _alone(data: tuple[Tensor, Tensor], device: str, bf16: bool) -> Callable[[], object]:
    model = seeded(RectGradCNN, 0)
    return lambda: train(model, *data, device=device, bf16=bf16, **OPTIONS)


def _stack(data: tuple[Tensor, Tensor], k: int, device: str, bf16: bool) -> Callable[[], object]:
    models, (x, y) = [seeded(RectGradCNN, i) for i in range(k)], data
    return lambda: train_stacked(models, lambda rows: x[rows], y, seeds=range(k), device=device, bf16=bf16, **OPTIONS)


def _speed(call: Callable[[], object], images: int, repeats: int, device: str) -> float:
    """Images a second, after one call to warm up."""
    call()
    seconds = []
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        call()
        _wait(device)
        seconds.append(time.perf_counter() - start)
    return images / median(seconds)


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()


CHILD = """
import sys, time
sys.path.insert(0, {here!r})
import stacked_training as s, torch
torch.set_num_threads({threads})
call = s._alone(s._data({images}, {device!r}), {device!r}, {bf16})
call(); s._wait({device!r})
print("ready", flush=True)
for _ in sys.stdin:
    call(); s._wait({device!r})
    print("done", flush=True)
"""


def _side_by_side(k: int, images: int, device: str, bf16: bool, threads: int, repeats: int) -> float:
    """Images a second of k processes together: each starts a pass on a line, and the slowest ends the measurement."""
    code = CHILD.format(here=str(Path(__file__).parent), threads=threads, images=images, device=device, bf16=bf16)
    pipe = subprocess.PIPE
    children = [subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True) for _ in range(k)]
    try:
        for child in children:
            child.stdout.readline()
        seconds = [_round(children) for _ in range(repeats)]
    finally:
        for child in children:
            child.kill()
            child.communicate()
    return k * images / median(seconds)


def _round(children: list[subprocess.Popen[str]]) -> float:
    start = time.perf_counter()
    for child in children:
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.stdout.readline()
    return time.perf_counter() - start


def _show(found: list[tuple[str, int, float]]) -> None:
    table = Table("how", "images/s", "times one at a time")
    for how, _, speed in found:
        table.add_row(how, f"{speed:,.0f}", f"{speed / found[0][2]:.2f}")
    Console().print(table)


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",") if part.strip()]


if __name__ == "__main__":
    typer.run(main)
