"""Examples of the paper's training sets [R, section 4]: crops and 64x64 patches.

Window j of image i, and its augmentation, are fixed by (seed, i, j) alone. The first
crops of an image are plain; the further ones are flipped or noisy. Patches are plain.
Departs from the paper: augmented crops may come from a scaled copy of the image
(`config.Crops.max_scale`) and change its colors (`config.Crops.color_jitter`).
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from cpcnn_jax.config import Crops, Target
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import Dataset, density_map

STRIDE = 4  # of the networks: crop sides are multiples of it
MOST_COUNTS = 10_000  # windows whose counts estimate the distribution of counts


class Window(NamedTuple):
    """A window of an image that is scaled to `shape`."""

    shape: tuple[int, int]  # (height, width) of the scaled image, pixels
    place: tuple[int, int, int, int]  # (top, left, height, width) in it, pixels
    rng: np.random.Generator  # random numbers of the augmentation


def crops_per_image(crops: Crops) -> int:
    """Number of crops in D_dme from each image."""
    return crops.num_plain + crops.num_augmented


def crop_size(shape: tuple[int, int], crops: Crops) -> tuple[int, int]:
    """Size of crops: a quarter of each side, rounded to `crops.size_multiple`.

    Args:
      shape: (height, width) of an image, pixels.
      crops: the crops' settings.

    Returns:
      (height, width), multiples of 4, from 64 pixels to the size of the image.

    Example:
      >>> crop_size((768, 1024), Crops()), crop_size((683, 182), Crops())
      ((192, 256), (192, 64))
    """
    step = math.lcm(crops.size_multiple, STRIDE)

    def length(side):
        divided = round(side / crops.side_divisor / step) * step
        return max(PATCH, min(divided, side // step * step))

    return length(shape[0]), length(shape[1])


def check_sizes(dataset: Dataset) -> None:
    """Refuses images that are too small for the networks.

    Raises:
      ValueError: an image has a side under 64 pixels.
    """
    for name, (height, width) in zip(dataset.names, dataset.shapes, strict=True):
        if min(height, width) < PATCH:
            raise ValueError(
                f"{name} has {width}x{height} pixels; the networks need at "
                f"least {PATCH}x{PATCH}"
            )


def read_crop(
    dataset: Dataset, crops: Crops, target: Target, seed: int, i: int, j: int
) -> dict[str, np.ndarray]:
    """Reads crop j of image i, j below `crops_per_image`.

    Returns:
      An element of `input_pipeline.crop_batches` without the batch dimension.
    """
    record = dataset[i]
    window = _crop_window(seed, i, j, dataset.shapes[i], crops)
    points = _scale_points(record["points"], dataset.shapes[i], window.shape)
    density = density_map.density_map(
        points, shape=window.shape, sigma=target.sigma_of(record), window=window.place
    )
    augmentation = _augmentation(crops.num_plain, j)
    if augmentation == "flip":
        density = density[:, ::-1]
    return {
        "image": _cut_augmented(record["image"], window, crops, augmentation),
        "density": density[..., None],
        "count": np.float32(_count_heads(points, window)),
        "crop": np.array((i, j), np.int32),
    }


def crop_images(
    dataset: Dataset, crops: Crops, seed: int, i: int, numbers: Sequence[int]
) -> np.ndarray:
    """Reads the images of crops `numbers` of image i, which is decoded once.

    Returns:
      `[len(numbers), h, w, 3]` float32 in [0, 1].
    """
    image, shape = dataset[i]["image"], dataset.shapes[i]
    windows = [(j, _crop_window(seed, i, j, shape, crops)) for j in numbers]
    return np.stack(
        [
            _cut_augmented(image, window, crops, _augmentation(crops.num_plain, j))
            for j, window in windows
        ]
    )


def read_patch(
    dataset: Dataset, crops: Crops, seed: int, i: int, j: int
) -> dict[str, np.ndarray]:
    """Reads patch j of image i, j below `crops.num_patches`.

    Returns:
      An element of `input_pipeline.patch_batches` without the batch dimension.
    """
    record = dataset[i]
    window = _patch_window(seed, i, j, dataset.shapes[i], crops)
    points = _scale_points(record["points"], dataset.shapes[i], window.shape)
    return {
        "image": _cut_image(record["image"], window),
        "count": np.float32(_count_heads(points, window)),
        "crop": np.array((i, j), np.int32),
    }


def crop_counts(dataset: Dataset, crops: Crops, seed: int) -> np.ndarray:
    """Counts the heads in crops of D_dme without decoding images.

    Returns:
      `[N]` float32 people; N is about 10,000 at most, over all images, which suffices
      for `density_classes.fit_thresholds`.
    """
    number = crops_per_image(crops)
    window_of = functools.partial(_crop_window, crops=crops)
    return _count_windows(dataset, seed, number, window_of)


def patch_counts(dataset: Dataset, crops: Crops, seed: int) -> np.ndarray:
    """Counts the heads in patches of D_lc, `[N]`; see `crop_counts`."""
    window_of = functools.partial(_patch_window, crops=crops)
    return _count_windows(dataset, seed, crops.num_patches, window_of)


def _count_windows(dataset, seed, number, window_of):
    counts = []
    for i, shape in enumerate(dataset.shapes):
        for j in range(min(number, math.ceil(MOST_COUNTS / len(dataset)))):
            window = window_of(seed, i, j, shape)
            points = _scale_points(dataset.points[i], shape, window.shape)
            counts.append(_count_heads(points, window))
    return np.array(counts, np.float32)


def _augmentation(num_plain, j):
    """None for plain windows; then "flip" and "noise" in turn."""
    if j < num_plain:
        return None
    return "noise" if (j - num_plain) % 2 else "flip"


def _crop_window(seed, i, j, shape, crops):
    size, augmentation = crop_size(shape, crops), _augmentation(crops.num_plain, j)
    return _sample_window((seed, i, j), shape, size, crops, augmentation)


def _patch_window(seed, i, j, shape, crops):
    return _sample_window((seed, i, j), shape, (PATCH, PATCH), crops, None)


def _sample_window(seed, shape, size, crops, augmentation):
    """A random window in an image, or in a copy; smaller images are enlarged."""
    rng = np.random.default_rng(seed)
    scales = crops.max_scale > 1 and augmentation
    scale = crops.max_scale ** rng.uniform(-1, 1) if scales else 1
    scale = max(scale, *np.divide(size, shape))
    sides = (round(side * scale) for side in shape)
    shape = tuple(max(*pair) for pair in zip(sides, size, strict=True))
    top, left = rng.integers(0, np.subtract(shape, size) + 1)
    return Window(shape, (int(top), int(left), *size), rng)


def _scale_points(points, shape, new_shape):
    if new_shape == tuple(shape):
        return points
    return points * np.float32(np.divide(new_shape, shape)[::-1])


def _count_heads(points, window):
    top, left, height, width = window.place
    points = points - np.array((left, top), np.float32)
    return int(density_map.points_inside(points, (height, width)).sum())


def _cut_image(image, window):
    """The window of a uint8 image, float32 in [0, 1]."""
    top, left, height, width = window.place
    if window.shape == image.shape[:2]:
        cut = image[top : top + height, left : left + width]
    else:
        down, across = np.divide(image.shape[:2], window.shape)
        box = left * across, top * down, (left + width) * across, (top + height) * down
        resample = Image.Resampling.BILINEAR
        cut = np.asarray(Image.fromarray(image).resize((width, height), resample, box))
    return cut.astype(np.float32) / 255


def _cut_augmented(image, window, crops, augmentation):
    image, rng, jitter = _cut_image(image, window), window.rng, crops.color_jitter
    if augmentation and jitter:
        gain = rng.uniform(1 - jitter, 1 + jitter, 3).astype(np.float32)
        shift = np.float32(rng.uniform(-jitter, jitter) / 2)
        image = np.clip(image * gain + shift, 0, 1)
    if augmentation == "flip":
        return image[:, ::-1]
    if augmentation == "noise":
        noise = rng.uniform(-crops.noise_amplitude, crops.noise_amplitude, image.shape)
        return np.clip(image + noise.astype(np.float32), 0, 1)
    return image
