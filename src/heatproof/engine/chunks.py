"""Fixed chunks and per-sample randomness: what makes a result independent of the batch that a sample came in."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from ..errors import InputError


def chunk_slices(total: int, size: int) -> Iterator[slice]:
    """Consecutive slices of at most `size`.

    Example:
        >>> [(s.start, s.stop) for s in chunk_slices(5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def padded(batch: Tensor, size: int) -> Tensor:
    """The batch filled up to `size` by repeating its last row: BLAS rounds differently for other batch sizes."""
    if len(batch) >= size:
        return batch
    return torch.cat([batch, batch[-1:].expand(size - len(batch), *batch.shape[1:])])


def generator(*key: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator seeded from any values by a hash, so that (seed 1, sample 2) never meets (seed 2, sample 1)."""
    digest = blake2b(repr(key).encode(), digest_size=7).digest()
    return torch.Generator(device=device).manual_seed(int.from_bytes(digest, "big"))


def sample_generators(seed: Any, index: Any, batch: int, label: str) -> list[torch.Generator]:
    """One generator a sample, from (seed, place of the sample in the data set); on the CPU, the same on every device."""
    seed, places = whole_seed(seed), sample_places(index, batch).tolist()
    return [generator(label, seed, place) for place in places]


def whole_seed(seed: Any) -> int:
    """The seed as a Python int, since equal numbers of other types have another text, and so other noise."""
    try:
        if not isinstance(seed, bool):
            return operator.index(seed)
    except TypeError:
        pass
    raise InputError(f"seed={seed!r}; expected a whole number, such as 0")


def sample_places(index: Any, batch: int) -> Tensor:
    """The samples' places in the data set, int64 ``(B,)``; 0 to B - 1 where none are given."""
    if index is None:
        return torch.arange(batch)
    try:
        given = torch.as_tensor(index)
        places = given.to(torch.int64)
        if given.dtype != torch.bool and places.shape == (batch,) and bool((places == given).all()):
            return places
    except (TypeError, ValueError, RuntimeError):
        pass
    raise InputError(
        f"index={index!r}; expected int64 ({batch},), the place of each of the {batch} inputs in the data set"
    )


def normal_like(inputs: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Standard normal noise in the shape of the inputs, one generator a sample; drawn in float32 whatever the dtype."""
    draws = [torch.randn(inputs.shape[1:], generator=g) for g in generators]
    return torch.stack(draws).to(device=inputs.device, dtype=inputs.dtype)
