"""The training images of a run: groups, canvas and the making of batches."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np

from cpcnn_jax.config import Experiment, Target
from cpcnn_jax.data import Dataset, crops, device_batches, gaussian_sigma, image_bank
from cpcnn_jax.data.device_batches import Batch
from cpcnn_jax.data.image_bank import BankSize, ImageBank

BYTES_PER_PIXEL = 3


class TrainingImages(NamedTuple):
    """Training images, ready to be loaded onto devices."""

    dataset: Dataset
    config: Experiment
    groups: list[list[int]]  # numbers of the images that are loaded together
    size: BankSize
    crop_sizes: np.ndarray  # int32 [N, 2], pixels
    canvas: tuple[int, int]  # (H, W) that holds every crop, pixels
    max_radius: int  # of the targets' Gaussians, pixels
    load: Callable[..., ImageBank]  # group, cancelled -> bank of NumPy arrays

    @property
    def one_size(self) -> bool:
        """Whether every crop fills the canvas."""
        return bool(np.all(self.crop_sizes == self.canvas))

    def heads(self) -> ImageBank:
        """Makes the bank of all heads, without pixels."""
        return image_bank.heads_bank(
            self.dataset, self.size, crop_sizes=self.crop_sizes
        )

    def crop_batch(self, bank: ImageBank, pairs: jax.Array) -> Batch:
        """Makes crops; see `device_batches.crop_batch`."""
        settings, seed = self.config.crops, self.config.seed
        return device_batches.crop_batch(
            bank, pairs, settings=settings, seed=seed, canvas=self.canvas
        )

    def density_batch(self, bank: ImageBank, pairs: jax.Array) -> jax.Array:
        """Draws target density maps; see `device_batches.density_batch`."""
        return device_batches.density_batch(
            bank,
            pairs,
            settings=self.config.crops,
            seed=self.config.seed,
            canvas=self.canvas,
            max_radius=self.max_radius,
        )

    def patch_batch(self, bank: ImageBank, pairs: jax.Array) -> Batch:
        """Makes patches; see `device_batches.patch_batch`."""
        settings, seed = self.config.crops, self.config.seed
        return device_batches.patch_batch(bank, pairs, settings=settings, seed=seed)


def prepare_images(dataset: Dataset, config: Experiment) -> TrainingImages:
    """Plans the groups of images that fit into `config.image_memory_gib`.

    Args:
      dataset: the training images.
      config: the experiment.

    Raises:
      ValueError: an image has a side under 64 pixels, or exceeds the memory alone.
    """
    crops.check_sizes(dataset)
    sizes = crops.crop_sizes(dataset, config.crops)
    order = np.random.default_rng(config.seed).permutation(len(dataset)).tolist()
    most = int(config.image_memory_gib * 2**30 / BYTES_PER_PIXEL)
    groups = image_bank.group_images(dataset, order, most)
    size = image_bank.bank_size(dataset, groups)

    def load(group, cancelled=lambda: False):
        return image_bank.load_bank(
            dataset,
            groups[group],
            size,
            crop_sizes=sizes,
            target=config.target,
            cancelled=cancelled,
        )

    return TrainingImages(
        dataset=dataset,
        config=config,
        groups=groups,
        size=size,
        crop_sizes=sizes,
        canvas=crops.canvas_size(sizes),
        max_radius=_max_radius(config.target, dataset),
        load=_remember_one(load) if len(groups) == 1 else load,
    )


def _remember_one(load):
    """The stages of a run share the only group of images."""
    kept = {}

    def remembered(group, cancelled=lambda: False):
        if group not in kept:
            kept[group] = load(group, cancelled)
        return kept[group]

    return remembered


def _max_radius(target: Target, dataset: Dataset) -> int:
    if target.sigma_mode == "fixed":
        return gaussian_sigma.RADIUS
    return int(np.max(dataset.shapes))
