"""Convolutions and max-pooling in forms that XLA:CPU computes fast.

Each equals the operation that it replaces. docs/performance.md has the times.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

_MAX_SLOW_FEATURES = 16  # output features up to which XLA's fast routine is not used
_MAX_SLOW_INPUTS = 4  # input features up to which it is not used


def folded_conv(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str, **kwargs: Any
) -> jax.Array:
    """Computes lax.conv_general_dilated, with columns folded into features on a CPU.

    XLA:CPU's fast routine takes only convolutions with many features. Where features
    are few, two or four adjacent columns become one column with two or four times the
    features. A wider kernel, padded with zeros, computes their outputs together. Pass
    it as `nn.Conv(..., conv_general_dilated=folded_conv)`.

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

    side, _, inputs, features = kernel.shape
    if side == 1 or (features > _MAX_SLOW_FEATURES and inputs > _MAX_SLOW_INPUTS):
        return plain_conv(x, kernel)
    fold = 2 if 2 * features > _MAX_SLOW_FEATURES else 4

    def fold_columns(x, kernel):
        low, high = (side - 1) // 2, side // 2
        left, right = -(-low // fold), (fold - 1 + high) // fold  # columns beside
        batch, height, width, _ = x.shape
        x = jnp.pad(x, ((0, 0), (0, 0), (0, -width % fold), (0, 0)))
        y = lax.conv_general_dilated(
            x.reshape(batch, height, -1, fold * inputs),
            _fold_kernel(kernel, fold, fold * left - low, left + 1 + right),
            strides,
            ((low, high), (left, right)),
            **kwargs,
        )
        return y.reshape(batch, height, -1, features)[:, :, :width]

    return lax.platform_dependent(x, kernel, cpu=fold_columns, default=plain_conv)


def _fold_kernel(kernel: jax.Array, fold: int, offset: int, columns: int) -> jax.Array:
    """Returns the kernel at `fold` places, `[k, columns, fold * C, fold * features]`.

    The first place begins after `offset` zeros.
    """
    side, _, inputs, features = kernel.shape
    span = columns * fold
    shifted = [
        jnp.pad(kernel, ((0, 0), (start, span - start - side), (0, 0), (0, 0)))
        for start in range(offset, offset + fold)
    ]
    stacked = jnp.stack(shifted, axis=-2)
    return stacked.reshape(side, columns, fold * inputs, fold * features)


def valid_conv(
    x: jax.Array, kernel: jax.Array, strides: Sequence[int], padding: str, **kwargs: Any
) -> jax.Array:
    """Computes lax.conv_general_dilated without padding, cropped from "SAME" on a CPU.

    XLA:CPU's fast routine takes only convolutions that keep the size of their input.
    Pass it as `nn.Conv(..., padding="VALID", conv_general_dilated=valid_conv)`.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[k, k, C, features]`, k odd and at least 3.
      strides: (1, 1).
      padding: "VALID".
      **kwargs: further arguments of lax.conv_general_dilated.

    Returns:
      `[B, H - k + 1, W - k + 1, features]`.
    """

    def plain_conv(x, kernel):
        return lax.conv_general_dilated(x, kernel, strides, padding, **kwargs)

    def cropped_conv(x, kernel):
        edge = kernel.shape[0] // 2
        same = lax.conv_general_dilated(x, kernel, strides, "SAME", **kwargs)
        return same[:, edge:-edge, edge:-edge]

    return lax.platform_dependent(x, kernel, cpu=cropped_conv, default=plain_conv)


@jax.custom_jvp
def max_pool(x: jax.Array) -> jax.Array:
    """Computes 2x2 max-pooling with stride 2, with a fast gradient.

    Equal maxima of a window share its gradient; `nn.max_pool` assigns it to the first.
    On a CPU the value is the maximum of slices, because XLA computes the operations
    before a `reduce_window` once for each window.

    Args:
      x: `[B, H, W, C]`.

    Returns:
      `[B, H // 2, W // 2, C]`.

    Example:
      >>> max_pool(jnp.arange(12.0).reshape(1, 3, 4, 1)).ravel().tolist()
      [5.0, 7.0]
    """

    def pool_windows(x):
        return nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))

    return lax.platform_dependent(x, cpu=_pool_slices, default=pool_windows)


def _pool_slices(x: jax.Array) -> jax.Array:
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    rows = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


@max_pool.defjvp
def _max_pool_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    y = max_pool(x)
    batch, height, width, features = y.shape

    def split_windows(x):
        x = x[:, : 2 * height, : 2 * width]
        return x.reshape(batch, height, 2, width, 2, features)

    largest = (split_windows(x) == y[:, :, None, :, None]).astype(x.dtype)
    share = largest / largest.sum((2, 4), keepdims=True)
    return y, (share * split_windows(dx)).sum((2, 4))
