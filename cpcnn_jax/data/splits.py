"""Split of the training images into a training set and a validation set.

The choice depends on the images' names alone: the same data set has the same validation
images with every seed, on every machine and in every order of the files.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
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
    return _hold_out(dataset, np.argsort(hashes, kind="stable")[:number])


def split_by_names(
    dataset: Dataset, file: str | os.PathLike[str]
) -> tuple[Subset, Subset]:
    """Splits training images by a list of the validation images.

    Args:
      dataset: all training images.
      file: text in UTF-8, a name of `dataset.names` a line; empty lines are left out.

    Returns:
      (training set, validation set).

    Raises:
      ValueError: the file cannot be read, has a name twice or one that no image has, or
        no image is left for training or for validation.
    """
    flag = f"--config.validation.names_file={file}"
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ValueError(f"{flag} cannot be read: {error}") from None
    names = [line.strip() for line in lines if line.strip()]
    places = {name: place for place, name in enumerate(dataset.names)}
    if unknown := [name for name in names if name not in places]:
        raise ValueError(
            f"{flag} has {unknown[0]!r}, which is no training image; their names are "
            f"like {dataset.names[0]!r}"
        )
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{flag} has {twice!r} twice")
    if not 0 < len(names) < len(dataset):
        raise ValueError(
            f"{flag} holds out {len(names)} of {len(dataset)} training images: at "
            "least one must be left for training and one for validation"
        )
    return _hold_out(dataset, np.array([places[name] for name in names]))


def _hold_out(dataset, places):
    training = np.setdiff1d(np.arange(len(dataset)), places)
    held_out = np.sort(places)
    return Subset(dataset, training.tolist()), Subset(dataset, held_out.tolist())
