"""The fractionally-strided convolution: as a function, and as a Flax module.

Insert s - 1 zeros between the units of the input, pad, convolve with stride 1. It is
the transpose of a convolution with stride s, whose kernel size k, padding p and
dilation d name it here as in the guide, PyTorch and ONNX. Channels come last; one, two
or three spatial axes; with or without a batch axis.

Reference: Dumoulin & Visin, A guide to convolution arithmetic for deep learning,
arXiv:1603.07285, relationships 8 to 15.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax.typing import Dtype, Initializer
from jax import lax

from cpcnn_jax import primitive
from cpcnn_jax.initializers import fractionally_strided_he_normal
from cpcnn_jax.lowerings import Geometry, adjoint_kernel

Padding = str | int | Sequence[int | tuple[int, int]]


def insert_zeros(x: jax.Array, strides: int | Sequence[int] = 2) -> jax.Array:
    """Stretch the input: put s - 1 zeros between the units of each spatial axis.

    Args:
      x: `[B, *spatial, C]`, or `[*spatial, C]` if strides is a sequence as long as
        spatial.
      strides: s, one for every spatial axis or one for each.

    Returns:
      `[B, *(s (spatial - 1) + 1), C]`.

    Raises:
      ValueError: a stride below 1, or x has fewer axes than strides.

    Example:
      >>> insert_zeros(jnp.ones((1, 3, 1)), 2).ravel()
      Array([1., 0., 1., 0., 1.], dtype=float32)

    Reference: the guide, section 4.4, the picture of relationship 12.
    """
    rank = x.ndim - 2 if isinstance(strides, int) else len(strides)
    strides = _per_axis("strides", strides, rank, minimum=1)
    interior = (0,) * (x.ndim - rank - 1) + tuple(s - 1 for s in strides) + (0,)
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, zeros) for zeros in interior])


def fractionally_strided_conv(
    x: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: int | Sequence[int] = 2,
    padding: Padding = 1,
    output_padding: int | Sequence[int] = 0,
    kernel_dilation: int | Sequence[int] = 1,
    feature_group_count: int = 1,
    transpose_kernel: bool = False,
    lowering: str = "zero_insertion",
    precision: lax.PrecisionLike = None,
) -> jax.Array:
    """Convolve with stride 1 / s: insert zeros, pad, convolve.

    With k' = d (k - 1) + 1, k' - 1 - p zeros go before and k' - 1 - p + a after the
    stretched input (negative: that many units are cropped), which is then correlated
    with the kernel.

    Args:
      x: `[B, *spatial, C_in]` or `[*spatial, C_in]`.
      kernel: `[*k, C_in / groups, C_out]`; see transpose_kernel.
      bias: `[C_out]` or None.
      strides: s, for all axes or per axis.
      padding: p of the matching forward convolution, for all axes or per axis, each
        an integer or a pair (low, high).
      output_padding: a, 0 <= a < max(s, d); further rows at the end of each axis,
        computed like all others.
      kernel_dilation: d, for all axes or per axis.
      feature_group_count: groups; input and output channels are divided among them.
      transpose_kernel: False correlates with the kernel as stored. True takes the
        kernel `[*k, C_out / groups, C_in]` of the forward convolution from C_out to
        C_in channels and applies exactly that convolution's transpose.
      lowering: how to compute the value: "zero_insertion" as defined above,
        "subpixel" without a multiplication by an inserted zero, or "auto", whichever
        was measured to be faster. Under differentiation it is always "auto", and the
        gradients are two ordinary convolutions; see `primitive`.
      precision: as in `jax.lax.conv_general_dilated`.

    Returns:
      `[B, *(s (spatial - 1) + a + k' - 2p), C_out]`, without B if x had none.

    Raises:
      ValueError: shapes or numbers that do not fit; the text has got and expected.

    Example:
      >>> kernel = jnp.ones((4, 4, 3, 5))
      >>> fractionally_strided_conv(jnp.ones((1, 8, 6, 3)), kernel).shape
      (1, 16, 12, 5)

    Reference: the guide, relationships 14 and 15.
    """
    rank = kernel.ndim - 2
    batched = x if x.ndim == rank + 2 else x[None]
    if transpose_kernel:
        kernel = adjoint_kernel(kernel, feature_group_count)
    strides = _per_axis("strides", strides, rank, minimum=1)
    dilation = _per_axis("kernel_dilation", kernel_dilation, rank, minimum=1)
    extra = _per_axis("output_padding", output_padding, rank, minimum=0)
    paddings = _pairs(padding, rank)
    reach = [d * (k - 1) for d, k in zip(dilation, kernel.shape, strict=False)]
    pads = tuple(
        (r - low, r - high + a)
        for r, (low, high), a in zip(reach, paddings, extra, strict=True)
    )
    geometry = Geometry(
        kernel.shape[:rank], strides, pads, dilation, feature_group_count
    )
    y = primitive.convolve(batched, kernel, geometry, precision, lowering)
    if bias is not None:
        y = y + bias.reshape((1,) * (rank + 1) + (-1,))
    return y if x.ndim == rank + 2 else y[0]


class FractionallyStridedConv(nn.Module):
    """A fractionally-strided convolution with its own kernel and bias.

    By default (kernel 4, stride 2, padding 1) it exactly doubles the input. Parameters
    are `kernel` `[*k, C_in / groups, features]` and `bias` `[features]`.

    Attributes:
      features: C_out.
      kernel_size: k; an integer means k x k.
      strides, padding, output_padding, kernel_dilation, feature_group_count,
        transpose_kernel, lowering, precision: see `fractionally_strided_conv`.
      use_bias: whether to add a bias.
      dtype: of the computation (default: as input and parameters promote).
      param_dtype: of the parameters.
      kernel_init, bias_init: initialisers; the kernel's default is he-normal with the
        fan-in that remains without the inserted zeros.

    Example:
      >>> layer = FractionallyStridedConv(features=32)
      >>> x = jnp.ones((1, 8, 6, 3))
      >>> layer.apply(layer.init(jax.random.key(0), x), x).shape
      (1, 16, 12, 32)
    """

    features: int
    kernel_size: int | Sequence[int] = 4
    strides: int | Sequence[int] = 2
    padding: Padding = 1
    output_padding: int | Sequence[int] = 0
    kernel_dilation: int | Sequence[int] = 1
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
    def __call__(self, x: jax.Array) -> jax.Array:
        """Upsample x `[B, *spatial, C_in]` (or unbatched) to `features` channels."""
        k = self.kernel_size
        k = (k, k) if isinstance(k, int) else tuple(k)
        strides = _per_axis("strides", self.strides, len(k), minimum=1)
        groups = self.feature_group_count
        if self.transpose_kernel:
            shape = (*k, self.features // groups, x.shape[-1])
        else:
            shape = (*k, x.shape[-1] // groups, self.features)
        init = self.kernel_init or fractionally_strided_he_normal(strides)
        kernel = self.param("kernel", init, shape, self.param_dtype)
        bias = None
        if self.use_bias:
            bias = self.param(
                "bias", self.bias_init, (self.features,), self.param_dtype
            )
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
            lowering=self.lowering,
            precision=self.precision,
        )


def _per_axis(
    name: str, value: int | Sequence[int], rank: int, minimum: int
) -> tuple[int, ...]:
    """One integer for every spatial axis, from one or from `rank` of them."""
    values = (value,) * rank if isinstance(value, int) else tuple(value)
    if len(values) != rank:
        raise ValueError(f"{name}: got {len(values)} values, expected 1 or {rank}")
    if any(v < minimum for v in values):
        raise ValueError(f"{name}: got {value}, expected at least {minimum}")
    return values


def _pairs(padding: Padding, rank: int) -> list[tuple[int, int]]:
    """(low, high) for every spatial axis."""
    values = [padding] * rank if isinstance(padding, int) else list(padding)
    if len(values) != rank:
        raise ValueError(f"padding: got {len(values)} values, expected 1 or {rank}")
    return [(p, p) if isinstance(p, int) else tuple(p) for p in values]
