"""Fixed chunks and per-sample randomness: what makes a result independent of the batch that a sample came in."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b

import torch
from torch import Tensor


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


def sample_generators(seed: int, index: Tensor | None, batch: int, label: str) -> list[torch.Generator]:
    """One generator a sample, from (seed, place of the sample in the data set); on the CPU, the same on every device."""
    places = range(batch) if index is None else index.tolist()
    return [generator(label, seed, place) for place in places]


def normal_like(inputs: Tensor, generators: list[torch.Generator]) -> Tensor:
    """Standard normal noise in the shape of the inputs, one generator a sample; drawn in float32 whatever the dtype."""
    draws = [torch.randn(inputs.shape[1:], generator=g) for g in generators]
    return torch.stack(draws).to(device=inputs.device, dtype=inputs.dtype)
