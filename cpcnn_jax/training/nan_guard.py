"""Detection of losses that are not finite, with the batch that caused them.

Metrics stay on the device until a line of the log is due, so that steps do not wait.
"""

import math
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from cpcnn_jax.data.example_order import ExampleOrder


class NanGuard:
    """Metrics of the steps since the last check.

    Args:
      stage: the stage's name.
      order: the order of the stage's examples.
      names: names of the training images.
    """

    def __init__(self, stage: str, order: ExampleOrder, names: Sequence[str]) -> None:
        """Starts without metrics."""
        self._stage, self._order, self._names = stage, order, names
        self._recorded: list[tuple[int, int, Mapping, int]] = []

    def record(self, first: int, count: int, metrics: Mapping, group: int) -> None:
        """Keeps the metrics of a call.

        Args:
          first: number of finished steps before the call.
          count: number of steps of the call.
          metrics: dict of arrays of at least `count` steps, on any device.
          group: number of the group of images.
        """
        self._recorded.append((first, count, metrics, group))

    def check(self, stop: int) -> dict[int, dict[str, float]]:
        """Checks the recorded metrics of whole calls up to a step and forgets them.

        Args:
          stop: number of finished steps after a recorded call.

        Returns:
          Metrics of each step by its number.

        Raises:
          FloatingPointError: a metric is not finite. The text names the first such step
            and the windows of its batch.
        """
        recorded = [call for call in self._recorded if call[0] < stop]
        self._recorded = self._recorded[len(recorded) :]
        on_host = jax.device_get([metrics for _, _, metrics, _ in recorded])
        by_step = {}
        for (first, count, _, group), metrics in zip(recorded, on_host, strict=True):
            for n in range(count):
                values = {name: float(x[n]) for name, x in metrics.items()}
                self._refuse_infinite(first + n, group, values)
                by_step[first + n + 1] = values
        return by_step

    def check_score(self, step: int, score: float) -> None:
        """Raises FloatingPointError if a validation's score is not finite."""
        if not math.isfinite(score):
            raise FloatingPointError(
                f"stage {self._stage}, step {step}: the validation MAE is {score}"
            )

    def _refuse_infinite(self, before, group, values):
        bad = [f"{n} {v}" for n, v in values.items() if not math.isfinite(v)]
        if bad:
            batch = self._describe(group, self._order.examples(group, before))
            raise FloatingPointError(
                f"stage {self._stage}, step {before + 1}: {', '.join(bad)} is not "
                f"finite, after {batch}"
            )

    def _describe(self, group: int, examples: np.ndarray) -> str:
        numbers: dict[str, list[str]] = {}
        images = self._order.groups[group]
        for place, j in examples.tolist():
            numbers.setdefault(self._names[images[place]], []).append(str(j))
        return ", ".join(
            f"{name} (crop {' and '.join(of_image)})"
            for name, of_image in numbers.items()
        )
