"""Queue of bounded length before a single worker, and the limits of the server.

One worker, because XLA already spreads a count over all cores.
"""

import asyncio
import contextlib
import dataclasses
import functools
import math
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any


@dataclasses.dataclass(frozen=True)
class Limits:
    """Limits of the server."""

    max_queue: int = 32  # requests that are counted or wait
    timeout: float = 600.0  # seconds from a request's first line to its answer
    max_body: int = 32 * 2**20  # bytes
    max_size: int | None = None  # pixels; images with a longer side are reduced
    max_video: int = 512 * 2**20  # bytes, of a request with a video
    video_timeout: float = 3600.0  # seconds, as `timeout`, for a video


class QueueFull(Exception):
    """Error of a request that finds all places taken."""


class ClientGone(Exception):
    """Error of a request whose client disconnected."""


class RequestQueue:
    """Queue of requests, with the one in work; `taken` is their number."""

    def __init__(self, places: int) -> None:
        """Makes the worker for at most `places` requests."""
        self.places, self.taken = places, 0
        self._seconds = 0.0  # moving average of the time of a request's work
        self._worker = ThreadPoolExecutor(1, "count")

    @contextlib.contextmanager
    def reserve(self) -> Iterator[None]:
        """Holds a place; raises QueueFull if all are taken."""
        if self.taken >= self.places:
            raise QueueFull
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @property
    def retry_after(self) -> int:
        """Seconds, at least 1, after which a place is likely to be free."""
        return max(1, math.ceil(self._seconds))

    async def run(self, work: Callable[..., Any], disconnect: Awaitable[None]) -> Any:
        """Runs a function in the worker's thread.

        After a cancellation or a disconnect, work that has not begun is dropped, and
        work that has begun stops before its next part.

        Args:
          work: called with `progress`, a function that wraps the list of its parts.
          disconnect: ends when the client disconnects.

        Returns:
          The result of the function.

        Raises:
          ClientGone: the client disconnected.
        """
        stop = threading.Event()
        progress = functools.partial(_iterate_until, stop)
        result = asyncio.wrap_future(self._worker.submit(self._time, work, progress))
        gone = asyncio.ensure_future(disconnect)
        try:
            await asyncio.wait({result, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise ClientGone
            return result.result()
        finally:
            stop.set()
            result.cancel()
            gone.cancel()

    def _time(self, work, progress):
        start = time.monotonic()
        result = work(progress=progress)
        self._seconds += 0.2 * (time.monotonic() - start - self._seconds)
        return result

    def run_last(self, work: Callable[[], None]) -> None:
        """Runs a function in the worker after the work that was requested before.

        A closed queue drops it.
        """
        with contextlib.suppress(RuntimeError):
            self._worker.submit(work)

    def close(self) -> None:
        """Drops all waiting requests."""
        self._worker.shutdown(wait=False, cancel_futures=True)


async def wait_for_disconnect(receive: Callable[[], Awaitable[Any]]) -> None:
    """Returns when the client of a request, whose body was read, disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _iterate_until(stop, parts):
    for part in parts:
        if stop.is_set():
            raise ClientGone
        yield part
