"""Jobs: a pure plan. A job holds names and numbers only; its key says what its result depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Job:
    """One unit of work that is finished or not: a kind, and its settings as sorted pairs of JSON scalars or lists.

    Example:
        >>> job("chain", shard=[0, 1], seed=3).key({"weights": 1}) == job("chain", seed=3, shard=[0, 1]).key({"weights": 1})
        True
    """

    kind: str
    params: tuple[tuple[str, Any], ...]

    def __getitem__(self, name: str) -> Any:
        return dict(self.params)[name]

    def key(self, depends: dict[str, Any]) -> str:
        """Name of the job's files: a hash of the job and of all that its result depends on."""
        text = json.dumps([self.kind, dict(self.params), depends], sort_keys=True, default=str)
        return f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def job(kind: str, **params: Any) -> Job:
    return Job(kind, tuple(sorted((k, tuple(v) if isinstance(v, list) else v) for k, v in params.items())))


def shards(count: int, size: int) -> list[list[int]]:
    """Places of the images of each shard.

    Example:
        >>> shards(5, 2)
        [[0, 1], [2, 3], [4]]
    """
    return [list(range(start, min(start + size, count))) for start in range(0, count, size)]
