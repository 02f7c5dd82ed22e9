"""Converter of Flax's `ConvTranspose`: our kernel, padding after stretching."""

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
from cpcnn_jax.layers.geometry import Padding, padding_pairs, per_axis

if TYPE_CHECKING:
    from flax import linen as nn

    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


@overload
def from_flax(
    kernel: Layer, bias: Variables | None = None
) -> tuple[FractionallyStridedConv, Variables]: ...
@overload
def from_flax(
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "SAME",
    kernel_dilation: int | Sequence[int] | None = None,
    transpose_kernel: bool = False,
) -> tuple[Params, Options]: ...
def from_flax(
    kernel: Any,
    bias: Any = None,
    *,
    strides: int | Sequence[int] | None = None,
    padding: Padding = "SAME",
    kernel_dilation: int | Sequence[int] | None = None,
    transpose_kernel: bool = False,
) -> tuple[Any, Any]:
    """Converts a `ConvTranspose` of linen or NNX, or its kernel.

    Args:
      kernel: the layer, or its kernel `[*k, C_in, C_out]`, `[*k, C_out, C_in]` with
        transpose_kernel.
      bias: `[C_out]` or None; of a layer of linen, its variables.
      strides, padding, kernel_dilation, transpose_kernel: Flax's fields, which pad
        the stretched input.

    Returns:
      Of a layer (module, variables): `FractionallyStridedConv`, {params: {kernel,
      bias}}; a mask is multiplied into the kernel. Of a kernel (params, options):
      {kernel, bias}, {strides, padding, kernel_dilation}.

    Raises:
      ValueError: padding "CIRCULAR", which does not pad with zeros, another layer, or
        one with its own promote_dtype or a preferred_element_type.

    Example:
      >>> import numpy as np
      >>> params, options = from_flax(np.ones((3, 1, 1)), strides=(2,))
      >>> options["padding"]  # for odd k the guide has the odd zero on the other side
      ((0, 1),)
    """
    if is_layer(kernel, "flax.linen.ConvTranspose", "flax.nnx.ConvTranspose"):
        return _from_layer(kernel, bias)
    kernel = as_numpy(kernel)
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


@overload
def to_flax(
    params: FractionallyStridedConv, variables: Variables
) -> tuple[nn.ConvTranspose, Variables]: ...
@overload
def to_flax(params: Params, **options: Any) -> tuple[Params, Options]: ...
def to_flax(params: Any, variables: Any = None, **options: Any) -> tuple[Any, Any]:
    """Converts to a `flax.linen.ConvTranspose`, or its parameters and fields.

    Args:
      params: kernel, and bias if there is one; or the module.
      variables: of the module.
      **options: arguments of `fractionally_strided_conv`, with one group.

    Returns:
      Of a module: (layer, variables). Of params:
      ({kernel, bias}, {kernel_size, strides, padding, kernel_dilation}).

    Raises:
      ValueError: feature groups, which Flax's layer does not have.
    """
    if variables is not None:
        return _to_layer(params, variables)
    kernel, geometry = to_canonical(params, **options)
    check_one_group(geometry, "flax.linen.ConvTranspose")
    return pack(kernel=kernel, bias=params.get("bias")), dict(
        kernel_size=geometry.kernel_size,
        strides=geometry.strides,
        padding=geometry.pads,
        kernel_dilation=geometry.dilation,
    )


def _from_layer(layer: Any, variables: Any) -> tuple[Any, Variables]:
    """Converts a layer of linen with its variables, or of NNX, which holds them."""
    require("preferred_element_type", layer.preferred_element_type, None)
    require("promote_dtype", layer.promote_dtype.__module__.partition(".")[0], "flax")
    if hasattr(layer, "kernel"):
        kernel, bias = layer.kernel, layer.bias
    elif variables is None:
        raise ValueError("variables: got None, expected those of the linen layer")
    else:
        kernel, bias = (variables["params"].get(name) for name in ("kernel", "bias"))
    kernel = as_numpy(kernel)
    params, options = from_flax(
        kernel if layer.mask is None else kernel * as_numpy(layer.mask),
        bias,
        strides=layer.strides,
        padding=layer.padding,
        kernel_dilation=layer.kernel_dilation,
        transpose_kernel=layer.transpose_kernel,
    )
    return to_module(params, options, dtype=layer.dtype, precision=layer.precision)


def _to_layer(module: Any, variables: Variables) -> tuple[nn.ConvTranspose, Variables]:
    """Makes the layer of linen, and its variables."""
    from flax import linen as nn

    params, options = from_module(module, variables)
    weights, fields = to_flax(params, **options)
    layer = nn.ConvTranspose(
        features=weights["kernel"].shape[-1],
        use_bias=module.use_bias,
        dtype=module.dtype,
        param_dtype=module.param_dtype,
        precision=module.precision,
        **fields,
    )
    return layer, {"params": weights}


def _flax_pads(extent: int, s: int, padding: str) -> tuple[int, int]:
    """Returns the zeros around the stretched input, as `jax.lax.conv_transpose`."""
    if padding == "VALID":
        return extent - 1, max(extent, s) - 1
    total = extent + s - 2
    low = extent - 1 if s > extent - 1 else total - total // 2
    return low, total - low
