"""Several data sets as one."""

import bisect
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.data import Dataset


class JoinedDataset:
    """The images of several data sets, one data set after the other.

    Args:
      parts: name of each part to its data set; the names of images become PART/NAME.

    Example:
      >>> from cpcnn_jax import config, data
      >>> crowd = data.open_dataset(config.SyntheticCrowd(num_train=2), "train")
      >>> JoinedDataset({"x": crowd, "y": crowd}).names[2]
      'y/crowd_train_00000'
    """

    def __init__(self, parts: Mapping[str, Dataset]) -> None:
        """Joins what is known without decoding images."""
        self._parts = list(parts.values())
        sizes = [len(part) for part in self._parts]
        self._first = [0, *itertools.accumulate(sizes)][:-1]
        self.names: Sequence[str] = [
            f"{label}/{name}" for label, part in parts.items() for name in part.names
        ]
        self.shapes: Sequence[tuple[int, int]] = [
            shape for part in self._parts for shape in part.shapes
        ]
        self.points: Sequence[np.ndarray] = [
            points for part in self._parts for points in part.points
        ]
        self.skipped: Sequence[str] = [
            text for part in self._parts for text in part.skipped
        ]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.names)

    def __getitem__(self, i: int) -> Mapping[str, Any]:
        """Record of image i."""
        if not 0 <= i < len(self):
            raise IndexError(i)  # ends an iteration
        number = bisect.bisect_right(self._first, i) - 1
        record = self._parts[number][i - self._first[number]]
        return {**record, "name": self.names[i]}
