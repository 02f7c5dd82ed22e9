"""Random windows of training images, drawn on any device from keys alone.

Window j of image i is a function of (seed, i, j). The first windows of an image are
plain. The further ones are flipped or noisy in turn [I]; the paper says "horizontal
flip and noise addition" [R, section 4]. Departs from the paper: augmented windows may
come from a scaled copy of the image (`config.Crops.max_scale`), be blurred and change
its colors (`max_blur`, `gamma_jitter`, `color_jitter`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from cpcnn_jax.config import Crops

PLAIN, FLIPPED, NOISY = range(3)


class Window(NamedTuple):
    """One window in a scaled copy of an image, and its augmentation; a pytree."""

    scaled: jax.Array  # int32 [2], (height, width) of the copy, pixels
    corner: jax.Array  # int32 [2], (top, left) in the copy, pixels
    size: jax.Array  # int32 [2], (height, width), pixels
    kind: jax.Array  # int32, PLAIN, FLIPPED or NOISY
    gain: jax.Array  # float32 [3], factor of each color
    shift: jax.Array  # float32, added to each color
    gamma: jax.Array  # float32, power of each color
    blur: jax.Array  # float32, standard deviation of a Gaussian, pixels
    noise_key: jax.Array  # key of the noise


def window_key(seed: int, purpose: int, number: jax.Array) -> jax.Array:
    """Derives the key of a window.

    Args:
      seed: the run's seed.
      purpose: number that tells kinds of windows apart.
      number: int32, number of the window among those of all images.
    """
    key = jax.random.fold_in(jax.random.key(seed), purpose)
    return jax.random.fold_in(key, number)


def window_kind(j: jax.Array, num_plain: int) -> jax.Array:
    """Kind of window j: plain below `num_plain`, then flipped and noisy in turn.

    Example:
      >>> window_kind(jnp.arange(5), num_plain=2).tolist()
      [0, 0, 1, 2, 1]
    """
    return jnp.where(j < num_plain, PLAIN, FLIPPED + (j - num_plain) % 2)


def draw_window(
    key: jax.Array, shape: jax.Array, size: jax.Array, kind: jax.Array, crops: Crops
) -> Window:
    """Draws a window of an image.

    Args:
      key: from `window_key`.
      shape: int32 `[2]`, (height, width) of the image, pixels.
      size: int32 `[2]`, (height, width) of the window, at most the image's, pixels.
      kind: from `window_kind`.
      crops: the crops' settings.
    """
    draws = jax.random.uniform(key, (7,))
    scaled = _scaled_shape(draws[0], shape, size, kind, crops)
    corner = jnp.floor(draws[1:3] * (scaled - size + 1)).astype(jnp.int32)
    corner = jnp.minimum(corner, scaled - size)
    jitter = jnp.where(kind == PLAIN, 0.0, crops.color_jitter)
    colors = jitter * (2 * draws[3:] - 1)
    noise_key, pixel_key = (jax.random.fold_in(key, n) for n in (1, 2))
    gamma, blur = _draw_pixel_changes(pixel_key, kind, crops)
    return Window(
        scaled,
        corner,
        size,
        kind,
        gain=1 + colors[:3],
        shift=colors[3] / 2,
        gamma=gamma,
        blur=blur,
        noise_key=noise_key,
    )


def _draw_pixel_changes(key, kind, crops):
    """Power and blur of a window; half of the augmented windows stay sharp."""
    draws = jax.random.uniform(key, (2,))
    gamma = (1 + crops.gamma_jitter) ** (2 * draws[0] - 1)
    blur = crops.max_blur * jnp.maximum(2 * draws[1] - 1, 0)
    plain = kind == PLAIN
    return jnp.where(plain, 1.0, gamma), jnp.where(plain, 0.0, blur)


def is_scaled(crops: Crops) -> bool:
    """Whether windows may come from scaled copies of images."""
    return crops.max_scale > 1 or crops.fixed_side > 0


def _scaled_shape(draw, shape, size, kind, crops):
    """(height, width) of the image or its copy, which holds the window."""
    if not is_scaled(crops):
        return shape
    max_scale = crops.max_scale
    scale = jnp.where(kind == PLAIN, 1.0, max_scale ** (2 * draw - 1))
    scale = jnp.maximum(scale, jnp.max(size / shape))
    return jnp.maximum(jnp.round(shape * scale).astype(jnp.int32), size)


def positions(window: Window, canvas: tuple[int, int]) -> tuple[jax.Array, jax.Array]:
    """Places the rows and columns of a canvas in the scaled copy.

    Args:
      window: the window; it lies in the first rows and columns of the canvas.
      canvas: (H, W), pixels.

    Returns:
      int32 `[H]` rows and `[W]` columns; a flipped window has descending columns.
      Places outside of the window are not valid.
    """
    rows = window.corner[0] + jnp.arange(canvas[0])
    columns = jnp.arange(canvas[1])
    flipped = window.kind == FLIPPED
    columns = jnp.where(flipped, window.size[1] - 1 - columns, columns)
    return rows, window.corner[1] + columns


def inside(window: Window, points: jax.Array) -> jax.Array:
    """Tests which points of the scaled copy lie in a window.

    Args:
      window: the window.
      points: `[M, 2]`, (x, y) in the scaled copy, pixels.

    Returns:
      `[M]` bool.
    """
    place = points[:, ::-1] - window.corner[None]
    return jnp.all((place >= 0) & (place < window.size[None]), axis=1)


def scale_points(window: Window, points: jax.Array, shape: jax.Array) -> jax.Array:
    """Moves `[M, 2]` points of an image of (height, width) to its scaled copy."""
    return points * (window.scaled / shape)[None, ::-1].astype(points.dtype)
