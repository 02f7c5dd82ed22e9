"""Exponential moving average of the parameters, kept in the optimizer's state.

Training does not use the average. It is validated and saved instead of the parameters.

Reference: Polyak & Juditsky, SIAM J. Control and Optimization 30(4), 1992.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class EMAState(NamedTuple):
    """State of an optimizer with an average."""

    inner: optax.OptState
    steps: jax.Array  # int32, number of averaged steps
    mean: Any  # like the parameters


def with_ema(
    tx: optax.GradientTransformation, decay: float
) -> optax.GradientTransformation:
    """Adds an average of the updated parameters to an optimizer.

    Args:
      tx: the optimizer; its updates are unchanged.
      decay: factor on the older parameters in each step, 0 to under 1. The average is
        corrected for its start at zero. With 0 the optimizer is returned as it is.
    """
    if not decay:
        return tx

    def init(params):
        zeros = optax.tree.zeros_like(params)
        return EMAState(tx.init(params), jnp.zeros((), jnp.int32), zeros)

    def update(updates, state, params):
        updates, inner = tx.update(updates, state.inner, params)
        steps = state.steps + 1
        share = (1 - decay) / (1 - decay**steps)  # of the newest parameters
        new = optax.apply_updates(params, updates)
        mean = optax.incremental_update(new, state.mean, share)
        return updates, EMAState(inner, steps, mean)

    return optax.GradientTransformation(init, update)


def ema_params(state: Any) -> dict[str, jax.Array]:
    """Reads the averaged parameters, or the parameters where there is no average.

    Args:
      state: a `train_state.State` after at least one step.
    """
    opt_state = state.opt_state
    return opt_state.mean if isinstance(opt_state, EMAState) else state.params
