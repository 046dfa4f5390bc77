"""What a pass costs, counted and not timed, so that a budget chooses the same plan on every run.

Counted work is turned into seconds by constants fitted on CPU networks from MobileNetV2 to VGG-11 and ViT-tiny (within 30 %
there); they only have to be right within a factor of two. What is printed as minutes is measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..engine.interpose import tensors_in
from ..engine.model import call_model

FLOPS_PER_SECOND = {"cpu": 100e9, "cuda": 20e12}
"""Of one CPU thread, of a whole GPU. A forward and backward is about three forwards."""
BYTES_PER_SECOND = {"cpu": 5e9, "cuda": 1e12}
OVERHEAD = {"cpu": 3e-5, "cuda": 1e-5}
"""Seconds a call, whatever its size."""
THREAD_GAIN = 0.7
"""n threads do the work of n ** 0.7."""


@dataclass
class Work:
    """Counted work of one forward: floating-point operations, bytes written, calls."""

    flops: float = 0.0
    bytes: float = 0.0
    calls: int = 0

    def seconds(self, device: str, threads: int = 1) -> float:
        """Forward and backward together."""
        kind = device if device in FLOPS_PER_SECOND else "cpu"
        gain = threads**THREAD_GAIN if kind == "cpu" else 1
        work = self.flops / FLOPS_PER_SECOND[kind] + self.bytes / BYTES_PER_SECOND[kind]
        return 3 * (work / gain + self.calls * OVERHEAD[kind])


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.work = Work()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        count = flop_registry.get(func._overloadpacket)
        if count is not None:
            self.work.flops += float(count(*args, **(kwargs or {}), out_val=out))
        self.work.bytes += sum(t.numel() * t.element_size() for t in tensors_in(out))
        self.work.calls += 1
        return out


@torch.no_grad()
def count(private: nn.Module, inputs: Tensor) -> Work:
    """Counted work of one forward on a batch."""
    counter = _Counter()
    with counter:
        call_model(private, inputs.detach().clone())
    return counter.work
