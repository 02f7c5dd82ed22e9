"""Lowerings of the fractionally-strided convolution.

Every lowering is `f(x, kernel, geometry, precision)` with x `[B, *spatial, C_in]` and
kernel `[*k, C_in / groups, C_out]`, and returns `[B, *output, C_out]`.
`zero_insertion` is the definition; the others are tested against it. All accumulate in
float32 or wider. A NaN or inf of x reaches the same outputs by all of them, those whose
window holds it; in float64 on a CPU with one input channel per group, XLA spreads it to
the other groups too. One of the kernel reaches all outputs by `zero_insertion`, which
multiplies it by inserted zeros, and by `subpixel` only those that meet its tap.
`geometry` checks the numbers; `primitive` joins value and gradients.
"""

import jax
from jax import lax

from cpcnn_jax.layers.geometry import Geometry
from cpcnn_jax.layers.plain_conv import convolve, layouts
from cpcnn_jax.layers.subpixel import subpixel

__all__ = ["auto", "backward_data", "subpixel", "zero_insertion"]


def zero_insertion(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Inserts zeros, pads and convolves with stride 1, in one JAX operation.

    An axis with k = s = 2 and no padding gets one more output unit, which is dropped,
    because XLA's algebraic simplifier may abort the process (docs/xla-crash.md).
    """
    axes = zip(*geometry[:4], strict=True)
    spare = [axis == (2, 2, (0, 0), 1) for axis in axes]
    pads = zip(geometry.pads, spare, strict=True)
    y = convolve(
        x,
        kernel,
        window_strides=(1,) * len(spare),
        padding=[(low, high + more) for (low, high), more in pads],
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=layouts("N.C", ".IO", "N.C", len(spare)),
        feature_group_count=geometry.groups,
        precision=precision,
    )
    crops = [slice(-1) if more else slice(None) for more in spare]
    return y[:, *crops] if any(spare) else y


def backward_data(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Writes `zero_insertion` so that XLA for GPUs inserts no zeros.

    XLA gives the input gradient of a strided convolution to cuDNN's or MIOpen's routine
    for it, and recognizes it by its reversed kernel. Of any other kernel it writes the
    zeros to memory and multiplies them. So the kernel is reversed twice; the barrier
    keeps the compiler from removing both. XLA recognizes neither groups nor dilation;
    those are computed by `subpixel`. benchmarks/gpu_compile.py shows the routines.
    """
    if geometry.groups > 1 or max(geometry.dilation) > 1:
        return subpixel(x, kernel, geometry, precision)
    axes = tuple(range(len(geometry.strides)))
    reversed_kernel = lax.optimization_barrier(lax.rev(kernel, axes))
    return zero_insertion(x, lax.rev(reversed_kernel, axes), geometry, precision)


def auto(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Uses `subpixel` on a CPU, `backward_data` on a GPU, else `zero_insertion`.

    benchmarks/fractionally_strided.py compares the first and the last.
    """

    def bind(lowering):
        return lambda x, kernel: lowering(x, kernel, geometry, precision)

    return lax.platform_dependent(
        x,
        kernel,
        cpu=bind(subpixel),
        cuda=bind(backward_data),
        rocm=bind(backward_data),
        default=bind(zero_insertion),
    )
