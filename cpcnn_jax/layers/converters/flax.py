"""Converter of `flax.linen.ConvTranspose`: our kernel, padding after stretching."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint import adjoint_kernel
from cpcnn_jax.layers.arithmetic import effective_kernel, effective_padding
from cpcnn_jax.layers.converters.canonical import (
    Options,
    Params,
    check_one_group,
    pack,
    to_canonical,
)
from cpcnn_jax.layers.geometry import Padding, padding_pairs, per_axis


def from_flax(
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "SAME",
    kernel_dilation: int | Sequence[int] | None = None,
    transpose_kernel: bool = False,
) -> tuple[Params, Options]:
    """Converts a `flax.linen.ConvTranspose`, which pads the stretched input.

    Args:
      kernel: `[*k, C_in, C_out]`, or `[*k, C_out, C_in]` with transpose_kernel.
      bias: `[C_out]` or None.
      strides, padding, kernel_dilation, transpose_kernel: Flax's fields.

    Returns:
      (params, options): {kernel, bias}, {strides, padding, kernel_dilation}.

    Raises:
      ValueError: padding "CIRCULAR", which does not pad with zeros.

    Example:
      >>> params, options = from_flax(np.ones((3, 1, 1)), strides=(2,))
      >>> options["padding"]  # for odd k the guide has the odd zero on the other side
      ((0, 1),)
    """
    kernel = np.asarray(kernel)
    k = kernel.shape[:-2]
    s = per_axis("strides", 1 if strides is None else strides, len(k))
    d = 1 if kernel_dilation is None else kernel_dilation
    d = per_axis("kernel_dilation", d, len(k))
    extents = [effective_kernel(*axis) for axis in zip(k, d, strict=True)]
    if isinstance(padding, str) and padding in ("SAME", "VALID"):
        axes = zip(extents, s, strict=True)
        pads = [_flax_pads(*axis, padding) for axis in axes]
    elif isinstance(padding, str):
        raise ValueError(f"padding: got {padding!r}, expected 'SAME', 'VALID' or pads")
    else:
        pads = padding_pairs(padding, len(k))
    if transpose_kernel:
        kernel = adjoint_kernel(kernel, 1)
    return pack(kernel=kernel, bias=bias), dict(
        strides=s,
        padding=tuple(map(effective_padding, extents, pads)),
        kernel_dilation=d,
    )


def to_flax(params: Params, **options: Any) -> tuple[Params, Options]:
    """Converts to the parameters and fields of a `flax.linen.ConvTranspose`.

    Args:
      params: kernel, and bias if there is one.
      **options: arguments of `fractionally_strided_conv`, with one group.

    Returns:
      ({kernel, bias}, {kernel_size, strides, padding, kernel_dilation}).

    Raises:
      ValueError: feature groups, which Flax's layer does not have.
    """
    kernel, geometry = to_canonical(params, **options)
    check_one_group(geometry, "flax.linen.ConvTranspose")
    return pack(kernel=kernel, bias=params.get("bias")), dict(
        kernel_size=geometry.kernel_size,
        strides=geometry.strides,
        padding=geometry.pads,
        kernel_dilation=geometry.dilation,
    )


def _flax_pads(extent: int, s: int, padding: str) -> tuple[int, int]:
    """Returns the zeros around the stretched input, as `jax.lax.conv_transpose`."""
    if padding == "VALID":
        return extent - 1, max(extent, s) - 1
    total = extent + s - 2
    low = extent - 1 if s > extent - 1 else total - total // 2
    return low, total - low
