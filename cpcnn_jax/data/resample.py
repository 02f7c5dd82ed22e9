"""Antialiased bilinear scaling as matrices with traced sizes."""

import jax
import jax.numpy as jnp
from jax import lax

EXACT = lax.Precision.HIGHEST


def bilinear_weights(
    places: jax.Array,
    num_taps: int,
    *,
    scaled: int | jax.Array,
    original: int | jax.Array,
) -> tuple[jax.Array, jax.Array]:
    """Computes the weights of source pixels along one axis of a scaled image.

    A triangle lies on the center of each place; it is one pixel wide on both sides, of
    the source or of the scaled image, whichever is larger.

    Args:
      places: int32 `[n]`, pixels of the scaled image, consecutive.
      num_taps: source pixels that are read.
      scaled: length of the scaled image, pixels.
      original: length of the source, pixels.

    Returns:
      int32, the first source pixel, and float32 `[n, num_taps]`, weights of sum 1 with
      zeros beyond the source.

    Example:
      >>> first, weights = bilinear_weights(jnp.arange(4), 4, scaled=4, original=2)
      >>> first.item(), weights[1].tolist()
      (-1, [0.0, 0.75, 0.25, 0.0])
    """
    # A place's center is whole + part; integers keep the part exact in large images.
    whole, part = jnp.divmod((2 * places + 1) * original, 2 * scaled)
    part = part / (2 * scaled)
    width = jnp.maximum(original / scaled, 1.0)
    first = jnp.min(whole) - jnp.ceil(width).astype(jnp.int32)
    source = first + jnp.arange(num_taps)
    distance = (source[None] - whole[:, None]) + 0.5 - part[:, None]
    weights = jnp.maximum(0, 1 - jnp.abs(distance) / width)
    weights *= ((source >= 0) & (source < original))[None]
    total = weights.sum(axis=1, keepdims=True)
    return first, weights / jnp.where(total > 0, total, 1)


def resize_corner(image: jax.Array, size: jax.Array, side: int) -> jax.Array:
    """Resizes the valid corner of a canvas to a square.

    Args:
      image: `[H, W, C]`.
      size: int32 `[2]`, (height, width) of the valid corner, pixels.
      side: side of the result, pixels.

    Returns:
      `[side, side, C]`, equal to jax.image.resize(image[:height, :width], ...,
      "bilinear").
    """

    def resize_axis(axis):
        length = image.shape[axis]
        first, weights = bilinear_weights(
            jnp.arange(side), length + 4, scaled=side, original=size[axis]
        )
        source = jnp.clip(first + jnp.arange(length + 4), 0, length - 1)
        return jnp.zeros((side, length)).at[:, source].add(weights)

    down, across = resize_axis(0), resize_axis(1)
    return jnp.einsum("yr,rcd,xc->yxd", down, image, across, precision=EXACT)
