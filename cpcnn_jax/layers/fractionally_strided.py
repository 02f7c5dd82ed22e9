"""Fractionally-strided convolution, as a function and as a Flax module.

The layer inserts s - 1 zeros between the units of the input, pads, and convolves with
stride 1. It is the transpose of a convolution with stride s. As in the guide, PyTorch
and ONNX, kernel size k, padding p and dilation d are those of that convolution.
Channels come last; there are one to three spatial axes, with or without a batch axis.

Reference: Dumoulin & Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285, relationships 8 to 15.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.typing import Dtype, Initializer
from jax import lax

from cpcnn_jax.layers import primitive
from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.array_types import Bias, Input, Kernel, Output, PerAxis
from cpcnn_jax.layers.geometry import Padding, per_axis, resolve
from cpcnn_jax.layers.initializers import fractionally_strided_he_normal
from cpcnn_jax.layers.integers import as_integer, is_sequence

LOWERINGS = ("zero_insertion", "subpixel", "auto")


def insert_zeros(x: Input, strides: PerAxis = 2) -> Output:
    """Stretches the input: puts s - 1 zeros between the units of each spatial axis.

    Args:
      x: `[B, *spatial, C]`; also `[*spatial, C]` where strides is a sequence, whose
        length is then the number of spatial axes.
      strides: s, for all axes or per axis.

    Returns:
      `[B, *(s (spatial - 1) + 1), C]`, of x's dtype.

    Raises:
      ValueError: a stride below 1, or fewer axes than strides.

    Example:
      >>> insert_zeros(jnp.ones((1, 3, 1)), 2).ravel()
      Array([1., 0., 1., 0., 1.], dtype=float32)

    Reference: the guide, relationship 12, "stretched input".
    """
    x = jnp.asarray(x)
    rank = len(strides) if is_sequence(strides) else x.ndim - 2  # type: ignore[arg-type]
    strides = per_axis("strides", strides, rank)
    if not 1 <= rank < x.ndim:
        raise ValueError(
            f"x: got shape {x.shape}, expected [batch, *spatial, channels] with "
            f"{max(rank, 1)} or more spatial axes"
        )
    zeros = (0,) * (x.ndim - 1 - rank) + tuple(s - 1 for s in strides) + (0,)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, n) for n in zeros])


def fractionally_strided_conv(
    x: Input,
    kernel: Kernel,
    bias: Bias | None = None,
    *,
    strides: PerAxis = 2,
    padding: Padding = 1,
    output_padding: PerAxis = 0,
    kernel_dilation: PerAxis = 1,
    feature_group_count: int = 1,
    transpose_kernel: bool = False,
    output_size: PerAxis | None = None,
    lowering: str = "zero_insertion",
    precision: lax.PrecisionLike = None,
) -> Output:
    """Convolves with stride 1 / s: inserts zeros, pads and convolves with stride 1.

    With k' = d (k - 1) + 1, k' - 1 - p zeros go before and k' - 1 - p + a after the
    stretched input (a negative number crops units), which is then correlated with the
    kernel. bfloat16 and float16 are accumulated in float32, narrow integers in int32,
    which is their result. Derivatives of any order, forward and reverse, cost the same
    for every lowering (`primitive`); the value beside them uses the chosen one. A NaN
    or infinite unit of x reaches the same outputs by every lowering, those whose window
    holds it. `lowerings` has the exception, and what one of the kernel does.

    Args:
      x: `[B, *spatial, C_in]` or `[*spatial, C_in]`.
      kernel: `[*k, C_in / groups, C_out]`; see transpose_kernel.
      bias: `[C_out]` or None.
      strides: s, for all axes or per axis.
      padding: p of the transposed convolution, for all axes or per axis, each an
        integer or a pair (low, high); or a name. "VALID" is 0. "SAME" is the transpose
        of the "SAME" convolution of an input s times as large.
      output_padding: a, 0 <= a < max(s, d), for all axes or per axis; further units
        at the end of each axis, computed as all others are.
      kernel_dilation: d, for all axes or per axis.
      feature_group_count: groups; input and output channels are divided among them.
      transpose_kernel: False correlates with the kernel as stored. True takes the
        kernel `[*k, C_out / groups, C_in]` of the forward convolution from C_out to
        C_in channels and applies exactly that convolution's transpose.
      output_size: output size instead of output_padding, for all axes or per axis.
      lowering: algorithm of the value: "zero_insertion" as defined above, "subpixel"
        without multiplications by inserted zeros, or "auto", which multiplies none on
        CPUs and GPUs.
      precision: as in `jax.lax.conv_general_dilated`.

    Returns:
      `[B, *(s (spatial - 1) + a + k' - 2p), C_out]`, without B if x had none.

    Raises:
      ValueError: shapes or numbers that do not fit; the message has the given and the
        expected ones.

    Example:
      >>> kernel = jnp.ones((4, 4, 3, 5))
      >>> fractionally_strided_conv(jnp.ones((1, 8, 6, 3)), kernel).shape
      (1, 16, 12, 5)

    Reference: the guide, relationships 14 and 15.
    """
    x, kernel = jnp.asarray(x), jnp.asarray(kernel)
    groups = as_integer("feature_group_count", feature_group_count)
    _check_shapes(x, kernel, bias, groups, transpose_kernel)
    if lowering not in LOWERINGS:
        raise ValueError(f"lowering: got {lowering!r}, expected one of {LOWERINGS}")
    if transpose_kernel:
        kernel = adjoint_kernel(kernel, groups)
    rank = kernel.ndim - 2
    geometry = resolve(
        x.shape[-rank - 1 : -1],
        kernel.shape[:rank],
        strides=strides,
        padding=padding,
        output_padding=output_padding,
        kernel_dilation=kernel_dilation,
        groups=groups,
        output_size=output_size,
    )
    dtype = jnp.result_type(x, kernel)
    if not jnp.issubdtype(dtype, jnp.inexact) and dtype.itemsize < 4:
        dtype = jnp.dtype(jnp.int32)
    batch = x.astype(dtype) if x.ndim == rank + 2 else x.astype(dtype)[None]
    y = primitive.convolve(batch, kernel.astype(dtype), geometry, precision, lowering)
    y = y if x.ndim == rank + 2 else y[0]
    if bias is None:
        return y
    return y + jnp.asarray(bias).reshape((1,) * (y.ndim - 1) + (-1,))


class FractionallyStridedConv(nn.Module):
    """Fractionally-strided convolution with its own kernel and bias.

    By default (kernel 4, stride 2, padding 1) it doubles the input size. Parameters are
    `kernel` `[*k, C_in / groups, features]`, or `[*k, features / groups, C_in]` with
    transpose_kernel, and `bias` `[features]`.

    Attributes:
      features: C_out.
      kernel_size: k; a tuple has 1, 2 or 3 numbers, one per spatial axis. An integer
        means k x k and a batch of images; write (k,) for sequences.
      strides, padding, output_padding, kernel_dilation, feature_group_count,
        transpose_kernel, lowering, precision: arguments of
        `fractionally_strided_conv`.
      use_bias: whether to add a bias.
      dtype: dtype of the computation, by default that of input and parameters.
      param_dtype: dtype of the parameters.
      kernel_init, bias_init: initializers; the kernel's default is he-normal with the
        fan-in without inserted zeros.

    Example:
      >>> layer = FractionallyStridedConv(features=32)
      >>> x = jnp.ones((1, 8, 6, 3))
      >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
      (1, 16, 12, 32)
    """

    features: int
    kernel_size: PerAxis = 4
    strides: PerAxis = 2
    padding: Padding = 1
    output_padding: PerAxis = 0
    kernel_dilation: PerAxis = 1
    feature_group_count: int = 1
    use_bias: bool = True
    transpose_kernel: bool = False
    lowering: str = "zero_insertion"
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    precision: lax.PrecisionLike = None
    kernel_init: Initializer | None = None
    bias_init: Initializer = nn.initializers.zeros_init()

    @nn.compact
    def __call__(self, x: Input, *, output_size: PerAxis | None = None) -> Output:
        """Upsamples x to `features` channels.

        Args:
          x: `[B, *spatial, C_in]` or `[*spatial, C_in]`.
          output_size: output size instead of output_padding, for all axes or per axis.

        Returns:
          `[B, *(s (spatial - 1) + a + k' - 2p), features]`, without B if x had none.
        """
        groups = as_integer("feature_group_count", self.feature_group_count)
        features, c_in = as_integer("features", self.features), jnp.shape(x)[-1]
        if self.has_variable("params", "kernel"):  # clearer than Flax's shape error
            stored: jax.Array = self.get_variable("params", "kernel")
            _check_shapes(x, stored, None, groups, self.transpose_kernel)
            k = per_axis("kernel_size", self.kernel_size, stored.ndim - 2)
        else:
            k = _kernel_size(self.kernel_size, jnp.shape(x))
        _check_divisible(groups, c_in=c_in, features=features)
        inner, outer = c_in // groups, features
        if self.transpose_kernel:
            inner, outer = features // groups, c_in
        strides = per_axis("strides", self.strides, len(k))
        init = self.kernel_init or fractionally_strided_he_normal(
            strides, transpose_kernel=self.transpose_kernel, groups=groups
        )
        kernel = self.param("kernel", init, (*k, inner, outer), self.param_dtype)
        bias = None
        if self.use_bias:
            bias = self.param("bias", self.bias_init, (features,), self.param_dtype)
        x, kernel, bias = nn.dtypes.promote_dtype(x, kernel, bias, dtype=self.dtype)
        return fractionally_strided_conv(
            x,
            kernel,
            bias,
            strides=strides,
            padding=self.padding,
            output_padding=self.output_padding,
            kernel_dilation=self.kernel_dilation,
            feature_group_count=groups,
            transpose_kernel=self.transpose_kernel,
            output_size=output_size,
            lowering=self.lowering,
            precision=self.precision,
        )


def _kernel_size(size: PerAxis, x_shape: Sequence[int]) -> tuple[int, ...]:
    """Returns k per spatial axis; refuses an integer for x of three axes.

    Such an x is a batch of sequences or an image without a batch.
    """
    if is_sequence(size):
        return per_axis("kernel_size", size, len(size))  # type: ignore[arg-type]
    if len(x_shape) == 3:
        raise ValueError(
            f"got kernel_size {size} for x of shape {tuple(x_shape)}: expected "
            f"({size},) for a batch of sequences, or ({size}, {size}) for an image "
            "without a batch"
        )
    return per_axis("kernel_size", size, 2)


def _check_shapes(x, kernel, bias, groups: int, transpose_kernel: bool) -> None:
    """Raises ValueError if the arrays do not fit together."""
    rank = kernel.ndim - 2
    if not 1 <= rank <= 3:
        raise ValueError(
            f"kernel: got shape {kernel.shape}, expected 1 to 3 spatial axes and two "
            "of channels"
        )
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"x: got {x.ndim} axes (shape {x.shape}), expected {rank + 2} (batch, "
            f"{rank} spatial, channels) or {rank + 1} for a kernel of {kernel.shape}"
        )
    c_in, c_out = kernel.shape[-2] * groups, kernel.shape[-1]
    if transpose_kernel:
        c_in, c_out = c_out, c_in
    if x.shape[-1] != c_in:
        first = x.ndim - rank - 1
        hint = "; channels come last: move them with jnp.moveaxis(x, {}, -1)"
        raise ValueError(
            f"x: got {x.shape[-1]} channels (shape {x.shape}), expected {c_in} for a "
            f"kernel of {kernel.shape} and {groups} group(s)"
            + (hint.format(first) if x.shape[first] == c_in else "")
        )
    _check_divisible(groups, c_in=c_in, c_out=c_out)
    if bias is not None and jnp.shape(bias) != (c_out,):
        raise ValueError(f"bias: got shape {jnp.shape(bias)}, expected ({c_out},)")


def _check_divisible(groups: int, **channels: int) -> None:
    """Raises ValueError unless all numbers of channels are multiples of groups."""
    for name, number in channels.items():
        if number < 1:
            raise ValueError(f"{name}: got {number}, expected at least one channel")
        if groups < 1 or number % groups:
            raise ValueError(
                f"feature_group_count: got {groups}, expected a divisor of {name} = "
                f"{number}"
            )
