"""Further losses of the people in square cells: likelihoods of their numbers.

`cell_losses` has the absolute error and the Poisson likelihood. Each function returns
one number per example, `[B]`.
"""

import jax
import jax.numpy as jnp

from cpcnn_jax.training.cell_losses import cell_counts

LEAST = 0.01  # people; smaller expected numbers are taken as this one in a logarithm


def variance_weighted_loss(
    predicted: jax.Array, target: jax.Array, side: int, *, floor: float = 0.5
) -> jax.Array:
    """Squared error of the people in cells over the variance that is expected.

    The variance is the predicted number plus a floor, without a gradient. Its minimum
    is the mean of the targets. A variance taken from the target has a smaller minimum,
    a harmonic mean.

    Args:
      predicted: `[B, H, W, 1]` people per pixel.
      target: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.
      floor: variance of an empty cell, people squared, above 0.

    Returns:
      `[B]`.

    Example:
      >>> target = jnp.full((1, 4, 4, 1), 1 / 16)
      >>> variance_weighted_loss(jnp.zeros((1, 4, 4, 1)), target, 4).tolist()
      [2.0]
    """
    count, true = cell_counts(predicted, side), cell_counts(target, side)
    variance = jax.lax.stop_gradient(jnp.maximum(count, 0) + floor)
    return jnp.mean(jnp.square(count - true) / variance, axis=(1, 2))


def zero_inflated_poisson_loss(
    predicted: jax.Array, empty_logits: jax.Array, target: jax.Array, side: int
) -> jax.Array:
    """Negative log likelihood of the people in cells, some of which are always empty.

    A cell is empty with probability p, else its number is Poisson distributed with the
    mean c. The expected number is therefore (1 - p) c, and not c. A target below half a
    person counts as empty.

    Args:
      predicted: `[B, H, W, 1]`, c per pixel.
      empty_logits: `[B, H / side, W / side]`, the logits of p.
      target: `[B, H, W, 1]` people per pixel.
      side: side of a cell, pixels; divides H and W.

    Returns:
      `[B]` nats, up to the constant log t! of occupied cells.

    Example:
      >>> ones = jnp.full((1, 4, 4, 1), 1 / 16)
      >>> never = jnp.full((1, 1, 1), -jnp.inf)
      >>> zero_inflated_poisson_loss(ones, never, ones, 4).tolist()
      [1.0]

    Reference: Lambert, Zero-Inflated Poisson Regression, Technometrics 1992.
    """
    count, true = cell_counts(predicted, side), cell_counts(target, side)
    mean = jnp.maximum(count, LEAST)
    log_empty = jax.nn.log_sigmoid(empty_logits)
    log_poisson = jax.nn.log_sigmoid(-empty_logits) - mean
    empty = jnp.logaddexp(log_empty, log_poisson)
    occupied = log_poisson + true * jnp.log(mean)
    return -jnp.mean(jnp.where(true < 0.5, empty, occupied), axis=(1, 2))
