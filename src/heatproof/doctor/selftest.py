"""The self test: does a tiny network give on this device what it must give?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..audit import audit
from ..combine import effort_of, with_effort
from ..engine.chunks import generator
from ..errors import HeatproofError
from ..full_gradient import full_gradient
from ..methods.gradient import gradient
from ..score import logit
from ..train import seeded
from ..types import METHODS, Explain
from .finding import Finding

SIDE, CLASSES, FEW = 16, 3, 4
EXACT, STEP = 1e-6, 1e-5


class Trial(NamedTuple):
    """One test: it returns what it found, and raises what is wrong."""

    name: str
    run: Callable[[torch.device], str]


class Wrong(Exception):
    """A number that is not what it must be."""


def self_test(device: str) -> Iterator[Finding]:
    """The tests on a device, each with what it found."""
    for trial in TRIALS:
        start = time.perf_counter()
        try:
            detail = f"{trial.run(torch.device(device))}, {time.perf_counter() - start:.1f} s"
        except Wrong as error:
            yield Finding("self test", f"{trial.name}, {device}", "problem", str(error), ADVICE)
        except Exception as error:  # whatever is broken here may raise anything
            yield Finding("self test", f"{trial.name}, {device}", "problem", f"{type(error).__name__}: {error}", ADVICE)
        else:
            yield Finding("self test", f"{trial.name}, {device}", "ok", detail)


ADVICE = "other versions of torch or of the driver may be right; --device cpu may be, too; please report it"


def network() -> nn.Module:
    """Two convolutions and a linear layer, always the same, in evaluation mode. ``(B, 3, 16, 16) -> (B, 3)``."""
    return seeded(
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3), nn.ReLU(), nn.Conv2d(6, 6, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(),
            nn.Linear(6 * 6 * 6, CLASSES),
        ),
        seed=0,
    ).eval()  # fmt: skip


def pictures(count: int = FEW) -> Tensor:
    """Noise, always the same, ``(count, 3, 16, 16)``."""
    return torch.randn(count, 3, SIDE, SIDE, generator=generator("doctor", 0))


def every_method(device: torch.device) -> str:
    """Every method gives finite maps of the right shape, or says why it does not."""
    model, x = network().to(device), pictures(2).to(device)
    target = torch.zeros(len(x), dtype=torch.int64, device=device)
    refused = []
    for name, explain in METHODS.items():
        try:
            maps = _quick(explain)(model, x, target)
        except HeatproofError as error:
            refused.append(f"{name} ({error})")
            continue
        if maps.shape[0] != len(x) or maps.shape[2:] != x.shape[2:] or not maps.isfinite().all():
            raise Wrong(f"{name} gives maps of {tuple(maps.shape)} that are not all finite, or of another size")
    if refused:
        raise Wrong(f"refused on a plain network: {'; '.join(refused)}")
    return f"all {len(METHODS)} run"


def _quick(explain: Explain) -> Explain:
    return with_effort(explain, 2) if effort_of(explain)[0] else explain


def complete(device: torch.device) -> str:
    """The parts of FullGrad add up to the score, in float64."""
    model, x, dtype = _double(device)
    found = full_gradient(model, x, torch.zeros(len(x), dtype=torch.int64, device=device))
    total = found.input_term.flatten(1).sum(1) + sum(term.value.flatten(1).sum(1) for term in found.terms)
    return _near(total, found.output, "the parts of FullGrad and the score", dtype)


def differences(device: torch.device) -> str:
    """The gradient tells how the score changes along a direction, in float64."""
    model, x, dtype = _double(device)
    along = torch.randn(x.shape, generator=generator("doctor", 1)).to(x)
    target = torch.zeros(len(x), dtype=torch.int64, device=device)
    with torch.no_grad():
        up, down = (logit(model(x + sign * STEP * along), target) for sign in (1, -1))
    slope = (gradient(model, x, target) * along).flatten(1).sum(1)
    return _near(slope, (up - down) / (2 * STEP), "the gradient and finite differences", dtype)


def _double(device: torch.device) -> tuple[nn.Module, Tensor, torch.dtype]:
    """Network and pictures in float64; float32 on Apple's GPU, which has no other."""
    dtype = torch.float32 if device.type == "mps" else torch.float64
    return network().to(device, dtype), pictures().to(device, dtype), dtype


def _near(a: Tensor, b: Tensor, what: str, dtype: torch.dtype) -> str:
    error = float(((a - b).abs() / b.abs().clamp_min(1e-3)).max())
    limit = EXACT if dtype == torch.float64 else 1e-1
    if not error <= limit:
        raise Wrong(f"{what} differ by {error:.1e} of their size; expected at most {limit:.0e} in {dtype}")
    return f"relative error {error:.0e} in {str(dtype).removeprefix('torch.')}"


def resumed(device: torch.device) -> str:
    """An audit that lost half of its jobs ends with the same table, byte for byte."""
    with TemporaryDirectory(prefix="heatproof-doctor-") as held:
        folder = Path(held)

        def table() -> bytes:
            audit(network(), pictures(), methods=("gradient", "random_map"), seeds=2, nulls=2, faithfulness=False,
                  keep_maps="none", out=folder, device=str(device))  # fmt: skip
            return (folder / "table.csv").read_bytes()

        first, jobs = table(), sorted((folder / "jobs").glob("*.json"))
        for job in jobs[::2]:
            job.unlink()
        if table() != first:
            raise Wrong("an audit that was resumed has another table than the one that ran at once")
        return f"{len(jobs[::2])} of {len(jobs)} jobs done again, the same bytes"


TRIALS = (
    Trial("every method", every_method),
    Trial("completeness of FullGrad", complete),
    Trial("gradient against finite differences", differences),
    Trial("resumed audit", resumed),
)
