"""What the server remembers: photos and maps, in memory alone, and no more than fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Kept(Generic[V]):
    """The values used last, as many as fit into a limit, and at least the newest; safe between threads.

    Args:
        limit: of the sum of sizes. size: of a value, bytes.

    Example:
        >>> words = Kept[str](8, len)
        >>> for word in ("four", "also", "more"):
        ...     words.put(word[0], word)
        >>> words.get("f"), words.get("a")
        (None, 'also')
    """

    def __init__(self, limit: int, size: Callable[[V], int]) -> None:
        self._limit, self._size = limit, size
        self._held: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> V | None:
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, value: V) -> None:
        with self._lock:
            self._held[key] = value
            self._held.move_to_end(key)
            while len(self._held) > 1 and sum(map(self._size, self._held.values())) > self._limit:
                self._held.popitem(last=False)
