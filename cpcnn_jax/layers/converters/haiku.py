"""Converter of `haiku.ConvNDTranspose`: the kernel that `jax.lax` does not flip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.converters.canonical import (
    Options,
    Params,
    as_numpy,
    check_one_group,
    pack,
    to_canonical,
)
from cpcnn_jax.layers.converters.flax import from_flax
from cpcnn_jax.layers.converters.modules import (
    Variables,
    from_module,
    is_layer,
    require,
    to_module,
)

if TYPE_CHECKING:
    from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


class _Layer(Protocol):
    """The field by which a type checker tells a layer from a kernel."""

    @property
    def kernel_shape(self) -> Any: ...


@overload
def from_haiku(
    w: _Layer, b: Mapping[str, Any]
) -> tuple[FractionallyStridedConv, Variables]: ...
@overload
def from_haiku(
    w: ArrayLike,
    b: ArrayLike | None = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
) -> tuple[Params, Options]: ...
def from_haiku(
    w: Any,
    b: Any = None,
    *,
    stride: int | Sequence[int] = 1,
    padding: str | Sequence[tuple[int, int]] = "SAME",
) -> tuple[Any, Any]:
    """Converts a `haiku.Conv1DTranspose`, 2D, 3D or ND, or its kernel.

    Args:
      w: the layer, or its kernel `[*k, C_out, C_in]`.
      b: `[C_out]` or None; of a layer, the parameters of its transform.
      stride, padding: Haiku's arguments; pairs pad the stretched input.

    Returns:
      Of a layer (module, variables): `FractionallyStridedConv`, {params: {kernel,
      bias}}; a mask is multiplied into the kernel. Of a kernel (params, options):
      {kernel, bias}, {strides, padding, kernel_dilation}.

    Raises:
      ValueError: an unknown padding, another layer, or one with an output_shape or
        channels first.

    Example:
      >>> params, options = from_haiku(np.ones((4, 4, 5, 3)), stride=2)
      >>> params["kernel"].shape, options["padding"]
      ((4, 4, 3, 5), ((1, 1), (1, 1)))
    """
    if is_layer(w, "haiku.ConvNDTranspose"):
        return _from_layer(w, b)
    kernel = np.swapaxes(as_numpy(w), -1, -2)
    return from_flax(kernel, b, strides=stride, padding=padding)


@overload
def to_haiku(
    params: FractionallyStridedConv, variables: Variables
) -> tuple[Params, Options]: ...
@overload
def to_haiku(params: Params, **options: Any) -> tuple[Params, Options]: ...
def to_haiku(
    params: Any, variables: Any = None, **options: Any
) -> tuple[Params, Options]:
    """Converts to the parameters and arguments of a `haiku.ConvNDTranspose`.

    Args:
      params: kernel, and bias if there is one; or the module.
      variables: of the module.
      **options: arguments of `fractionally_strided_conv`, with one group.

    Returns:
      ({w, b}, {kernel_shape, stride, padding}). Of a module, all arguments that
      `haiku.ConvNDTranspose` needs; Haiku makes layers within a transform.

    Raises:
      ValueError: feature groups or dilation, which Haiku's layer does not have.
    """
    further = {}
    if variables is not None:
        params, options = from_module(params, variables)
        kernel, geometry = to_canonical(params, **options)
        further = dict(
            num_spatial_dims=len(geometry.strides),
            output_channels=kernel.shape[-1],
            with_bias="bias" in params,
        )
    kernel, geometry = to_canonical(params, **options)
    check_one_group(geometry, "haiku.ConvNDTranspose")
    require("kernel_dilation", geometry.dilation, (1,) * len(geometry.dilation))
    return pack(w=np.swapaxes(kernel, -1, -2), b=params.get("bias")), dict(
        kernel_shape=geometry.kernel_size,
        stride=geometry.strides,
        padding=geometry.pads,
        **further,
    )


def _from_layer(
    layer: Any, params: Mapping[str, Any]
) -> tuple[FractionallyStridedConv, Variables]:
    """Converts a layer with the parameters of its transform, or its own."""
    require("output_shape", layer.output_shape, None)
    if layer.channel_index != -1:
        raise ValueError(
            f"data_format: got {layer.data_format!r}, expected 'channels_last'"
        )
    own = params.get(layer.module_name, params)
    if "w" not in own:
        raise ValueError(
            f"params: got {sorted(params)}, expected {layer.module_name!r} or 'w'"
        )
    w = as_numpy(own["w"])
    w = w if layer.mask is None else w * as_numpy(layer.mask)
    return to_module(
        *from_haiku(w, own.get("b"), stride=layer.stride, padding=layer.padding)
    )
