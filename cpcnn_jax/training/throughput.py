"""Where the time of a stage goes: how fast it is, and how long it waits for data."""

import contextlib
import time


class Throughput:
    """Runs from its making on, but for the time in which it is stopped."""

    def __init__(self):
        """Start."""
        self._images = self._flops = 0
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

    def count(self, images, flops):
        """What a step has done.

        Args:
          images: in its batch.
          flops: model FLOPs, from `flops`.
        """
        self._images += images
        self._flops += flops

    def values(self):
        """What the log says of the time so far.

        Returns:
          {"images_per_second": float, "model_flops_per_second": float, "wait_share": 0
          to 1 of the time}.
        """
        passed = time.monotonic() - self._began
        return {
            "images_per_second": self._images / passed,
            "model_flops_per_second": self._flops / passed,
            "wait_share": self._waited / passed,
        }
