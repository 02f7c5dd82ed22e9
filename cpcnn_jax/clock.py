"""Where the time of a stage goes: how fast it is, and how long it waits for data."""

import contextlib
import time


class Clock:
    """Runs from its making on, but for the time in which it is stopped.

    Attributes:
      seen: images so far; the caller counts them.
    """

    def __init__(self):
        """Start."""
        self.seen = 0
        self._began = time.monotonic()
        self._waited = 0.0

    @contextlib.contextmanager
    def waiting(self):
        """The time within is spent on waiting for data."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    @contextlib.contextmanager
    def stopped(self):
        """The time within does not count."""
        before = time.monotonic()
        yield
        self._began += time.monotonic() - before

    def values(self):
        """{"images_per_second": float, "wait_share": 0 to 1 of the time}."""
        passed = time.monotonic() - self._began
        return {
            "images_per_second": self.seen / passed,
            "wait_share": self._waited / passed,
        }
