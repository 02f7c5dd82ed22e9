"""Converter of Keras 3 `Conv1DTranspose`, 2D and 3D: padding by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.arithmetic import effective_kernel, effective_padding
from cpcnn_jax.layers.converters.canonical import (
    Options,
    Params,
    as_numpy,
    check_one_group,
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
from cpcnn_jax.layers.geometry import Geometry, per_axis

if TYPE_CHECKING:
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


@overload
def from_keras(kernel: Layer) -> tuple[FractionallyStridedConv, Variables]: ...
@overload
def from_keras(
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> tuple[Params, Options]: ...
def from_keras(
    kernel: Any,
    bias: ArrayLike | None = None,
    *,
    strides: int | Sequence[int] = 1,
    padding: str = "valid",
    output_padding: int | Sequence[int] | None = None,
    dilation_rate: int | Sequence[int] = 1,
) -> tuple[Any, Any]:
    """Converts a Keras 3 `Conv1DTranspose`, 2D or 3D, or its kernel.

    Args:
      kernel: the layer, without further arguments, or its kernel `[*k, C_out, C_in]`.
      bias: `[C_out]` or None.
      strides, padding, output_padding, dilation_rate: Keras's arguments, as its
        backends JAX and TensorFlow compute them.

    Returns:
      Of a layer (module, variables): `FractionallyStridedConv`, {params: {kernel,
      bias}}. Of a kernel (params, options): {kernel, bias}, {strides, padding,
      kernel_dilation}.

    Raises:
      ValueError: padding is neither "valid" nor "same"; another layer, or one with an
        activation, channels first, or no weights yet.
    """
    if is_layer(kernel, *(f"keras.layers.{name}" for name in _CLASSES)):
        return _from_layer(kernel)
    kernel = as_numpy(kernel)
    k = kernel.shape[:-2]
    if padding not in ("valid", "same"):
        raise ValueError(f"padding: got {padding!r}, expected 'valid' or 'same'")
    s = per_axis("strides", strides, len(k))
    d = per_axis("dilation_rate", dilation_rate, len(k))
    extra: tuple[int | None, ...] = (None,) * len(k)
    if output_padding is not None:
        extra = per_axis("output_padding", output_padding, len(k), minimum=0)
    extents = [effective_kernel(*axis) for axis in zip(k, d, strict=True)]
    axes = zip(extents, s, extra, strict=True)
    pads = [_stretched_pads(*axis, padding) for axis in axes]
    return pack(kernel=adjoint_kernel(kernel, 1), bias=bias), dict(
        strides=s,
        padding=tuple(map(effective_padding, extents, pads)),
        kernel_dilation=d,
    )


@overload
def to_keras(params: FractionallyStridedConv, variables: Variables) -> Any: ...
@overload
def to_keras(params: Params, **options: Any) -> tuple[Params, Options]: ...
def to_keras(params: Any, variables: Any = None, **options: Any) -> Any:
    """Converts to a Keras 3 transposed convolution, or its weights and arguments.

    Args:
      params: kernel, and bias if there is one; or the module.
      variables: of the module.
      **options: arguments of `fractionally_strided_conv`, with one group.

    Returns:
      Of a module: the layer. Of params: ({kernel, bias},
      {kernel_size, strides, padding, output_padding, dilation_rate}).

    Raises:
      ValueError: feature groups, or padding that Keras cannot express.
    """
    if variables is not None:
        return _to_layer(*from_module(params, variables))
    kernel, geometry = to_canonical(params, **options)
    check_one_group(geometry, "a Keras transposed convolution")
    padding, extra = _padding_arguments(geometry)
    stored = adjoint_kernel(kernel, 1)
    return pack(kernel=stored, bias=params.get("bias")), dict(
        kernel_size=geometry.kernel_size,
        strides=geometry.strides,
        padding=padding,
        output_padding=extra,
        dilation_rate=geometry.dilation,
    )


_CLASSES = "Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose"


def _from_layer(layer: Any) -> tuple[FractionallyStridedConv, Variables]:
    """Converts a layer that has its weights."""
    require("data_format", layer.data_format, "channels_last")
    require("activation", layer.activation.__name__, "linear")
    if not layer.built:
        raise ValueError("kernel: got a layer without weights, call it once first")
    params, options = from_keras(
        *layer.get_weights(),
        strides=layer.strides,
        padding=layer.padding,
        output_padding=layer.output_padding,
        dilation_rate=layer.dilation_rate,
    )
    return to_module(params, options, dtype=layer.compute_dtype)


def _to_layer(params: Params, options: Options) -> Any:
    """Makes the layer of Keras, with the dtype of the parameters."""
    import keras

    weights, arguments = to_keras(params, **options)
    *k, features, c_in = weights["kernel"].shape
    layer = getattr(keras.layers, _CLASSES[len(k) - 1])(
        features,
        use_bias="bias" in weights,
        data_format="channels_last",
        dtype=weights["kernel"].dtype.name,
        **arguments,
    )
    layer.build((None, *(None for _ in k), c_in))
    layer.set_weights(list(weights.values()))
    return layer


def _stretched_pads(
    extent: int, s: int, extra: int | None, padding: str
) -> tuple[int, int]:
    """Returns Keras's zeros around the stretched input; extra is its output padding."""
    if padding == "valid":
        extra = max(extent, s) - extent if extra is None else extra
        return extent - 1, extent - 1 + extra
    total = extent + s - 2 if extra is None else extent + extent % 2 - 2 + extra
    low = min(total - total // 2, extent - 1)
    return low, total - low


def _padding_arguments(geometry: Geometry) -> tuple[str, tuple[int, ...] | None]:
    """Returns padding and output_padding that give the geometry's zeros."""
    extents = map(effective_kernel, geometry.kernel_size, geometry.dilation)
    axes = list(zip(extents, geometry.strides, geometry.pads, strict=True))
    for padding in ("same", "valid"):
        if all(_stretched_pads(k, s, None, padding) == pads for k, s, pads in axes):
            return padding, None
        fitting = [
            [a for a in range(s) if _stretched_pads(k, s, a, padding) == pads]
            for k, s, pads in axes
        ]
        if all(fitting):
            return padding, tuple(a for (a,) in fitting)
    raise ValueError(
        f"padding: got zeros {geometry.pads} around the stretched input, expected "
        "those of Keras's 'same' or 'valid' with an output_padding below the stride"
    )
