"""A waiting line of bounded length before one worker.

One, because a count already keeps every core busy: two at once would each take twice as
long and twice the memory. While it counts, the event loop reads and answers others.
"""

import asyncio
import contextlib
import functools
import math
import threading
import time
from concurrent.futures import ThreadPoolExecutor


class QueueFull(Exception):
    """All places are taken."""


class ClientGone(Exception):
    """The one who waited has left."""


class RequestQueue:
    """Places for those who wait and the one who is served.

    Args:
      places: how many there are.
    """

    def __init__(self, places):
        """The worker starts with the first turn."""
        self.places, self.taken = places, 0
        self._seconds = 0.0  # that a turn takes, a mean that forgets
        self._worker = ThreadPoolExecutor(1, "count")

    @contextlib.contextmanager
    def place(self):
        """Hold a place.

        Raises:
          Full: there is none left.
        """
        if self.taken >= self.places:
            raise QueueFull
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    @property
    def pause(self):
        """Whole seconds, at least 1, after which a place is likely to be free."""
        return max(1, math.ceil(self._seconds))

    async def turn(self, work, leaving):
        """Have work done in the worker's thread when its turn comes.

        If this is cancelled, or the one who waits leaves, work that has not begun never
        will, and work that has begun stops before its next part.

        Args:
          work: called with `progress`, a function through which to pass the list of its
            parts before doing them one by one.
          leaving: a coroutine that ends when the one who waits has left.

        Returns:
          What work returns.

        Raises:
          Left: the one who waited has left.
        """
        unwanted = threading.Event()
        progress = functools.partial(_wanted, unwanted)
        done = asyncio.wrap_future(self._worker.submit(self._timed, work, progress))
        left = asyncio.ensure_future(leaving)
        try:
            await asyncio.wait({done, left}, return_when=asyncio.FIRST_COMPLETED)
            if not done.done():
                raise ClientGone
            return done.result()
        finally:
            unwanted.set()
            done.cancel()
            left.cancel()

    def _timed(self, work, progress):
        began = time.monotonic()
        found = work(progress=progress)
        self._seconds += 0.2 * (time.monotonic() - began - self._seconds)
        return found

    def close(self):
        """Let nobody wait any longer."""
        self._worker.shutdown(wait=False, cancel_futures=True)


def _wanted(unwanted, parts):
    """The parts of a work, as long as somebody waits for it."""
    for part in parts:
        if unwanted.is_set():
            raise ClientGone
        yield part
