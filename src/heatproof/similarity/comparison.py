"""Similarities in two halves: what is read of one stack of maps, once, and what two such readings say of a pair."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from torch import Tensor

from .maps import Pixels, in_chunks

F = TypeVar("F")
Reader = Callable[[Pixels], Any]
"""From maps to tensors, or named tuples of tensors, of one row per map."""


@dataclass(frozen=True)
class Comparison(Generic[F]):
    """A similarity of two stacks of maps as ``similarity(features(a), features(b))``.

    Attributes:
        features: what is read of each stack by itself.
        similarity: of two readings, ``(B,)`` float64 in [-1, 1]; NaN where one of the two maps has none.
    """

    features: Callable[[Pixels], F]
    similarity: Callable[[F, F], Tensor]

    def of_maps(self, a: Tensor, b: Tensor) -> Tensor:
        """The similarity of two stacks that `check_pair` let pass, on their device."""
        value = in_chunks(lambda x, y: self.similarity(*self._features(x, y)), a, b)
        return (value.float() if a.device.type == "mps" else value).to(a.device)

    def of_features(self, a: F, b: F) -> Tensor:
        """The same of what was read before."""
        return in_chunks(self.similarity, a, b)

    def _features(self, x: Tensor, y: Tensor) -> tuple[F, F]:
        apart = x.shape[1] == y.shape[1]
        return self.features(Pixels(x, apart)), self.features(Pixels(y, apart))


def read(maps: Tensor, readers: Iterable[Reader], apart: bool = True) -> dict[Reader, Any]:
    """What several readers read of one stack of maps, in one pass over it.

    Args:
        maps: ``(B, C, H, W)``, raw and signed.
        readers: `Comparison.features` of the similarities to come; those that share one share what it reads.
        apart: as in `Pixels`.
    """
    wanted = list(dict.fromkeys(readers))

    def all_of(part: Tensor) -> tuple[Any, ...]:
        pixels = Pixels(part, apart)
        return tuple(features(pixels) for features in wanted)

    return dict(zip(wanted, in_chunks(all_of, maps.detach()), strict=True))
