"""The log of a run: JSON lines, and the same values for TensorBoard."""

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from tensorboardX import SummaryWriter


class MetricWriter:
    """Appends to metrics.jsonl and tensorboard/ of a workdir.

    Args:
      workdir: the run's folder.
    """

    def __init__(self, workdir: str | os.PathLike[str]) -> None:
        """Opens both."""
        self._lines = open(Path(workdir) / "metrics.jsonl", "a", buffering=1)
        self._board = SummaryWriter(str(Path(workdir) / "tensorboard"))

    def write_scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Writes one line: stage, step, time (seconds since 1970) and the values."""
        line = {"stage": stage, "step": step, "time": round(time.time(), 3), **values}
        self._lines.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._board.add_scalar(f"{stage}/{name}", value, step)

    def write_image(self, stage: str, step: int, pixels: np.ndarray) -> None:
        """Writes an image, `[H, W, 3]` uint8, for TensorBoard."""
        self._board.add_image(f"{stage}/crop", pixels, step, dataformats="HWC")

    def close(self) -> None:
        """Flushes and closes both."""
        self._lines.close()
        with contextlib.suppress(OSError):  # a full disk was reported before
            self._board.close()


class NullWriter:
    """A writer that writes nothing, for all processes but the main one."""

    def write_scalars(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Does nothing."""

    def write_image(self, stage: str, step: int, pixels: np.ndarray) -> None:
        """Does nothing."""

    def close(self) -> None:
        """Does nothing."""
