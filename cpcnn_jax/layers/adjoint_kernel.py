"""Kernel of the transposed convolution from that of the direct one, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    import jax

_Array = TypeVar("_Array", "jax.Array", np.ndarray)


def adjoint_kernel(kernel: _Array, groups: int) -> _Array:
    """Flips a kernel and exchanges its input and output channels; its own inverse.

    Args:
      kernel: `[*k, A / groups, B]`, a JAX or NumPy array.
      groups: feature groups.

    Returns:
      `[*k, B / groups, A]`.
    """
    *k, a, b = kernel.shape
    grouped = kernel.reshape(*k, a, groups, b // groups).swapaxes(-3, -1)
    flipped = grouped[(slice(None, None, -1),) * len(k)]
    return flipped.reshape(*k, b // groups, groups * a)
