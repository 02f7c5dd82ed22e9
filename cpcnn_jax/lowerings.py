"""Ways to compute one fractionally-strided convolution; all are the same function.

Every lowering is `f(x, kernel, geometry, precision)` with x `[B, *spatial, C_in]` and
kernel `[*k, C_in / groups, C_out]`; `zero_insertion` is the definition and the others
are tested against it. `layers` checks the arguments and fills in the geometry.
"""

import string
from typing import NamedTuple

import jax
from jax import lax


class Geometry(NamedTuple):
    """What a fractionally-strided convolution does to each spatial axis."""

    strides: tuple[int, ...]  # s: s - 1 zeros go between neighbouring units
    pads: tuple[tuple[int, int], ...]  # zeros around the stretched input; < 0 crops
    dilation: tuple[int, ...]  # d: the kernel's taps are d apart
    groups: int = 1  # feature groups


def dimension_numbers(rank: int) -> tuple[str, str, str]:
    """Layouts of input, kernel and output with `rank` spatial axes, channels last."""
    axes = string.digits[:rank]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def zero_insertion(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Insert zeros, pad, convolve with stride 1: the definition, in one primitive."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=(1,) * len(geometry.strides),
        padding=geometry.pads,
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=dimension_numbers(len(geometry.strides)),
        feature_group_count=geometry.groups,
        precision=precision,
    )
