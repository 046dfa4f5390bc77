"""One job at a time: whoever asks meanwhile waits, and a job that nobody waits for any more ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from ..engine.watch import watched
from ..errors import HeatproofError

R = TypeVar("R")
Event = dict[str, Any]
"""What is told of a job as it goes on; ``event`` says what."""
MOST = 16
"""Jobs that may wait."""
LOOK = 0.5
"""Seconds after which it is asked whether anyone still waits."""


class Busy(HeatproofError):
    """Too many jobs wait already."""


class Ended(BaseException):
    """A job was told to end; no Exception, so that no method catches it."""


class Jobs:
    """The one thread that models run in, so that memory and cores serve one pass at a time."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, "heatproof")
        self._ends: set[threading.Event] = set()

    def close(self) -> None:
        """End what runs at its next pass, and what waits."""
        for end in list(self._ends):
            end.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def result(self, work: Callable[[], R]) -> R:
        """What a short job returns."""
        with_end = self._entered()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, _watching(work, with_end))
        finally:
            self._ends.discard(with_end)

    async def events(self, work: Iterator[Event], gone: Callable[[], Awaitable[bool]]) -> AsyncIterator[Event]:
        """What a long job tells as it goes on; first "waiting" where others are before it.

        Args:
            gone: whether nobody listens any more; the job then ends at its next pass.
        """
        loop, told = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

        def tell(event: Event | None) -> None:
            loop.call_soon_threadsafe(told.put_nowait, event)

        if self._ends:
            tell({"event": "waiting"})
        end = self._entered()
        done = loop.run_in_executor(self._pool, _watching(lambda: _tell_all(work, tell, end), end))
        done.add_done_callback(lambda _: self._ends.discard(end))
        try:
            while not done.done() or not told.empty():
                try:
                    event = await asyncio.wait_for(told.get(), LOOK)
                except TimeoutError:
                    if await gone():
                        return
                    continue
                if event is None:
                    return
                yield event
        finally:
            end.set()

    def _entered(self) -> threading.Event:
        if len(self._ends) >= MOST:
            raise Busy(f"{MOST} jobs wait already; stop some of them, or try again later")
        end = threading.Event()
        self._ends.add(end)
        return end


def _watching(work: Callable[[], R], end: threading.Event) -> Callable[[], R]:
    """The work, which its next pass ends once `end` is set."""

    def check(samples: int) -> None:
        del samples
        if end.is_set():
            raise Ended

    def run() -> R:
        with watched(check):
            return work()

    return run


def _tell_all(work: Iterator[Event], tell: Callable[[Event | None], None], end: threading.Event) -> None:
    try:
        for event in work:
            if end.is_set():
                break
            tell(event)
        else:
            tell({"event": "done"})
    except Ended:
        pass
    except Exception as error:
        tell({"event": "failed", "why": str(error) if isinstance(error, HeatproofError) else repr(error)})
    finally:
        tell(None)
