"""Which part of a data set is read, and which of its many images. Looks at counts only, never at pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from ..errors import InputError

Split = Literal["train", "test"]

Order = Literal["spread", "first"]
"""How `limit` images are taken: evenly over the whole set, or its first ones (as papers' tables do)."""


@dataclass(frozen=True)
class Choice:
    """At most `limit` images (None: all), in which order; a seed draws inside the stretches of an even spread."""

    limit: int | None = None
    seed: int | None = None
    order: Order = "spread"

    def __post_init__(self) -> None:
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit={self.limit}: expected the number of images to read, at least 1, or None for all")
        if self.order not in get_args(Order):
            raise InputError(
                f"order={self.order!r}: expected 'spread' (evenly over the set) or 'first' (its beginning)"
            )
        if self.order == "first" and self.seed is not None:
            raise InputError(
                f"order='first', seed={self.seed}: the first images are not drawn; leave one of the two out"
            )

    def runs(self, count: int) -> list[list[int]]:
        """Runs of places in ``range(count)``: take one image of each, the first that can be read.

        Evenly spread, the runs cut the whole range into equal lengths, so that a folder sorted by class is not cut to
        its first classes; with a seed the order inside a run is drawn. The first images are runs of one: none stands
        in for another.

        Example:
            >>> Choice(limit=2).runs(5), Choice(limit=2, order="first").runs(5)
            ([[0, 1], [2, 3, 4]], [[0], [1]])
        """
        runs = count if self.limit is None else min(self.limit, count)
        if self.order == "first":
            return [[i] for i in range(runs)]
        cut = [list(range(i * count // runs, (i + 1) * count // runs)) for i in range(runs)]
        if self.seed is None:
            return cut
        rng = np.random.default_rng(self.seed)
        return [[int(i) for i in rng.permutation(run)] for run in cut]

    def places(self, count: int) -> list[int]:
        """The places taken where every image can be read.

        Example:
            >>> Choice(limit=2).places(5)
            [0, 2]
        """
        return [run[0] for run in self.runs(count)]


def check_split(split: str | None) -> None:
    """Refuse other texts than the names of the two parts."""
    if split is not None and split not in get_args(Split):
        raise InputError(f"split={split!r}: expected 'train', 'test' or None")
