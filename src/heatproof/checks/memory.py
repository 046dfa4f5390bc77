"""What one job of an audit finds and the next of the same process need not find again.

Every job stands by itself and would give the same digits without any of this: shards of images meet the same random
networks, and chains of networks the same original maps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from torch import Tensor

if TYPE_CHECKING:
    from .subject import Maps, Subject

MOST = 2**26
"""Numbers of running statistics that are kept (256 MB); what comes after them is found again each time."""


class Statistics(dict[int, dict[str, Tensor]]):
    """Re-estimated buffers of the stages of one randomisation, by position and name, up to `MOST` numbers in all."""

    def __init__(self, room: list[int]) -> None:
        super().__init__()
        self._room = room

    def __setitem__(self, position: int, buffers: dict[str, Tensor]) -> None:
        size = sum(t.numel() for t in buffers.values())
        if size <= self._room[0]:
            self._room[0] -= size
            super().__setitem__(position, buffers)


@dataclass
class Memory:
    """Of one subject.

    Attributes:
        originals: the original network's maps on the last shard. dead: why a variant leaves nothing to explain, or "".
        others: subjects made out of this one, with memories of their own. digests: of each image.
    """

    originals: dict[tuple[int, ...], Maps] = field(default_factory=dict)
    dead: dict[str, str] = field(default_factory=dict)
    others: dict[str, Subject] = field(default_factory=dict)
    digests: tuple[str, ...] = ()
    _chains: dict[tuple[str, int, str], Statistics] = field(default_factory=dict)
    _room: list[int] = field(default_factory=lambda: [MOST])

    def keep_original(self, shard: tuple[int, ...], maps: Maps) -> None:
        self.originals = {shard: maps}

    def other(self, name: str, make: Callable[[], Subject]) -> Subject:
        """A subject made out of this one, the same one each time."""
        if name not in self.others:
            self.others[name] = make()
        return self.others[name]

    def of_chain(self, order: str, seed: int, which: str) -> Statistics:
        """Running statistics of one randomisation's stages, to be read and added to."""
        return self._chains.setdefault((order, seed, which), Statistics(self._room))


_KEPT: WeakKeyDictionary[Subject, Memory] = WeakKeyDictionary()


def memory_of(subject: Subject) -> Memory:
    """What is known of a subject; gone with it, and not that of a changed copy (`dataclasses.replace`)."""
    return _KEPT.setdefault(subject, Memory())
