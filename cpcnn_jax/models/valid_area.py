"""Mask of the valid area of crops of several sizes on one canvas.

A crop lies in the corner of a larger canvas. Its networks give the values of the crop
alone if every layer takes zeros outside of it, as at the border of an image.
"""

import jax
import jax.numpy as jnp


def valid_area(sizes: jax.Array, canvas: tuple[int, int]) -> jax.Array:
    """Makes the masks of crops.

    Args:
      sizes: int `[B, 2]`, (height, width) of each crop, pixels.
      canvas: (H, W), pixels.

    Returns:
      `[B, H, W, 1]` float32, 1 inside of the crop and 0 outside.

    Example:
      >>> valid_area(jnp.array([[1, 2]]), (2, 3))[0, ..., 0].tolist()
      [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    rows, columns = (
        jnp.arange(length)[None] < sizes[:, axis, None]
        for axis, length in enumerate(canvas)
    )
    return (rows[:, :, None] & columns[:, None, :])[..., None].astype(jnp.float32)


def keep_valid(x: jax.Array, valid: jax.Array | None) -> jax.Array:
    """Sets `[B, H, W, C]` to zero outside of the valid area; None keeps everything."""
    return x if valid is None else x * valid.astype(x.dtype)


def halve(valid: jax.Array | None) -> jax.Array | None:
    """Masks of the cells of 2x2 pixels that are valid as a whole.

    Args:
      valid: `[B, H, W, 1]`, or None.

    Returns:
      `[B, H // 2, W // 2, 1]`, the valid area after a 2x2 pooling, or None.

    Example:
      >>> halve(valid_area(jnp.array([[2, 3]]), (4, 4)))[0, ..., 0].tolist()
      [[1.0, 0.0], [0.0, 0.0]]
    """
    return None if valid is None else valid[:, 1::2, 1::2]
