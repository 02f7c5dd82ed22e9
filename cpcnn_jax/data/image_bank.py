"""Training images and their heads as arrays for device memory.

Each image is decoded once. The pixels of all images lie in one array without padding,
so that images of any sizes fit. A training step cuts its crops out of this array.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from cpcnn_jax.config import Target
from cpcnn_jax.data import Dataset, gaussian_sigma

OUTSIDE = -1e6  # pixels, the place of the padding of the lists of heads
READERS = 16  # threads that decode images

Array = jax.Array | np.ndarray


class ImageBank(NamedTuple):
    """N training images with at most M heads each; a pytree of arrays."""

    pixels: Array  # uint8 [P, 3], RGB, the rows of all images
    first: Array  # int32 [N], index of each image's first pixel
    shapes: Array  # int32 [N, 2], (height, width), pixels
    crop_sizes: Array  # int32 [N, 2], (height, width) of each image's crops, pixels
    numbers: Array  # int32 [N], number of each image in the data set
    points: Array  # float32 [N, M, 2], (x, y) of heads, pixels; OUTSIDE is padding
    sigmas: Array  # float32 [N, M], pixels
    radii: Array  # float32 [N, M], pixels


class BankSize(NamedTuple):
    """Capacity of a bank; banks of one capacity share the compiled programs."""

    pixels: int
    images: int
    heads: int


def bank_size(dataset: Dataset, groups: Sequence[Sequence[int]]) -> BankSize:
    """Computes the capacity that suffices for each of several groups of images.

    Args:
      dataset: the training images.
      groups: numbers of the images of each group.
    """
    pixels = [height * width for height, width in dataset.shapes]
    return BankSize(
        pixels=max(sum(pixels[i] for i in group) for group in groups),
        images=max(len(group) for group in groups),
        heads=max(1, *(len(points) for points in dataset.points)),
    )


def load_bank(
    dataset: Dataset,
    group: Sequence[int],
    size: BankSize,
    *,
    crop_sizes: np.ndarray,
    target: Target,
    cancelled: Callable[[], bool] = lambda: False,
) -> ImageBank:
    """Decodes a group of images with threads.

    Args:
      dataset: the training images.
      group: numbers of the images.
      size: capacity of the bank; unused places are zero.
      crop_sizes: int `[N, 2]`, of all images of the data set, pixels.
      target: the density maps' settings.
      cancelled: function that returns True when the bank is no longer needed.

    Returns:
      A bank of NumPy arrays, its images in the order of the group.

    Raises:
      ValueError: an image cannot be decoded or has no perspective map.
      CancelledError: the bank is no longer needed.
    """
    bank = _empty_bank(size)
    _insert_sizes(bank, dataset, group, crop_sizes)
    with ThreadPoolExecutor(READERS) as threads:
        records = threads.map(dataset.__getitem__, group)
        try:
            for place, record in enumerate(records):
                if cancelled():
                    raise CancelledError
                _insert_image(bank, place, record, target)
        finally:
            threads.shutdown(cancel_futures=True)
    return bank


def heads_bank(
    dataset: Dataset, size: BankSize, *, crop_sizes: np.ndarray
) -> ImageBank:
    """Makes a bank of all heads without pixels; no image is decoded.

    Args:
      dataset: the training images.
      size: a capacity with the number of heads.
      crop_sizes: int `[N, 2]`, pixels.
    """
    everything = range(len(dataset))
    bank = _empty_bank(BankSize(0, len(dataset), size.heads))
    _insert_sizes(bank, dataset, everything, crop_sizes)
    for place in everything:
        points = dataset.points[place]
        bank.points[place, : len(points)] = points
    return bank


def _empty_bank(size):
    heads = (size.images, size.heads)
    return ImageBank(
        pixels=np.zeros((size.pixels, 3), np.uint8),
        first=np.zeros(size.images, np.int32),
        shapes=np.ones((size.images, 2), np.int32),
        crop_sizes=np.ones((size.images, 2), np.int32),
        numbers=np.zeros(size.images, np.int32),
        points=np.full((*heads, 2), OUTSIDE, np.float32),
        sigmas=np.ones(heads, np.float32),
        radii=np.zeros(heads, np.float32),
    )


def _insert_sizes(bank, dataset, group, crop_sizes):
    number = len(group)
    areas = [int(np.prod(dataset.shapes[i])) for i in group]
    bank.first[:number] = np.cumsum([0, *areas[:-1]])
    bank.shapes[:number] = [dataset.shapes[i] for i in group]
    bank.crop_sizes[:number] = crop_sizes[list(group)]
    bank.numbers[:number] = group


def _insert_image(bank: ImageBank, place: int, record: Any, target: Target) -> None:
    image, points = record["image"], np.asarray(record["points"], np.float32)
    first = bank.first[place]
    bank.pixels[first : first + image.shape[0] * image.shape[1]] = image.reshape(-1, 3)
    sigma = target.sigma_of(record)
    sigmas, radii = gaussian_sigma.gaussian_widths(points, image.shape[:2], sigma)
    number = len(points)
    bank.points[place, :number] = points
    bank.sigmas[place, :number] = sigmas
    bank.radii[place, :number] = radii


def group_images(
    dataset: Dataset, images: Iterable[int], max_pixels: int
) -> list[list[int]]:
    """Divides images into groups of at most so many pixels, in their order.

    Args:
      dataset: the training images.
      images: numbers of images.
      max_pixels: the limit of a group.

    Raises:
      ValueError: one image alone exceeds the limit.
    """
    groups: list[list[int]] = [[]]
    used = 0
    for i in images:
        height, width = dataset.shapes[i]
        if height * width > max_pixels:
            raise ValueError(
                f"{dataset.names[i]} has {width}x{height} pixels, more than "
                "--config.image_memory_gib holds: raise it"
            )
        if groups[-1] and used + height * width > max_pixels:
            groups.append([])
            used = 0
        groups[-1].append(i)
        used += height * width
    return groups
