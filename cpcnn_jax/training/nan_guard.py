"""A loss that is no number: noticed at the next line of the log, named by its batch.

Asking the device after every step would keep it waiting. What the steps answered stays
there until a line is due, and then all of it is looked at.
"""

import math

import jax


class NanGuard:
    """The metrics of the steps since the last look.

    Args:
      stage: its name.
      names: of the photographs that it learns from.
    """

    def __init__(self, stage, names):
        """Nothing was seen."""
        self._stage, self._names, self._seen = stage, names, []

    def record(self, step, metrics, crops):
        """Keep what a step answered, wherever it lies.

        Args:
          step: its number.
          metrics: dict of scalars, on any device.
          crops: int `[B, 2]`, the numbers of photograph and crop of its batch.
        """
        self._seen.append((step, metrics, crops))

    def check(self):
        """The metrics of the last step, now that all since the last look are numbers.

        Returns:
          Dict of floats; empty where nothing was noted.

        Raises:
          FloatingPointError: naming the first step that answered otherwise, and the
            crops that it had learned from.
        """
        values, seen, self._seen = {}, self._seen, []
        answers = jax.device_get([metrics for _, metrics, _ in seen])
        for (step, _, crops), metrics in zip(seen, answers, strict=True):
            values = {name: float(value) for name, value in metrics.items()}
            wrong = [n for n, value in values.items() if not math.isfinite(value)]
            if wrong:
                found = ", ".join(f"{name} {values[name]}" for name in wrong)
                raise FloatingPointError(
                    f"stage {self._stage}, step {step}: {found} is not finite, after "
                    f"{self._of(crops)}"
                )
        return values

    def _of(self, crops):
        numbers = {}
        for i, j in crops.tolist():
            numbers.setdefault(self._names[i], []).append(str(j))
        return ", ".join(
            f"{name} (crop {' and '.join(of_name)})"
            for name, of_name in numbers.items()
        )
