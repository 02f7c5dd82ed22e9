"""Crops, patches and their targets, computed on a device from an `ImageBank`.

All functions take one example and are mapped over a batch with `jax.vmap`.
"""

import math

import jax
import jax.numpy as jnp
from jax import lax

from cpcnn_jax.config import Crops
from cpcnn_jax.data import crop_window
from cpcnn_jax.data.crop_window import Window
from cpcnn_jax.data.image_bank import ImageBank
from cpcnn_jax.data.pixel_augmentation import augment_pixels
from cpcnn_jax.data.resample import EXACT, bilinear_weights


def crop_image(
    bank: ImageBank,
    place: jax.Array,
    window: Window,
    canvas: tuple[int, int],
    crops: Crops,
) -> jax.Array:
    """Cuts a window out of an image.

    Args:
      bank: the images.
      place: int32, the image's place in the bank.
      window: the window.
      canvas: (H, W) of the result, pixels, at least the window's size.
      crops: the crops' settings.

    Returns:
      `[H, W, 3]` float32 in [0, 1], zero outside of the window.
    """
    rows, columns = crop_window.positions(window, canvas)
    if not crop_window.is_scaled(crops):
        image = _read_pixels(bank, place, rows, columns)
    else:
        shape = bank.shapes[place]
        taps = (_num_taps(side, crops.max_scale) for side in canvas)
        (top, down), (left, across) = (
            bilinear_weights(
                places, n, scaled=window.scaled[axis], original=shape[axis]
            )
            for axis, (places, n) in enumerate(zip((rows, columns), taps, strict=True))
        )
        rows = top + jnp.arange(down.shape[1])
        columns = left + jnp.arange(across.shape[1])
        source = _read_pixels(bank, place, rows, columns)
        image = jnp.einsum("yr,rcd,xc->yxd", down, source, across, precision=EXACT)
    mask = _window_mask(window, canvas).astype(jnp.float32)
    return augment_pixels(image, mask, window, crops)


def _read_pixels(bank, place, rows, columns):
    """`[h, w, 3]` float32 in [0, 1]; places beyond the border repeat its pixels."""
    height, width = bank.shapes[place]
    rows, columns = jnp.clip(rows, 0, height - 1), jnp.clip(columns, 0, width - 1)
    index = bank.first[place] + rows[:, None] * width + columns[None]
    return bank.pixels[index].astype(jnp.float32) / 255


def _window_mask(window, canvas):
    rows, columns = (
        jnp.arange(length) < window.size[axis] for axis, length in enumerate(canvas)
    )
    return (rows[:, None] & columns[None])[..., None]


def _num_taps(length, max_scale):
    """Source pixels that a canvas of this length needs along one axis."""
    ratio = 1.02 * max_scale  # sides of a copy are rounded to whole pixels
    return math.ceil(length * ratio) + 2 * math.ceil(ratio) + 3


def crop_density(
    bank: ImageBank,
    place: jax.Array,
    window: Window,
    canvas: tuple[int, int],
    max_radius: int,
) -> jax.Array:
    """Draws the target density map of a window; see `density_map.density_map`.

    Args:
      bank: the images' heads.
      place: int32, the image's place in the bank.
      window: the window.
      canvas: (H, W) of the result, pixels.
      max_radius: the largest radius of a Gaussian, pixels.

    Returns:
      `[H, W, 1]` float32 people per pixel, zero outside of the window.
    """
    points = _scaled_points(bank, place, window)
    rows, columns = (
        _gaussian_profiles(
            places,
            jnp.floor(points[:, 1 - axis]),
            bank.sigmas[place],
            bank.radii[place],
            window.scaled[axis],
            max_radius,
        )
        for axis, places in enumerate(crop_window.positions(window, canvas))
    )
    density = jnp.einsum("ny,nx->yx", rows, columns, precision=EXACT)
    return density[..., None] * _window_mask(window, canvas)


def _gaussian_profiles(places, centers, sigmas, radii, length, max_radius):
    """`[M, H]` values of Gaussians at places; each has sum 1 over 0..length-1."""

    def values(place, center, sigma, radius):
        offset = place - center
        shown = (jnp.abs(offset) <= radius) & (place >= 0) & (place < length)
        return jnp.where(shown, jnp.exp(-0.5 * jnp.square(offset / sigma)), 0)

    def add(offset, total):
        return total + values(centers + offset, centers, sigmas, radii)

    total = lax.fori_loop(-max_radius, max_radius + 1, add, jnp.zeros_like(centers))
    heads = (x[:, None] for x in (centers, sigmas, radii))
    profiles = values(places[None].astype(centers.dtype), *heads)
    return profiles / jnp.where(total > 0, total, 1)[:, None]


def count_heads(bank: ImageBank, place: jax.Array, window: Window) -> jax.Array:
    """Counts the heads in a window: float32, people."""
    points = _scaled_points(bank, place, window)
    return jnp.sum(crop_window.inside(window, points), dtype=jnp.float32)


def _scaled_points(bank, place, window):
    return crop_window.scale_points(window, bank.points[place], bank.shapes[place])
