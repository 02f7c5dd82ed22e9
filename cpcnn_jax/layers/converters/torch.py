"""Converter of `torch.nn.ConvTranspose1d`, 2d and 3d."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint import adjoint_kernel
from cpcnn_jax.layers.converters.canonical import Options, Params, pack, to_canonical
from cpcnn_jax.layers.geometry import Geometry


def from_torch(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | tuple[int, int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> tuple[Params, Options]:
    """Converts a `torch.nn.ConvTranspose1d`, 2d or 3d.

    Args:
      weight: `[C_in, C_out / groups, *k]`.
      bias: `[C_out]` or None.
      stride, padding, output_padding, groups, dilation: PyTorch's arguments.

    Returns:
      (params, options): {kernel, bias}, {strides, padding, output_padding,
      kernel_dilation, feature_group_count}.

    Example:
      >>> params, options = from_torch(np.ones((3, 5, 4, 4)), stride=2, padding=1)
      >>> params["kernel"].shape, options["padding"]
      ((4, 4, 3, 5), 1)
    """
    forward = np.moveaxis(np.asarray(weight), (1, 0), (-2, -1))
    return pack(kernel=adjoint_kernel(forward, groups), bias=bias), dict(
        strides=stride,
        padding=padding,
        output_padding=output_padding,
        kernel_dilation=dilation,
        feature_group_count=groups,
    )


def to_torch(params: Params, **options: Any) -> tuple[Params, Options]:
    """Converts to the state and arguments of a `torch.nn.ConvTranspose1d`, 2d or 3d.

    Args:
      params: kernel, and bias if there is one.
      **options: arguments of `fractionally_strided_conv`.

    Returns:
      ({weight, bias}, {stride, padding, output_padding, groups, dilation}).

    Raises:
      ValueError: padding that PyTorch cannot express.
    """
    kernel, geometry = to_canonical(params, **options)
    padding, extra = zip(*_symmetric_padding(geometry), strict=True)
    weight = np.moveaxis(adjoint_kernel(kernel, geometry.groups), (-2, -1), (1, 0))
    return pack(weight=weight, bias=params.get("bias")), dict(
        stride=geometry.strides,
        padding=padding,
        output_padding=extra,
        groups=geometry.groups,
        dilation=geometry.dilation,
    )


def _symmetric_padding(geometry: Geometry) -> list[tuple[int, int]]:
    """Returns (p, a) per axis, for padding p on both sides."""
    axes = zip(geometry.forward_pads, geometry.strides, geometry.dilation, strict=True)
    padding = []
    for (low, high), s, d in axes:
        if low < 0 or not 0 <= low - high < max(s, d):
            raise ValueError(
                f"padding: got ({low}, {high}), expected one p >= 0 for both sides, "
                f"with less than {max(s, d)} of output padding, for PyTorch"
            )
        padding.append((low, low - high))
    return padding
