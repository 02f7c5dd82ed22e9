"""Gradients of a mean over a batch: in one piece, in parts, or in units.

A device may compute its share in parts, in less memory. In units of a few examples,
computed alike and added in one order, the gradients are the same to the last bit on any
number of devices.
"""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.training import mixed_precision


def accumulated_gradients(loss, params, batch, *, parts, unit, axis_name):
    """((loss, metrics), gradients) of the whole batch, on all devices.

    Args:
      loss: (params, batch) -> (the mean over a batch's examples, dict of such means).
      params: to derive in.
      batch: this device's share.
      parts: in which this share is computed, one after the other.
      unit: examples that are computed together instead; 0: none.
      axis_name: over which the devices' shares are averaged, or None.

    Returns:
      The same on all devices.
    """
    loss = nn.intercept_methods(mixed_precision.biases_apart)(loss)
    derived = functools.partial(jax.value_and_grad(loss, has_aux=True), params)
    if unit:
        return _mean_of_units(derived, batch, unit, axis_name)
    return _mean(_mean_of_parts(derived, batch, parts), axis_name)


def _mean(tree, axis_name):
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def _mean_of_parts(function, batch, parts):
    """The mean of what a function gives for each part of a batch.

    Every parts-th example goes to one part, so that each device finds its own in all.
    """
    if parts == 1:
        return function(batch)
    apart = jax.tree.map(
        lambda x: jnp.moveaxis(x.reshape(-1, parts, *x.shape[1:]), 1, 0), batch
    )
    first = jax.tree.map(lambda x: x[0], apart)
    zeros = jax.tree.map(jnp.zeros_like, jax.eval_shape(function, first))
    total, _ = jax.lax.scan(
        lambda sums, part: (jax.tree.map(jnp.add, sums, function(part)), None),
        zeros,
        apart,
    )
    return jax.tree.map(lambda x: x / parts, total)


def _mean_of_units(function, batch, unit, axis_name):
    """The mean of what a function gives for each unit of the whole batch.

    No sum, inside a unit or over units, depends on how many devices share them. They
    are written out: in a loop XLA computes convolutions slowly on a CPU, and others.
    """

    def of_unit(start):
        return function(jax.tree.map(lambda x: x[start : start + unit], batch))

    found = [of_unit(start) for start in range(0, len(batch["image"]), unit)]
    found = jax.tree.map(lambda *values: jnp.stack(values), *found)
    if axis_name is not None:
        found = jax.lax.all_gather(found, axis_name, tiled=True)
    return jax.tree.map(lambda x: functools.reduce(jnp.add, x) / len(x), found)
