"""Throughput of a stage between two lines of its log, and the share of waiting."""

import contextlib
import time
from collections.abc import Iterator


class Throughput:
    """A stopwatch of training steps; compilation and validation are left out."""

    def __init__(self) -> None:
        """Starts the watch."""
        self._restart()

    def _restart(self):
        self._images, self._flops, self._waited = 0, 0.0, 0.0
        self._began = time.monotonic()

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time of the block as waiting for images."""
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
        """Adds the work of a call.

        Args:
          images: examples of all steps, on all processes.
          flops: model FLOPs of all steps.
        """
        self._images += images
        self._flops += flops

    def values(self) -> dict[str, float]:
        """Computes the rates since the last call of this method.

        Returns:
          images_per_second, model_flops_per_second, and wait_share from 0 to 1.
        """
        passed = max(time.monotonic() - self._began, 1e-9)
        values = {
            "images_per_second": self._images / passed,
            "model_flops_per_second": self._flops / passed,
            "wait_share": min(self._waited / passed, 1.0),
        }
        self._restart()
        return values
