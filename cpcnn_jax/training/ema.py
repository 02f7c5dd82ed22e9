"""A running mean of the weights, which the optimiser keeps beside its own state.

Single steps move the gain of a whole map up and down; in the mean that cancels. What is
trained does not see it: the mean is what is validated and kept.

Reference: Polyak & Juditsky, SIAM J. Control and Optimization 30(4), 1992.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax


class EMAState(NamedTuple):
    """The state of an optimiser and of the mean."""

    inner: optax.OptState
    count: jax.Array  # int32, weights that are in the mean
    mean: dict  # as the weights


def with_ema(tx, decay):
    """An optimiser that makes the same updates, and keeps the mean of what they led to.

    Args:
      tx: the optimiser.
      decay: by how much the weights of a step count less with every further step, 0 to
        under 1. With 0 no mean is kept.

    Returns:
      An optimiser.
    """
    if not decay:
        return tx

    def init(params):
        nothing = optax.tree.zeros_like(params)
        return EMAState(tx.init(params), jnp.zeros((), jnp.int32), nothing)

    def update(updates, state, params):
        updates, inner = tx.update(updates, state.inner, params)
        count = state.count + 1
        share = (1 - decay) / (1 - decay**count)  # of the newest: all, if it is alone
        new = optax.apply_updates(params, updates)
        mean = optax.incremental_update(new, state.mean, share)
        return updates, EMAState(inner, count, mean)

    return optax.GradientTransformation(init, update)


def ema_params(state):
    """The mean of the weights where one is kept, else the weights themselves.

    Args:
      state: `train_step.State`, after at least one step.

    Returns:
      Flat dict.
    """
    optimiser = state.opt_state
    return optimiser.mean if isinstance(optimiser, EMAState) else state.params
