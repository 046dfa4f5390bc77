"""The random state that a network is built and trained under."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import Tensor, nn

Model = TypeVar("Model", bound=nn.Module)


def seeded(build: Callable[[], Model], seed: int) -> Model:
    """The network that `build` makes under this seed; the global random state is put back.

    Example:
        >>> first, second = (seeded(lambda: nn.Linear(3, 2), seed=1) for _ in range(2))
        >>> bool((first.weight == second.weight).all())
        True
    """
    with random_state(seed, torch.device("cpu")):
        return build()


@contextmanager
def random_state(seed: int, device: torch.device) -> Iterator[None]:
    """The global random state of the CPU and of `device` under a seed; put back afterwards."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.default_generator.manual_seed(seed)
        for one in cuda:
            with torch.cuda.device(one):
                torch.cuda.manual_seed(seed)
        yield


def read_state(device: torch.device) -> dict[str, Tensor]:
    """The global random state of the CPU and of `device`: what dropout draws from next."""
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def write_state(states: dict[str, Tensor], device: torch.device) -> None:
    """Put back what `read_state` read, inside `random_state`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
