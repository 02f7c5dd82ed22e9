"""Batches of the training sets D_dme (crops) and D_lc (patches), made on a device.

An example is a pair (place, j): an image's place in the `ImageBank`, and the number of
its window.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from cpcnn_jax.config import Crops
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import crop_window, crops, device_crops
from cpcnn_jax.data.crop_window import Window
from cpcnn_jax.data.image_bank import ImageBank

MOST_COUNTS = 10_000  # windows whose counts estimate the distribution of counts
CROP, PATCH_WINDOW = range(2)  # purposes of `crop_window.window_key`

Batch = dict[str, jax.Array]
DrawWindow = Callable[[ImageBank, jax.Array, jax.Array], Window]


def draw_crop(
    bank: ImageBank, place: jax.Array, j: jax.Array, *, settings: Crops, seed: int
) -> Window:
    """Draws window j of D_dme of the image at a place of the bank."""
    number = bank.numbers[place] * crops.crops_per_image(settings) + j
    key = crop_window.window_key(seed, CROP, number)
    kind = crop_window.window_kind(j, settings.num_plain)
    shape, size = bank.shapes[place], bank.crop_sizes[place]
    return crop_window.draw_window(key, shape, size, kind, settings)


def draw_patch(
    bank: ImageBank, place: jax.Array, j: jax.Array, *, settings: Crops, seed: int
) -> Window:
    """Draws window j of D_lc of the image at a place of the bank."""
    number = bank.numbers[place] * settings.num_patches + j
    key = crop_window.window_key(seed, PATCH_WINDOW, number)
    plain, size = jnp.int32(crop_window.PLAIN), jnp.full(2, PATCH, jnp.int32)
    shape, settings = bank.shapes[place], _unchanged(settings)
    return crop_window.draw_window(key, shape, size, plain, settings)


def _unchanged(settings):
    """Settings of windows that are not augmented."""
    return dataclasses.replace(
        settings,
        num_augmented=0,
        max_scale=1.0,
        color_jitter=0.0,
        gamma_jitter=0.0,
        max_blur=0.0,
        fixed_side=0,
    )


def crop_batch(
    bank: ImageBank,
    pairs: jax.Array,
    *,
    settings: Crops,
    seed: int,
    canvas: tuple[int, int],
) -> Batch:
    """Makes crops on a canvas of one size.

    Args:
      bank: the images.
      pairs: int32 `[B, 2]`, place and window of each example.
      settings: the crops' settings.
      seed: the run's seed.
      canvas: (H, W), pixels.

    Returns:
      {"image": `[B, H, W, 3]` float32 in [0, 1], zero outside of the crop, "size":
      int32 `[B, 2]` of each crop, "count": `[B]` float32 people}.
    """

    def example(pair):
        window = draw_crop(bank, *pair, settings=settings, seed=seed)
        image = device_crops.crop_image(bank, pair[0], window, canvas, settings)
        count = device_crops.count_heads(bank, pair[0], window)
        return {"image": image, "size": window.size, "count": count}

    return jax.vmap(example)(pairs)


def density_batch(
    bank: ImageBank,
    pairs: jax.Array,
    *,
    settings: Crops,
    seed: int,
    canvas: tuple[int, int],
    max_radius: int,
) -> jax.Array:
    """Draws the target density maps of `crop_batch`.

    Args:
      bank: the images.
      pairs: int32 `[B, 2]`, place and window of each example.
      settings: the crops' settings.
      seed: the run's seed.
      canvas: (H, W), pixels.
      max_radius: the largest radius of a Gaussian, pixels.

    Returns:
      `[B, H, W, 1]` float32 people per pixel, zero outside of the crop.
    """

    def example(pair):
        window = draw_crop(bank, *pair, settings=settings, seed=seed)
        return device_crops.crop_density(bank, pair[0], window, canvas, max_radius)

    return jax.vmap(example)(pairs)


def patch_batch(
    bank: ImageBank, pairs: jax.Array, *, settings: Crops, seed: int
) -> Batch:
    """Makes patches of 64x64 pixels.

    Args:
      bank: the images.
      pairs: int32 `[B, 2]`, place and window of each example.
      settings: the patches' settings.
      seed: the run's seed.

    Returns:
      {"image": `[B, 64, 64, 3]` float32 in [0, 1], "count": `[B]` float32 people}.
    """

    def example(pair):
        window = draw_patch(bank, *pair, settings=settings, seed=seed)
        canvas = (PATCH, PATCH)
        plain = _unchanged(settings)
        image = device_crops.crop_image(bank, pair[0], window, canvas, plain)
        count = device_crops.count_heads(bank, pair[0], window)
        return {"image": image, "count": count}

    return jax.vmap(example)(pairs)


def crop_counts(bank: ImageBank, settings: Crops, seed: int) -> np.ndarray:
    """Counts the heads in the crops of a bank of heads.

    Args:
      bank: from `image_bank.heads_bank`.
      settings: the crops' settings.
      seed: the run's seed.

    Returns:
      `[N]` float32 people; N is about 10,000 at most, over all images, which suffices
      for `density_classes.fit_thresholds`.
    """
    draw = functools.partial(draw_crop, settings=settings, seed=seed)
    return _count_windows(bank, draw, crops.crops_per_image(settings))


def patch_counts(bank: ImageBank, settings: Crops, seed: int) -> np.ndarray:
    """Counts the heads in the patches of a bank of heads; see `crop_counts`."""
    draw = functools.partial(draw_patch, settings=settings, seed=seed)
    return _count_windows(bank, draw, settings.num_patches)


def _count_windows(bank: ImageBank, draw: DrawWindow, number: int) -> np.ndarray:
    number = min(number, math.ceil(MOST_COUNTS / len(bank.shapes)))

    @jax.jit
    def counts(bank):
        def of_window(place, j):
            return device_crops.count_heads(bank, place, draw(bank, place, j))

        def of_image(place):
            return jax.vmap(of_window, (None, 0))(place, jnp.arange(number))

        return jax.lax.map(of_image, jnp.arange(len(bank.shapes)))

    return np.asarray(counts(bank)).ravel()
