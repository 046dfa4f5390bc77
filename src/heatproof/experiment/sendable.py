"""Whether something can be sent to a process that is started anew."""

from __future__ import annotations

import pickle
import signal
import sys
from typing import Any


def not_sendable(value: Any) -> str:
    """Why it cannot; "" where it can."""
    if not hasattr(signal, "pthread_sigmask"):
        return "this system has no processes that leave Ctrl-C to the first one"
    try:
        _Trial(_Nowhere()).dump(value)
    except Exception as error:  # a class's own pickling can fail in any way
        return f"{error}; define model, methods and factory at the top of a module"
    return ""


class _Nowhere:
    """A file that keeps nothing: weights may be large."""

    def write(self, data: Any) -> int:
        return len(data)


class _Trial(pickle.Pickler):
    """Pickles as a process would be sent it, and refuses what was defined where the other process cannot look."""

    def reducer_override(self, value: Any) -> Any:
        if getattr(value, "__module__", None) == "__main__" and not hasattr(sys.modules["__main__"], "__file__"):
            name = getattr(value, "__qualname__", type(value).__name__)
            raise pickle.PicklingError(f"{name} is defined in a notebook or typed in")
        return NotImplemented
