"""Convolution of `jax.lax` that accumulates in float32 or wider."""

import string
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax


def convolve(lhs: jax.Array, rhs: jax.Array, **options: Any) -> jax.Array:
    """Convolves with at least float32 accumulation; the result has lhs's dtype."""
    is_narrow = jnp.issubdtype(lhs.dtype, jnp.floating) and lhs.dtype.itemsize < 4
    sum_dtype = jnp.float32 if is_narrow else lhs.dtype
    y = lax.conv_general_dilated(lhs, rhs, preferred_element_type=sum_dtype, **options)
    return y.astype(lhs.dtype)


def layouts(lhs: str, rhs: str, out: str, rank: int) -> tuple[str, ...]:
    """Returns layouts as lax spells them; "." stands for the spatial axes."""
    axes = string.digits[:rank]
    return tuple(layout.replace(".", axes) for layout in (lhs, rhs, out))
