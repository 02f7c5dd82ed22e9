"""Several training steps in one program.

On an accelerator a call of one step costs the host as much as the device. A program
with a loop of steps keeps the device busy. On a CPU XLA computes convolutions in loops
many times slower, and a call is one step there. Both give the same result.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

STEPS_PER_CALL = {"cpu": 1}  # by platform
ACCELERATOR = 50  # steps of a call on other platforms


def steps_per_call() -> int:
    """Largest number of steps in a call on the platform in use."""
    return STEPS_PER_CALL.get(jax.default_backend(), ACCELERATOR)


def make_steps(step: Callable, batch: Callable, most: int) -> Callable:
    """Makes a function that trains for up to `most` steps.

    Args:
      step: (state, batch) -> (state, dict of scalar metrics).
      batch: (data, int32 `[B, 2]`) -> batch.
      most: largest number of steps.

    Returns:
      steps(state, data, examples, count): `examples` is int32 `[most, B, 2]`, of which
      the first `count` steps take their part. The result is the state, and the metrics
      as arrays `[most]`, zero from `count` on.
    """

    def one(state, data, examples):
        return step(state, batch(data, examples))

    def single(state, data, examples, count):
        del count  # always 1
        state, metrics = one(state, data, examples[0])
        return state, jax.tree.map(lambda x: x[None], metrics)

    def several(state, data, examples, count):
        _, shapes = jax.eval_shape(one, state, data, examples[0])
        metrics = jax.tree.map(lambda x: jnp.zeros((most, *x.shape), x.dtype), shapes)

        def body(n, carry):
            state, metrics = carry
            state, values = one(state, data, examples[n])
            return state, jax.tree.map(lambda x, y: x.at[n].set(y), metrics, values)

        return lax.fori_loop(0, count, body, (state, metrics))

    return single if most == 1 else several


def compile_steps(steps: Any, *args: Any) -> Callable:
    """Compiles a jitted function for arguments before its first call."""
    return steps.lower(*args).compile()
