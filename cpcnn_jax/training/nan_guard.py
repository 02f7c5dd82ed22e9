"""Detection of losses that are not finite, with the batch that caused them.

Metrics stay on the device until a line of the log is due, so that steps do not wait.
"""

import math
from collections.abc import Mapping, Sequence

import jax
import numpy as np


class NanGuard:
    """Metrics of the steps since the last check.

    Args:
      stage: the stage's name.
      names: names of the training images.
    """

    def __init__(self, stage: str, names: Sequence[str]) -> None:
        """Starts without metrics."""
        self._stage, self._names = stage, names
        self._recorded: list[tuple[int, Mapping, np.ndarray]] = []

    def record(self, step: int, metrics: Mapping, crops: np.ndarray) -> None:
        """Keeps the metrics of a step.

        Args:
          step: number of the step.
          metrics: dict of scalars, on any device.
          crops: int `[B, 2]`, numbers of image and crop of the batch.
        """
        self._recorded.append((step, metrics, crops))

    def check(self) -> dict[str, float]:
        """Checks all recorded metrics and forgets them.

        Returns:
          Metrics of the last step; empty where nothing was recorded.

        Raises:
          FloatingPointError: a metric is not finite. The text names the first such step
            and the crops of its batch.
        """
        values, recorded, self._recorded = {}, self._recorded, []
        on_host = jax.device_get([metrics for _, metrics, _ in recorded])
        for (step, _, crops), metrics in zip(recorded, on_host, strict=True):
            values = {name: float(value) for name, value in metrics.items()}
            bad = [f"{n} {v}" for n, v in values.items() if not math.isfinite(v)]
            if bad:
                raise FloatingPointError(
                    f"stage {self._stage}, step {step}: {', '.join(bad)} is not "
                    f"finite, after {self._describe(crops)}"
                )
        return values

    def _describe(self, crops):
        numbers: dict[str, list[str]] = {}
        for i, j in crops.tolist():
            numbers.setdefault(self._names[i], []).append(str(j))
        return ", ".join(
            f"{name} (crop {' and '.join(of_image)})"
            for name, of_image in numbers.items()
        )
