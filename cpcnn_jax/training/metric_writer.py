"""What a run writes down as it goes: JSON lines, and the same for TensorBoard."""

import contextlib
import json
import time
from pathlib import Path

from tensorboardX import SummaryWriter


class MetricWriter:
    """Append to `workdir/metrics.jsonl` and `workdir/tensorboard`.

    Args:
      workdir: the run's folder.
    """

    def __init__(self, workdir):
        """Open both."""
        self._lines = open(Path(workdir) / "metrics.jsonl", "a", buffering=1)
        self._board = SummaryWriter(str(Path(workdir) / "tensorboard"))

    def write_scalars(self, stage, step, values):
        """One line `{"stage", "step", "time", name: value ...}`."""
        line = {"stage": stage, "step": step, "time": round(time.time(), 3), **values}
        self._lines.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._board.add_scalar(f"{stage}/{name}", value, step)

    def write_image(self, stage, step, pixels):
        """A picture `[H, W, 3]` uint8, for TensorBoard."""
        self._board.add_image(f"{stage}/crop", pixels, step, dataformats="HWC")

    def close(self):
        """Flush and close."""
        self._lines.close()
        with contextlib.suppress(OSError):  # a full disk has been said by then
            self._board.close()


class NullWriter:
    """The log of a process that writes none: of several, the main one does."""

    def write_scalars(self, stage, step, values):
        """Nothing."""

    def write_image(self, stage, step, pixels):
        """Nothing."""

    def close(self):
        """Nothing."""
