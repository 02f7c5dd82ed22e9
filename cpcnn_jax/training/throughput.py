"""Throughput of a stage and its share of waiting for data."""

import contextlib
import time
from collections.abc import Iterator


class Throughput:
    """A stopwatch that starts when it is made."""

    def __init__(self) -> None:
        """Starts the watch."""
        self._images, self._flops = 0, 0.0
        self._began = time.monotonic()
        self._waited = 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time of the block as waiting for data."""
        before = time.monotonic()
        yield
        self._waited += time.monotonic() - before

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Excludes the time of the block."""
        before = time.monotonic()
        yield
        self._began += time.monotonic() - before

    def count(self, images: int, flops: float) -> None:
        """Adds the work of one step.

        Args:
          images: examples of the batch, on all processes.
          flops: model FLOPs of the step.
        """
        self._images += images
        self._flops += flops

    def values(self) -> dict[str, float]:
        """Computes the rates so far.

        Returns:
          images_per_second, model_flops_per_second, and wait_share from 0 to 1.
        """
        passed = time.monotonic() - self._began
        return {
            "images_per_second": self._images / passed,
            "model_flops_per_second": self._flops / passed,
            "wait_share": self._waited / passed,
        }
