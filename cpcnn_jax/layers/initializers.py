"""Initializers for the kernel of a fractionally-strided convolution.

Each returns `init(key, shape, dtype) -> kernel` for shape `[*k, C_in / groups, C_out]`,
as Flax modules expect; `strides` has one number per spatial axis.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax.typing import Initializer


def fractionally_strided_he_normal(
    strides: Sequence[int], *, transpose_kernel: bool = False, groups: int = 1
) -> Initializer:
    """Returns he-normal with the fan-in without inserted zeros, k^n C_in / s^n.

    The usual fan-in, k^n C_in, is s^n times too large: activations would shrink by
    s^(n/2) in every such layer.

    Args:
      strides: s per spatial axis.
      transpose_kernel: whether the kernel is stored `[*k, C_out / groups, C_in]`.
      groups: feature groups; used with transpose_kernel only.

    Returns:
      The initializer; kernels have variance 2 s^n / (k^n C_in / groups).

    Example:
      >>> init = fractionally_strided_he_normal((2, 2))
      >>> init(jax.random.key(0), (4, 4, 64, 64)).std().round(3)
      Array(0.089, dtype=float32)

    Reference: He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """

    def init(key, shape, dtype=jnp.float32) -> jax.Array:
        *k, inner, outer = shape
        c_in = outer // groups if transpose_kernel else inner
        fan_in = math.prod(k) * c_in / math.prod(strides)
        scale = jnp.asarray(math.sqrt(2 / fan_in), dtype)
        return scale * jax.random.normal(key, shape, dtype)

    return init


def bilinear(strides: Sequence[int]) -> Initializer:
    """Returns linear interpolation of input channel o mod C_in to output channel o.

    The kernel is a hat of half-width s around its center. Every phase sums to 1, so a
    constant input gives the same constant without a checkerboard.

    Args:
      strides: s per spatial axis.

    Returns:
      The initializer; it needs k >= 2 s - 1 and C_out a multiple of C_in / groups.

    Raises:
      ValueError: (in the initializer) the kernel is too small or channels do not fit.

    Example:
      >>> bilinear((2,))(None, (4, 1, 1)).ravel()
      Array([0.25, 0.75, 0.75, 0.25], dtype=float32)

    Reference: Long et al., Fully convolutional networks, CVPR 2015, section 3.3.
    """

    def init(key, shape, dtype=jnp.float32) -> jax.Array:
        del key
        *k, c_in, c_out = shape
        if c_out % c_in:
            raise ValueError(
                f"bilinear: got {c_in} input channels per group and {c_out} output "
                "channels, expected the output to be a multiple of the input"
            )
        kernel = jnp.tile(jnp.eye(c_in, dtype=dtype), (1, c_out // c_in))
        for size, s in zip(reversed(k), reversed(strides), strict=True):
            if size < 2 * s - 1:
                raise ValueError(
                    f"bilinear: got kernel size {size} with stride {s}, expected at "
                    f"least {2 * s - 1}"
                )
            distance = jnp.abs(jnp.arange(size) - (size - 1) / 2)
            hat = jnp.maximum(0, 1 - distance / s).astype(dtype)
            kernel = jnp.tensordot(hat, kernel, axes=0)
        return kernel

    return init


def icnr(strides: Sequence[int], init: Initializer | None = None) -> Initializer:
    """Returns nearest-neighbor upsampling: all phases share one small kernel.

    Args:
      strides: s per spatial axis.
      init: initializer of the shared kernel `[*(k / s), C_in / groups, C_out]`, by
        default he-normal.

    Returns:
      The initializer; it needs k to be a multiple of s.

    Raises:
      ValueError: (in the initializer) k is not a multiple of s.

    Example:
      >>> icnr((2,), jax.nn.initializers.constant(3.0))(None, (4, 1, 1)).ravel()
      Array([3., 3., 3., 3.], dtype=float32)

    Reference: Aitken et al., Checkerboard artifact free sub-pixel convolution,
    arXiv:1707.02937.
    """
    base = init or fractionally_strided_he_normal((1,) * len(strides))

    def repeat(key, shape, dtype=jnp.float32) -> jax.Array:
        k = shape[:-2]
        if any(size % s for size, s in zip(k, strides, strict=True)):
            raise ValueError(
                f"icnr: got kernel size {k} with strides {tuple(strides)}, expected a "
                "multiple"
            )
        small = [size // s for size, s in zip(k, strides, strict=True)]
        kernel = base(key, (*small, *shape[-2:]), dtype)
        for axis, s in enumerate(strides):
            kernel = jnp.repeat(kernel, s, axis)
        return kernel

    return repeat
