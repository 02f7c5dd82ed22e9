"""Losses of the people in square cells of density maps.

A loss of pixels weights the position of heads. A loss of cells weights their number.
Each function returns one number per example, `[B]`.
"""

import jax
import jax.numpy as jnp


def cell_counts(density: jax.Array, side: int) -> jax.Array:
    """Sums a density map over square cells.

    Args:
      density: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.

    Returns:
      `[B, H / side, W / side]` people.

    Example:
      >>> cell_counts(jnp.ones((1, 4, 8, 1)), 4).tolist()
      [[[16.0, 16.0]]]
    """
    batch, height, width, _ = density.shape
    cells = density.reshape(batch, height // side, side, width // side, side)
    return cells.sum(axis=(2, 4))


def absolute_loss(predicted: jax.Array, target: jax.Array, side: int) -> jax.Array:
    """Mean absolute error of the people in cells.

    Args:
      predicted: `[B, H, W, 1]` people per pixel.
      target: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.

    Returns:
      `[B]` people.

    Example:
      >>> target = jnp.full((1, 4, 4, 1), 0.5)
      >>> absolute_loss(jnp.zeros((1, 4, 4, 1)), target, 4).tolist()
      [8.0]
    """
    error = cell_counts(predicted, side) - cell_counts(target, side)
    return jnp.mean(jnp.abs(error), axis=(1, 2))


def poisson_loss(predicted: jax.Array, target: jax.Array, side: int) -> jax.Array:
    """Poisson likelihood of the people in cells, c - t log c, up to a constant.

    Its minimum is the mean of the targets, that of `absolute_loss` their median, which
    is less where most cells are empty.

    Args:
      predicted: `[B, H, W, 1]` people per pixel; counts below 0.01 are taken as 0.01.
      target: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.

    Returns:
      `[B]` nats.

    Example:
      >>> target = jnp.full((1, 4, 4, 1), 1 / 16)
      >>> poisson_loss(target, target, 4).tolist()
      [1.0]
    """
    count, true = cell_counts(predicted, side), cell_counts(target, side)
    positive = jnp.maximum(count, 0.01)
    return jnp.mean(jnp.abs(count) - true * jnp.log(positive), axis=(1, 2))
