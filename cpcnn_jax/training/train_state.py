"""State of a training stage: the arrays that a step updates and a checkpoint holds."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

Params = Mapping[str, jax.Array]


class State(NamedTuple):
    """The state of a stage, and the content of its checkpoints."""

    step: jax.Array  # int32, number of finished steps
    params: dict[str, jax.Array]  # trained
    frozen: dict[str, jax.Array]
    opt_state: optax.OptState


class GANState(NamedTuple):
    """The state of the adversarial stage."""

    generator: State
    discriminator: State


def new_state(
    params: Params, tx: optax.GradientTransformation, *, trains: Callable[[str], bool]
) -> State:
    """Makes the state at step 0.

    Args:
      params: flat dict of all parameters.
      tx: the optimizer.
      trains: function of a parameter's name, True where it is trained.
    """
    trained = {name: value for name, value in params.items() if trains(name)}
    frozen = {name: value for name, value in params.items() if not trains(name)}
    return State(jnp.zeros((), jnp.int32), trained, frozen, tx.init(trained))
