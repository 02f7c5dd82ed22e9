"""Split of the training images into a training set and a validation set.

The choice depends on the images' names alone: the same data set has the same validation
images with every seed, on every machine and in every order of the files.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cpcnn_jax.data import Dataset


class Subset:
    """A `Dataset` of the images `numbers` of another one, in their order."""

    def __init__(self, dataset: Dataset, numbers: Sequence[int]) -> None:
        """Reads no image."""
        self._dataset, self._numbers = dataset, numbers
        self.skipped: Sequence[str] = dataset.skipped
        self.names: Sequence[str] = [dataset.names[i] for i in numbers]
        self.points: Sequence[np.ndarray] = [dataset.points[i] for i in numbers]
        self.shapes: Sequence[tuple[int, int]] = [dataset.shapes[i] for i in numbers]

    def __len__(self) -> int:
        """Number of images."""
        return len(self._numbers)

    def __getitem__(self, i: int) -> Mapping[str, Any]:
        """Record of image i."""
        return self._dataset[self._numbers[i]]


def split(dataset: Dataset, percent: int) -> tuple[Subset, Subset]:
    """Splits training images into a training set and a validation set.

    The images whose names have the smallest SHA-256 hashes are held out.

    Args:
      dataset: all training images.
      percent: percentage of images that are held out, rounded up; 0 to under 100.

    Returns:
      (training set, validation set).

    Raises:
      ValueError: no image is left for training.
    """
    hashes = [hashlib.sha256(name.encode()).hexdigest() for name in dataset.names]
    number = -(-len(dataset) * percent // 100)
    if number >= len(dataset):
        raise ValueError(
            f"--config.validation.percent={percent} holds out {number} of "
            f"{len(dataset)} training images: none is left to train on"
        )
    held_out = np.sort(np.argsort(hashes, kind="stable")[:number])
    training = np.setdiff1d(np.arange(len(dataset)), held_out)
    return Subset(dataset, training.tolist()), Subset(dataset, held_out.tolist())
