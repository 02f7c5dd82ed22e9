"""Converter of `equinox.nn.ConvTranspose`: our kernel, with its channels first."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.arithmetic import effective_kernel
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
from cpcnn_jax.layers.geometry import Padding, padding_pairs, per_axis

if TYPE_CHECKING:
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


@overload
def from_equinox(weight: Layer) -> tuple[FractionallyStridedConv, Variables]: ...
@overload
def from_equinox(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Params, Options]: ...
def from_equinox(
    weight: Any,
    bias: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: Padding = 0,
    output_padding: int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> tuple[Any, Any]:
    """Converts an `equinox.nn.ConvTranspose`, or its kernel.

    Args:
      weight: the layer, without further arguments, or its kernel
        `[C_out, C_in / groups, *k]`.
      bias: `[C_out, 1, ...]` or None.
      stride, padding, output_padding, dilation, groups: Equinox's arguments.

    Returns:
      Of a layer (module, variables): `FractionallyStridedConv` of inputs with channels
      last, {params: {kernel, bias}}. Of a kernel (params, options): {kernel, bias},
      {strides, padding, output_padding, kernel_dilation, feature_group_count}.

    Raises:
      ValueError: an unknown name of padding; another layer, or one with a padding_mode
        other than "ZEROS".

    Example:
      >>> params, options = from_equinox(np.ones((5, 3, 4, 4)), stride=2, padding=1)
      >>> params["kernel"].shape, options["padding"]
      ((4, 4, 3, 5), ((1, 1), (1, 1)))
    """
    if is_layer(weight, "equinox.nn.ConvTranspose"):
        return _from_layer(weight)
    weight = as_numpy(weight)
    k = weight.shape[2:]
    s, d = per_axis("stride", stride, len(k)), per_axis("dilation", dilation, len(k))
    a = per_axis("output_padding", output_padding, len(k), minimum=0)
    if isinstance(padding, str):
        axes = [_named_padding(padding, *axis) for axis in zip(k, s, a, d, strict=True)]
        pads, a = (tuple(part) for part in zip(*axes, strict=True))
    else:
        pads = tuple(padding_pairs(padding, len(k)))
    bias = None if bias is None else as_numpy(bias).reshape(-1)
    return pack(kernel=np.moveaxis(weight, (1, 0), (-2, -1)), bias=bias), dict(
        strides=s,
        padding=pads,
        output_padding=a,
        kernel_dilation=d,
        feature_group_count=groups,
    )


@overload
def to_equinox(params: FractionallyStridedConv, variables: Variables) -> Any: ...
@overload
def to_equinox(params: Params, **options: Any) -> tuple[Params, Options]: ...
def to_equinox(params: Any, variables: Any = None, **options: Any) -> Any:
    """Converts to an `equinox.nn.ConvTranspose`, or its arrays and arguments.

    Args:
      params: kernel, and bias if there is one; or the module.
      variables: of the module.
      **options: arguments of `fractionally_strided_conv`.

    Returns:
      Of a module: the layer. Of params: ({weight, bias}, {stride, padding, dilation,
      groups}), where padding includes the output padding.
    """
    if variables is not None:
        return _to_layer(*from_module(params, variables))
    kernel, geometry = to_canonical(params, **options)
    bias = params.get("bias")
    if bias is not None:
        bias = as_numpy(bias).reshape(-1, *(1 for _ in geometry.strides))
    return pack(weight=np.moveaxis(kernel, (-2, -1), (1, 0)), bias=bias), dict(
        stride=geometry.strides,
        padding=tuple(geometry.forward_pads),
        dilation=geometry.dilation,
        groups=geometry.groups,
    )


def _from_layer(layer: Any) -> tuple[FractionallyStridedConv, Variables]:
    """Converts a layer."""
    require("padding_mode", layer.padding_mode, "ZEROS")
    names = "stride", "padding", "output_padding", "dilation", "groups"
    arguments = {name: getattr(layer, name) for name in names}
    return to_module(*from_equinox(layer.weight, layer.bias, **arguments))


def _to_layer(params: Params, options: Options) -> Any:
    """Makes the layer of Equinox."""
    import equinox
    import jax

    arrays, arguments = to_equinox(params, **options)
    c_out, c_in, *k = arrays["weight"].shape
    layer = equinox.filter_eval_shape(
        equinox.nn.ConvTranspose,
        *(len(k), c_in * arguments["groups"], c_out, k),
        use_bias="bias" in arrays,
        dtype=arrays["weight"].dtype,
        key=jax.random.key(0),
        **arguments,
    )
    for name, array in arrays.items():
        where = operator.attrgetter(name)
        layer = equinox.tree_at(where, layer, jax.numpy.array(array))
    return layer


def _named_padding(
    name: str, k: int, s: int, a: int, d: int
) -> tuple[tuple[int, int], int]:
    """Returns padding and output padding of one axis for Equinox's name."""
    if name.upper() == "VALID":
        return (0, 0), a
    if name.upper() not in ("SAME", "SAME_LOWER"):
        raise ValueError(
            f"padding: got {name!r}, expected 'SAME', 'SAME_LOWER', 'VALID' or numbers"
        )
    total = effective_kernel(k, d) - s + a
    low = (max(total, 0) + (name.upper() == "SAME_LOWER")) // 2
    return (low, max(total, 0) - low), max(-total, 0)
