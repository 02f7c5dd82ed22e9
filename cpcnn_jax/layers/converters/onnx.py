"""Converter of the ONNX operator ConvTranspose: PyTorch's kernel, padding four ways."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.arithmetic import effective_kernel
from cpcnn_jax.layers.converters.canonical import Options, Params, pack, to_canonical
from cpcnn_jax.layers.converters.torch import from_torch
from cpcnn_jax.layers.geometry import per_axis


def from_onnx(
    W: ArrayLike,
    B: ArrayLike | None = None,
    *,
    input_size: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> tuple[Params, Options]:
    """Converts an ONNX ConvTranspose node.

    Args:
      W: `[C_in, C_out / group, *k]`.
      B: `[C_out]` or None.
      input_size: spatial size of X; used with output_shape only.
      auto_pad, dilations, group, kernel_shape, output_padding, output_shape, pads,
        strides: the node's attributes (str, not bytes).

    Returns:
      (params, options): those of `from_torch`.

    Raises:
      ValueError: kernel_shape is not W's, an unknown auto_pad, or output_shape
        without input_size.

    Reference: ONNX operators, ConvTranspose-22.
    """
    k = np.shape(W)[2:]
    if kernel_shape is not None and tuple(kernel_shape) != k:
        raise ValueError(f"kernel_shape: got {tuple(kernel_shape)}, expected {k} as W")
    rank = len(k)
    s = per_axis("strides", 1 if strides is None else strides, rank)
    d = per_axis("dilations", 1 if dilations is None else dilations, rank)
    a = 0 if output_padding is None else output_padding
    a = per_axis("output_padding", a, rank, minimum=0)
    if output_shape is not None:
        if input_size is None:
            raise ValueError("got output_shape, expected input_size with it")
        inputs = per_axis("input_size", input_size, rank)
        outputs = per_axis("output_shape", output_shape, rank)
        sizes = zip(s, inputs, outputs, strict=True)
        padding = _padding_by_total(
            auto_pad, k, s, a, d, [s_ * i - o for s_, i, o in sizes]
        )
    elif auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        padding = _padding_by_total(auto_pad, k, s, a, d, (0,) * len(k))
    elif auto_pad in ("NOTSET", "VALID"):
        pads = per_axis("pads", 0 if pads is None else pads, 2 * rank, minimum=0)
        padding = tuple(zip(pads[:rank], pads[rank:], strict=True))
    else:
        raise ValueError(
            f"auto_pad: got {auto_pad!r}, expected NOTSET, SAME_UPPER, SAME_LOWER or "
            "VALID"
        )
    return from_torch(
        W, B, stride=s, padding=padding, output_padding=a, groups=group, dilation=d
    )


def to_onnx(params: Params, **options: Any) -> tuple[Params, Options]:
    """Converts to the inputs W, B and the attributes of an ONNX ConvTranspose node.

    Args:
      params: kernel, and bias if there is one.
      **options: arguments of `fractionally_strided_conv`.

    Returns:
      ({W, B}, attributes), with explicit pads.

    Raises:
      ValueError: padding that ONNX cannot express.
    """
    kernel, geometry = to_canonical(params, **options)
    padding = []
    axes = zip(geometry.forward_pads, geometry.strides, geometry.dilation, strict=True)
    for (low, high), s, d in axes:
        a = max(0, -high)  # ONNX pads are not negative; output padding adds units
        if low < 0 or a >= max(s, d):
            raise ValueError(
                f"padding: got ({low}, {high}), expected low >= 0 and high > "
                f"{-max(s, d)} for ONNX"
            )
        padding.append((low, high + a, a))
    lows, highs, extra = zip(*padding, strict=True)
    weight = np.moveaxis(adjoint_kernel(kernel, geometry.groups), (-2, -1), (1, 0))
    return pack(W=weight, B=params.get("bias")), dict(
        dilations=list(geometry.dilation),
        group=geometry.groups,
        kernel_shape=list(geometry.kernel_size),
        output_padding=list(extra),
        pads=[*lows, *highs],
        strides=list(geometry.strides),
    )


def _padding_by_total(auto_pad, kernel_size, strides, extra, dilation, missing):
    """Divides the total padding, k' + a - s + (s i - output size), by auto_pad.

    A negative total is zeros at the end, beyond the reach of kernel and stride.
    """
    padding, upper = [], auto_pad == "SAME_UPPER"
    axes = zip(kernel_size, strides, extra, dilation, missing, strict=True)
    for k, s, a, d, rest in axes:
        total = effective_kernel(k, d) + a - s + rest
        less, more = max(total, 0) // 2, -(-total // 2) if total > 0 else total
        padding.append((less, more) if upper or total < 0 else (more, less))
    return tuple(padding)
