"""Checkerboard artifacts of a fractionally-strided layer, measured on its kernel.

Outputs of different phases modulo s meet different taps of the kernel. Where the sums
of these taps differ, a constant input becomes a checkerboard.

Reference: Odena et al., Deconvolution and checkerboard artifacts, Distill, 2016.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.fractionally_strided import fractionally_strided_conv
from cpcnn_jax.layers.geometry import per_axis


def phase_response(
    kernel: jax.Array,
    *,
    strides: int | Sequence[int] = 2,
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
) -> jax.Array:
    """Computes the response to an input of ones, far from the border, per phase.

    Args:
      kernel: `[*k, C_in / groups, C_out]`.
      strides: s, for all axes or per axis.
      kernel_dilation: d, for all axes or per axis.
      feature_group_count: groups.

    Returns:
      `[*s, C_out]`: one period of the output, from the first unit (k' - 1 without
      padding) that the border does not reach.

    Example:
      >>> phase_response(jnp.ones((3, 1, 1)), strides=2).ravel()
      Array([2., 1.], dtype=float32)
    """
    *k, c_in, _ = jnp.shape(kernel)
    s = per_axis("strides", strides, len(k))
    d = per_axis("kernel_dilation", kernel_dilation, len(k))
    inside = [arithmetic.effective_kernel(*kd) - 1 for kd in zip(k, d, strict=True)]
    size = [-(-r // s_) + 2 for r, s_ in zip(inside, s, strict=True)]
    y = fractionally_strided_conv(
        jnp.ones((*size, c_in * feature_group_count), jnp.asarray(kernel).dtype),
        kernel,
        strides=s,
        padding=0,
        kernel_dilation=d,
        feature_group_count=feature_group_count,
    )
    return y[tuple(slice(r, r + s_) for r, s_ in zip(inside, s, strict=True))]


def checkerboard(
    kernel: jax.Array,
    *,
    strides: int | Sequence[int] = 2,
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
) -> jax.Array:
    """Computes the largest over the smallest phase response, of the worst channel.

    Args:
      kernel: `[*k, C_in / groups, C_out]`.
      strides: s, for all axes or per axis.
      kernel_dilation: d, for all axes or per axis.
      feature_group_count: groups.

    Returns:
      `[]`, at least 1 (no checkerboard); infinite where the phases differ in sign or
      one of them is 0.

    Example:
      >>> checkerboard(jnp.ones((3, 3, 1, 1)), strides=2)
      Array(4., dtype=float32)
    """
    response = phase_response(
        kernel,
        strides=strides,
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
    )
    phases = response.reshape(-1, response.shape[-1])
    size, sign = jnp.abs(phases), jnp.sign(phases)
    agree = (sign == sign[:1]).all(0) & (size.min(0) > 0)
    ratio = size.max(0) / jnp.where(agree, size.min(0), 1)
    return jnp.where(agree, ratio, jnp.inf).max()
