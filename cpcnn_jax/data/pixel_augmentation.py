"""Changes of a crop's pixels: blur, gamma, colors and noise, by its `Window`."""

import math

import jax
import jax.numpy as jnp

from cpcnn_jax.config import Crops
from cpcnn_jax.data.crop_window import NOISY, Window


def augment_pixels(
    image: jax.Array, mask: jax.Array, window: Window, crops: Crops
) -> jax.Array:
    """Changes the pixels of a crop; a plain window leaves them as they are.

    Args:
      image: `[H, W, 3]` in [0, 1].
      mask: `[H, W, 1]` float32, 1 inside of the window and 0 outside.
      window: the window with its augmentation.
      crops: the crops' settings; a change with setting 0 costs nothing.

    Returns:
      `[H, W, 3]` in [0, 1], zero outside of the window.
    """
    if crops.max_blur:
        image = _blur(image, mask, window.blur, math.ceil(3 * crops.max_blur))
    if crops.gamma_jitter:
        image = jnp.where(image > 0, image, 1) ** window.gamma * (image > 0)
    if crops.color_jitter:
        image = jnp.clip(image * window.gain[None, None] + window.shift, 0, 1)
    if crops.num_augmented and crops.noise_amplitude:
        amplitude = jnp.where(window.kind == NOISY, crops.noise_amplitude, 0.0)
        noise = jax.random.uniform(window.noise_key, image.shape, minval=-1, maxval=1)
        image = jnp.clip(image + amplitude * noise, 0, 1)
    return image * mask


def _blur(image, mask, sigma, radius):
    """Averages with the weights of a Gaussian, over pixels of the window alone.

    Args:
      image: `[H, W, 3]`.
      mask: `[H, W, 1]`.
      sigma: standard deviation in pixels; 0 changes nothing.
      radius: pixels, of the weights.
    """
    offsets = jnp.arange(-radius, radius + 1)
    weights = jnp.exp(-0.5 * jnp.square(offsets / jnp.maximum(sigma, 1e-3)))

    def average(x, axis):
        wide = jnp.pad(x, [(radius, radius) if n == axis else (0, 0) for n in range(3)])
        parts = [
            weights[n] * jax.lax.slice_in_dim(wide, n, n + x.shape[axis], axis=axis)
            for n in range(2 * radius + 1)
        ]
        return sum(parts[1:], parts[0])

    x = jnp.concatenate([image * mask, mask], axis=-1)
    x = average(average(x, 0), 1)
    return jnp.where(mask > 0, x[..., :3] / jnp.where(mask > 0, x[..., 3:], 1), 0)
