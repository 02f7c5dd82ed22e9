"""Integers from arguments, which may be NumPy's or JAX's, one or one per axis."""

import operator
from collections.abc import Sequence
from typing import Any


def as_integer(name: str, value: Any) -> int:
    """Returns the value as int; symbolic sizes of `jax.export` stay as they are.

    Args:
      name: name of the argument, for the message.
      value: integer of Python, NumPy or JAX.

    Raises:
      ValueError: value is no integer, for example a float.

    Example:
      >>> import numpy as np
      >>> as_integer("strides", np.int8(2))
      2
    """
    if not isinstance(value, int):
        from jax import export  # slow to import, and most values are plain integers

        if export.is_symbolic_dim(value):
            return value  # type: ignore[return-value]
    try:
        return int(operator.index(value))
    except TypeError:
        raise ValueError(f"got {name} {value!s:.80}, expected an integer") from None


def is_sequence(value: int | Sequence[Any]) -> bool:
    """Tests whether an argument has a value per axis, and not one for all axes."""
    try:
        len(value)  # type: ignore[arg-type]
    except TypeError:
        return False
    return True
