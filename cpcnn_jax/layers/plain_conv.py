"""Convolution of `jax.lax` that accumulates in float32 or wider."""

import string
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def convolve(lhs: jax.Array, rhs: jax.Array, **options: Any) -> jax.Array:
    """Convolves with at least float32 accumulation; the result has lhs's dtype.

    On GPUs cuDNN and MIOpen accumulate narrow floats in float32 anyway. XLA would
    convert both operands to float32 for them if the result were to be float32.
    """

    def plain(lhs, rhs):
        return lax.conv_general_dilated(lhs, rhs, **options)

    def widened(lhs, rhs):
        wide = dict(preferred_element_type=jnp.float32)
        return lax.conv_general_dilated(lhs, rhs, **options, **wide).astype(lhs.dtype)

    if not jnp.issubdtype(lhs.dtype, jnp.floating) or lhs.dtype.itemsize >= 4:
        return plain(lhs, rhs)
    return lax.platform_dependent(lhs, rhs, cuda=plain, rocm=plain, default=widened)


def layouts(lhs: str, rhs: str, out: str, rank: int) -> tuple[str, ...]:
    """Returns layouts as lax spells them; "." stands for the spatial axes."""
    axes = string.digits[:rank]
    return tuple(layout.replace(".", axes) for layout in (lhs, rhs, out))
