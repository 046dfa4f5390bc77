"""Where runs would run: cores, memory, devices, the folder for results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import RunError
from ..experiment.files import check_makeable
from .finding import Finding

GB = 1e9
LITTLE_MEMORY, LITTLE_DISK = 2 * GB, 1 * GB


def machine(out: Path) -> Iterator[Finding]:
    """Cores and threads, memory, GPUs, and the folder that results would go into."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    advice = f"--threads 1 --workers {cores} is the fastest on a CPU" if cores > 1 else ""
    yield Finding("machine", "cores", "ok", f"{cores}; torch takes {torch.get_num_threads()} threads", advice)
    if (free := _free_memory()) is not None:
        short = free < LITTLE_MEMORY
        yield Finding("machine", "memory", "note" if short else "ok", f"{free / GB:.1f} GB free",
                      "a smaller --chunk takes less" if short else "")  # fmt: skip
    yield from _gpus()
    yield _folder(out)


def devices() -> list[str]:
    """The devices that the self test runs on: the CPU, each CUDA device, Apple's GPU."""
    import torch

    cuda = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    return ["cpu", *cuda, *(["mps"] if torch.backends.mps.is_available() else [])]


def _gpus() -> Iterator[Finding]:
    import torch

    for device in devices()[1:]:
        if device == "mps":
            yield Finding("machine", device, "ok", "Apple's GPU", "--device mps takes it; auto does not")
            continue
        free, total = torch.cuda.mem_get_info(device)
        name = torch.cuda.get_device_name(device)
        yield Finding("machine", device, "ok", f"{name}, {free / GB:.1f} of {total / GB:.1f} GB free")
    if devices() == ["cpu"]:
        built = f"torch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "torch is built for CPUs"
        missed = shutil.which("nvidia-smi") is not None
        yield Finding("machine", "GPU", "note" if missed else "ok", f"none: {built}",
                      "a driver of NVIDIA is here: see https://pytorch.org/get-started for the torch that goes with it"
                      if missed else "")  # fmt: skip


def _folder(out: Path) -> Finding:
    """Whether runs can be written, and the space for them."""
    try:
        check_makeable(out)
    except RunError as error:
        return Finding("machine", "results", "problem", str(error), "choose another folder with --out")
    there = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        return Finding("machine", "results", "problem", f"{there} cannot be written to", "choose another with --out")
    free = shutil.disk_usage(there).free
    short = free < LITTLE_DISK
    return Finding("machine", "results", "note" if short else "ok", f"{out} can be written, {free / GB:.1f} GB free",
                   "--keep-maps none takes the least" if short else "")  # fmt: skip


def _free_memory() -> float | None:
    """Bytes that programs can still have; None where the system does not say so."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return None
