"""Losses of the people in square cells of density maps.

A loss of pixels weights the position of heads. A loss of cells weights their number.
Each function returns one number per example, `[B]`.
"""

import jax
import jax.numpy as jnp

SMALLEST = 320  # cells of this side have a variance of at least one person


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


def cell_loss(
    predicted: jax.Array, target: jax.Array, side: int, *, overdispersion: float
) -> jax.Array:
    """Squared error of the people in cells over the variance of the prediction.

    The variance of a count c is c + overdispersion * c^2, that of a negative binomial
    distribution. It is expected from the prediction and has no gradient, so that the
    minimum is the mean of the targets. Absolute errors have their minimum at the
    median, which is less than the mean where most cells are empty. A variance from the
    true count would lead to a harmonic mean.

    Args:
      predicted: `[B, H, W, 1]` people per pixel.
      target: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.
      overdispersion: at least 0; 0 is the variance of a Poisson distribution.

    Returns:
      `[B]`, half of the mean over the cells. Predictions below side / 320 people have
      the variance of side / 320.

    Example:
      >>> target = jnp.full((1, 4, 4, 1), 0.5)
      >>> cell_loss(target / 2, target, 4, overdispersion=0.0).tolist()
      [2.0]

    Reference: Wedderburn, Quasi-likelihood functions, Biometrika 61(3), 1974.
    """
    count, true = cell_counts(predicted, side), cell_counts(target, side)
    expected = jax.lax.stop_gradient(jnp.maximum(count, side / SMALLEST))
    variance = expected + overdispersion * jnp.square(expected)
    return jnp.mean(jnp.square(count - true) / variance, axis=(1, 2)) / 2
