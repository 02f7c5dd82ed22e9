"""Gradients of a batch: at once, accumulated over parts, or over microbatches.

Parts save memory. Microbatches are computed alike and added in one order, so that the
gradients are equal to the last bit on any number of devices.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.training import mixed_precision


def accumulated_gradients(
    loss: Callable,
    params: Any,
    batch: Any,
    *,
    accum_steps: int,
    microbatch: int,
    axis_name: str | None,
) -> Any:
    """Computes loss, metrics and gradients of a whole batch on all devices.

    Args:
      loss: (params, batch) -> (mean over the examples, dict of such means).
      params: pytree, differentiated.
      batch: this device's share of the batch.
      accum_steps: number of parts of the share, computed one after the other.
      microbatch: examples per microbatch, in place of parts; 0: none.
      axis_name: device axis over which results are averaged, or None.

    Returns:
      ((loss, metrics), gradients), equal on all devices.
    """
    loss = nn.intercept_methods(mixed_precision.biases_apart)(loss)
    gradient = functools.partial(jax.value_and_grad(loss, has_aux=True), params)
    if microbatch:
        return _mean_of_microbatches(gradient, batch, microbatch, axis_name)
    mean = _mean_of_parts(gradient, batch, accum_steps)
    return mean if axis_name is None else jax.lax.pmean(mean, axis_name)


def _mean_of_parts(function, batch, parts):
    """Mean of a function over the parts of a batch.

    Every parts-th example belongs to one part, so that no part lies on few devices.
    """
    if parts == 1:
        return function(batch)
    split = jax.tree.map(
        lambda x: jnp.moveaxis(x.reshape(-1, parts, *x.shape[1:]), 1, 0), batch
    )
    first = jax.tree.map(lambda x: x[0], split)
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, first))

    def add(sums, part):
        return jax.tree.map(jnp.add, sums, function(part)), None

    total, _ = jax.lax.scan(add, zeros, split)
    return jax.tree.map(lambda x: x / parts, total)


def _mean_of_microbatches(function, batch, size, axis_name):
    """Mean of a function over the microbatches of the batch of all devices.

    No sum depends on the number of devices. The loop is unrolled because XLA compiles
    convolutions in loops to slower and different code on a CPU.
    """
    results = [
        function(jax.tree.map(lambda x, i=start: x[i : i + size], batch))
        for start in range(0, len(batch["image"]), size)
    ]
    stacked = jax.tree.map(lambda *values: jnp.stack(values), *results)
    if axis_name is not None:
        stacked = jax.lax.all_gather(stacked, axis_name, tiled=True)
    return jax.tree.map(lambda x: functools.reduce(jnp.add, x) / len(x), stacked)
