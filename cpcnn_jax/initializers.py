"""Initialisers for the kernel of a fractionally-strided convolution.

Each returns `init(key, shape, dtype) -> kernel` for shape `[*k, C_in / groups, C_out]`.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax.typing import Initializer


def fractionally_strided_he_normal(strides: Sequence[int]) -> Initializer:
    """He-normal with the true fan-in, k^n C_in / s^n: inserted zeros carry nothing.

    The usual count k^n C_in is s^n times too large, and the activations shrink by
    s^(n/2) per layer.

    Args:
      strides: s per spatial axis.

    Returns:
      The initialiser; kernels have variance 2 s^n / (k^n C_in / groups).

    Example:
      >>> init = fractionally_strided_he_normal((2, 2))
      >>> init(jax.random.key(0), (4, 4, 8, 8)).std().round(2)
      Array(0.25, dtype=float32)

    Reference: He et al., Delving deep into rectifiers, ICCV 2015, equation 10.
    """

    def init(key, shape, dtype=jnp.float32) -> jax.Array:
        fan_in = math.prod(shape[:-1]) / math.prod(strides)
        return math.sqrt(2 / fan_in) * jax.random.normal(key, shape, dtype)

    return init
