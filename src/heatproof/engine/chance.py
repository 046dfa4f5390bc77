"""Models that say something else each time: no map of them can be trusted, and no result repeated.

A single map is refused where torch's generator was drawn from: that is seen at no cost. Noise from elsewhere (numpy,
Python's `random`) or a count of calls shows only when the same images run twice, which would make each map a third
dearer: a single ``hp.gradient(...)`` does not notice it. `audit`, `bench` and `explain` run their first images twice
and refuse such models, by `check_same`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ..errors import ModelError
from ..types import Score
from .twin import twin

SAME = 1e-3
"""Of the largest output: two runs differ by less through the order in which a GPU sums alone."""


@contextmanager
def repeatable(model: nn.Module, inputs: Tensor, score: Score) -> Iterator[None]:
    """Within, the model runs on the inputs; raises `ModelError` where it drew random numbers that change what it says.

    That the global generator has moved is but a hint: another thread may have moved it. Then the model runs twice more.
    """
    before = _state(inputs.device)
    yield
    if not torch.equal(before, _state(inputs.device)):
        _check_draws(model, inputs, score)


def check_same(said: Tensor, again: Tensor) -> None:
    """Raise `ModelError` where two runs on the same images give different outputs ``(B, ...)``."""
    apart, most = float((said - again).abs().max()), float(said.abs().max())
    if apart > SAME * most:
        raise ModelError(
            f"two runs on the same images give outputs {apart:.3g} apart (the largest is {most:.3g}): the model draws "
            "random numbers, counts its calls, or keeps something from one call to the next, and nothing about it can be "
            "repeated; turn that off first"
        )


def _state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


@torch.no_grad()
def _check_draws(model: nn.Module, inputs: Tensor, score: Score) -> None:
    draws, first = _Draws(), torch.zeros(len(inputs), dtype=torch.int64, device=inputs.device)
    said = []
    for _ in range(2):
        with draws:
            out = twin(model, own_buffers=True)(inputs.detach().clone())
        said.append(
            out if isinstance(out, Tensor) else score(out, first)
        )  # of several outputs, those that are explained
    if draws.names and not torch.equal(*map(torch.nan_to_num, said)):
        raise ModelError(
            f"{type(model).__name__} says something else each time it sees the same images: it draws random numbers as it "
            f"runs ({', '.join(draws.names)}), so that no map of it can be repeated; turn that off first, say with "
            "F.dropout(x, training=self.training)"
        )


class _Draws(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The names of operations that draw from a generator, each once."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: dict[str, None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if torch.Tag.nondeterministic_seeded in func.tags:
            self.names[func.overloadpacket.__name__] = None
        return func(*args, **(kwargs or {}))
