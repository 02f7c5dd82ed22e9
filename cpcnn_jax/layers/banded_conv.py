"""Convolution whose kernel gradient is computed row by row on a CPU.

XLA:CPU computes kernel gradients of large maps slowly. Here each row of the map, with
its adjacent rows as features, enters one matrix product, and the products are summed.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def banded_conv(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str, **kwargs: Any
) -> jax.Array:
    """Computes lax.conv_general_dilated with a row-wise kernel gradient on a CPU.

    It supports reverse-mode differentiation only. Pass it as `nn.Conv(...,
    conv_general_dilated=banded_conv)`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, C, features]`.
      strides: (1, 1).
      padding: "SAME".
      **kwargs: further arguments of lax.conv_general_dilated.

    Returns:
      `[B, H, W, features]`.
    """

    def plain_conv(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **kwargs)

    def plain_gradient(x, kernel, dy):
        return jax.vjp(lambda kernel: plain_conv(x, kernel), kernel)[1](dy)[0]

    def backward(residuals, dy):
        x, kernel = residuals
        (dx,) = jax.vjp(lambda x: plain_conv(x, kernel), x)[1](dy)
        dkernel = lax.platform_dependent(
            x, kernel, dy, cpu=_sum_over_rows, default=plain_gradient
        )
        return dx, dkernel

    conv = jax.custom_vjp(plain_conv)
    conv.defvjp(lambda x, kernel: (plain_conv(x, kernel), (x, kernel)), backward)
    return conv(x, kernel)


def _sum_over_rows(x: jax.Array, kernel: jax.Array, dy: jax.Array) -> jax.Array:
    """Computes the kernel gradient; examples of a batch stay on their devices."""
    side, width = kernel.shape[0], x.shape[2]
    sum_dtype = jnp.promote_types(x.dtype, "float32")
    edge = ((side - 1) // 2, side // 2)
    x = jnp.pad(x, ((0, 0), edge, edge, (0, 0)))

    def add(total, row):
        rows = lax.dynamic_slice_in_dim(x, row, side, axis=1)
        shifted = [rows[:, i, j : j + width] for i in range(side) for j in range(side)]
        product = jnp.einsum(
            "bwc,bwd->bcd",
            jnp.concatenate(shifted, axis=-1),
            lax.dynamic_index_in_dim(dy, row, axis=1, keepdims=False),
            preferred_element_type=sum_dtype,
        )
        return total + product, None

    taps = side * side * kernel.shape[2]
    zeros = jnp.zeros((len(x), taps, kernel.shape[3]), sum_dtype)
    total, _ = lax.scan(add, zeros, jnp.arange(dy.shape[1]))
    return total.sum(axis=0).reshape(kernel.shape).astype(kernel.dtype)
