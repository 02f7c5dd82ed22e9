"""Progress of a run: a bar on a terminal, a line now and then in a file."""

import sys
import time
from collections.abc import Mapping
from typing import TextIO

from tqdm import tqdm

COLUMNS = 80
PAUSE = 30.0  # seconds between the lines in a file
SHOWN = {"loss": "loss", "validation_mae": "MAE"}


class Progress:
    """Progress of all stages.

    Args:
      work: model FLOPs of each stage, in their order.
      stream: text stream; None shows nothing.
    """

    def __init__(self, work: Mapping[str, float], stream: TextIO | None) -> None:
        """Starts before the first stage."""
        self._work, self._stream = dict(work), stream
        self._terminal = stream is not None and stream.isatty()
        self._bar: tqdm | None = None
        self._values: dict[str, float] = {}
        self._printed = 0.0

    def start_stage(self, stage: str, step: int, steps: int) -> None:
        """Begins a stage at a step."""
        self._stage, self._step, self._steps = stage, step, steps
        self._values, self._printed, self._printed_step = {}, time.monotonic(), -1
        if self._stream is not None and 0 < step < steps:
            text = f"{self._title()}, goes on after step {step} of {steps}"
            print(text, file=self._stream, flush=True)
        if self._terminal:
            self._bar = tqdm(
                total=steps,
                initial=step,
                file=self._stream,
                ncols=COLUMNS,
                bar_format="{desc} |{bar}| {n_fmt}/{total_fmt}{postfix}",
                desc=self._title(),
            )

    def end_stage(self) -> None:
        """Ends the stage, complete or not."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        elif self._stream is not None and self._step != self._printed_step:
            self._print()

    def update(self, step: int, values: Mapping[str, float]) -> None:
        """Shows a step and the values of the last line of the log."""
        self._values.update(values)
        advanced, self._step = step - self._step, step
        if self._bar is not None:
            self._bar.set_description_str(self._title(), refresh=False)
            self._bar.set_postfix_str(self._left(), refresh=False)
            self._bar.update(advanced)
        elif self._stream is not None and time.monotonic() - self._printed > PAUSE:
            self._print()

    def _print(self):
        self._printed, self._printed_step = time.monotonic(), self._step
        parts = [self._title(), f"step {self._step} of {self._steps}", self._left()]
        print(", ".join(part for part in parts if part), file=self._stream, flush=True)

    def _title(self):
        names = list(self._work)
        number = names.index(self._stage) + 1
        numbers = [
            f"{label} {self._values[name]:.4g}"
            for name, label in SHOWN.items()
            if name in self._values
        ]
        return ", ".join([f"stage {number} of {len(names)} {self._stage}", *numbers])

    def _left(self):
        """Time left of the whole run, from the work and the last rate."""
        rate = self._values.get("model_flops_per_second")
        if not rate:
            return ""
        names = list(self._work)
        later = names[names.index(self._stage) + 1 :]
        share = 1 - self._step / self._steps
        left = share * self._work[self._stage] + sum(self._work[name] for name in later)
        return f"{_duration(left / rate)} left"


def _duration(seconds: float) -> str:
    """A time for people.

    Example:
      >>> _duration(59), _duration(3601), _duration(90_000)
      ('59 s', '60 min', '25 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h"


def standard_stream(shown: bool) -> TextIO | None:
    """Standard error, or None where nothing is shown."""
    return sys.stderr if shown else None
