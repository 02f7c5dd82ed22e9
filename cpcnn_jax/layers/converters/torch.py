"""Converter of `torch.nn.ConvTranspose1d`, 2d and 3d."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.converters.canonical import (
    Options,
    Params,
    as_numpy,
    pack,
    to_canonical,
)
from cpcnn_jax.layers.converters.modules import (
    Layer,
    Variables,
    from_module,
    is_layer,
    require,
    to_module,
)
from cpcnn_jax.layers.geometry import Geometry

if TYPE_CHECKING:
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


@overload
def from_torch(weight: Layer) -> tuple[FractionallyStridedConv, Variables]: ...
@overload
def from_torch(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | tuple[int, int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> tuple[Params, Options]: ...
def from_torch(
    weight: Any,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: int | Sequence[int | tuple[int, int]] = 0,
    output_padding: int | Sequence[int] = 0,
    groups: int = 1,
    dilation: int | Sequence[int] = 1,
) -> tuple[Any, Any]:
    """Converts a `torch.nn.ConvTranspose1d`, 2d or 3d, or its kernel.

    Args:
      weight: the layer, without further arguments, or its kernel
        `[C_in, C_out / groups, *k]`, which may require a gradient.
      bias: `[C_out]` or None.
      stride, padding, output_padding, groups, dilation: PyTorch's arguments.

    Returns:
      Of a layer (module, variables): `FractionallyStridedConv` of inputs with channels
      last, {params: {kernel, bias}}. Of a kernel (params, options): {kernel, bias},
      {strides, padding, output_padding, kernel_dilation, feature_group_count}.

    Raises:
      ValueError: another layer, or one without weights.

    Example:
      >>> params, options = from_torch(np.ones((3, 5, 4, 4)), stride=2, padding=1)
      >>> params["kernel"].shape, options["padding"]
      ((4, 4, 3, 5), 1)
    """
    if is_layer(weight, *(f"torch.nn.{name}" for name in _CLASSES)):
        return _from_layer(weight)
    forward = np.moveaxis(as_numpy(weight), (1, 0), (-2, -1))
    return pack(kernel=adjoint_kernel(forward, groups), bias=bias), dict(
        strides=stride,
        padding=padding,
        output_padding=output_padding,
        kernel_dilation=dilation,
        feature_group_count=groups,
    )


@overload
def to_torch(params: FractionallyStridedConv, variables: Variables) -> Any: ...
@overload
def to_torch(params: Params, **options: Any) -> tuple[Params, Options]: ...
def to_torch(params: Any, variables: Any = None, **options: Any) -> Any:
    """Converts to a `torch.nn.ConvTranspose1d`, 2d or 3d, or its state and arguments.

    Args:
      params: kernel, and bias if there is one; or the module.
      variables: of the module.
      **options: arguments of `fractionally_strided_conv`.

    Returns:
      Of a module: the layer. Of params:
      ({weight, bias}, {stride, padding, output_padding, groups, dilation}).

    Raises:
      ValueError: padding that PyTorch cannot express.
    """
    if variables is not None:
        return _to_layer(*from_module(params, variables))
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


_CLASSES = "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"


def _from_layer(layer: Any) -> tuple[FractionallyStridedConv, Variables]:
    """Converts a layer that has its weights."""
    require("padding_mode", layer.padding_mode, "zeros")
    if type(layer.weight).__name__ == "UninitializedParameter":
        raise ValueError("weight: got a lazy layer without weights, call it once first")
    params, options = from_torch(
        layer.weight,
        layer.bias,
        stride=layer.stride,
        padding=layer.padding,
        output_padding=layer.output_padding,
        groups=layer.groups,
        dilation=layer.dilation,
    )
    return to_module(params, options)


def _to_layer(params: Params, options: Options) -> Any:
    """Makes the layer of PyTorch, with the dtype of the parameters."""
    import torch

    state, arguments = to_torch(params, **options)
    c_in, c_out, *k = state["weight"].shape
    c_out *= arguments["groups"]
    layer = getattr(torch.nn, _CLASSES[len(k) - 1])(
        c_in, c_out, tuple(k), bias="bias" in state, **arguments
    )
    tensors = {}
    for name, a in state.items():  # PyTorch reads no bfloat16 of NumPy
        wide = a if a.dtype == np.float64 else a.astype(np.float32)
        tensors[name] = torch.tensor(wide, dtype=getattr(torch, a.dtype.name))
    layer = layer.to(tensors["weight"].dtype)
    layer.load_state_dict(tensors)
    return layer


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
