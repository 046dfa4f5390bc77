"""Memory that a job's tensors take again and again stays with the process while the job runs.

glibc gives every large tensor back to the system when it is freed, and each pass then gets its memory anew, page by page:
an eighth of an audit's time on 2 cores, and more on many, since only one of them clears pages (docs/performance.md).
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -3, -4  # malloc.h
_KEEP = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1))
_GIVE_BACK = ((_MMAP_MAX, 65_536), (_MMAP_THRESHOLD, 2**25), (_TRIM_THRESHOLD, 2**26))
"""What glibc itself comes to in a process that frees large tensors (mallopt(3), "dynamic mmap threshold")."""


@contextmanager
def kept_heap() -> Iterator[None]:
    """Keep freed memory for the tensors to come, and give it back at the end. Does nothing where there is no glibc, or
    where the environment sets how it allocates."""
    libc = _glibc()
    if libc is None:
        yield
        return
    _set(libc, _KEEP)
    try:
        yield
    finally:
        _set(libc, _GIVE_BACK)
        libc.malloc_trim(0)


def _set(libc: Any, options: tuple[tuple[int, int], ...]) -> None:
    for option, value in options:
        libc.mallopt(option, value)


@lru_cache(maxsize=1)
def _glibc() -> Any:
    chosen = [name for name in os.environ if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"]
    return ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" and not chosen else None
