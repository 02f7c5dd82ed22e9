"""Data sets of images with point annotations, and the input pipeline over them."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from cpcnn_jax import config
from cpcnn_jax.distributed import multihost

_MODULES = {
    config.SyntheticCrowd: "synthetic",
    config.Folder: "folder",
    config.ShanghaiTech: "shanghaitech",
    config.UcfCc50: "ucf_cc_50",
    config.WorldExpo: "world_expo",
    config.UcfQnrf: "ucf_qnrf",
    config.JhuCrowd: "jhu_crowd",
    config.NwpuCrowd: "nwpu_crowd",
    config.Mall: "mall",
}


class Dataset(Protocol):
    """A sequence of images with point annotations.

    Arrays are shared: copy an array before writing to it. Some data sets document
    further keys of their records.

    Attributes:
      names: name of each image.
      shapes: (height, width) of each image, pixels, read without decoding the image.
      points: `[N, 2]` float32 head points (x, y) of each image, pixels, all inside it.
      skipped: one sentence for each invalid image that was left out.
    """

    names: Sequence[str]
    shapes: Sequence[tuple[int, int]]
    points: Sequence[np.ndarray]
    skipped: Sequence[str]

    def __len__(self) -> int:
        """Number of images."""

    def __getitem__(self, i: int) -> Mapping[str, Any]:
        """{"name": str, "image": uint8 `[H, W, 3]`, "points": float32 `[N, 2]`}."""


def open_dataset(data: config.DataSet, split: str) -> Dataset:
    """Opens a split of the data set that a configuration names.

    The first use of a folder prepares a copy. Of several processes the main one
    prepares it, and the others wait.

    Args:
      data: one of the data sets of `config`.
      split: "train" or "test"; `config.JhuCrowd` and `config.NwpuCrowd` also have
        "val".

    Raises:
      ValueError: the data set's folder or one of its files is missing or damaged.

    Example:
      >>> dataset = open_dataset(config.SyntheticCrowd(num_test=8), "test")
      >>> len(dataset), dataset[0]["image"].shape
      (8, (256, 320, 3))
    """
    for kind, name in _MODULES.items():
        if isinstance(data, kind):
            module = importlib.import_module(f"cpcnn_jax.data.datasets.{name}")
            with multihost.main_first(f"{split} images"):
                return module.open_dataset(data, split)
    names = ", ".join(kind.__name__ for kind in _MODULES)
    raise ValueError(f"config.data must be one of {names}; got {data!r}.")
