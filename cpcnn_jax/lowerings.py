"""Ways to compute one fractionally-strided convolution, and its two gradients.

Every lowering is `f(x, kernel, geometry, precision)` with x `[B, *spatial, C_in]` and
kernel `[*k, C_in / groups, C_out]`. `zero_insertion` is the definition; the others are
tested against it. All accumulate in float32 or wider. `layers` checks the arguments
and fills in the geometry; `primitive` joins value and gradients.
"""

import itertools
import math
import string
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class Geometry(NamedTuple):
    """What a fractionally-strided convolution does to each spatial axis."""

    strides: tuple[int, ...]  # s: s - 1 zeros go between neighbouring units
    pads: tuple[tuple[int, int], ...]  # zeros around the stretched input; < 0 crops
    dilation: tuple[int, ...]  # d: the kernel's taps are d apart
    groups: int = 1  # feature groups

    def output_size(self, spatial: tuple[int, ...], k: tuple[int, ...]) -> list[int]:
        """Return the spatial output size for a spatial input size and kernel size."""
        axes = zip(spatial, k, *self[:3], strict=True)
        return [s * (i - 1) + 1 + sum(p) - d * (k - 1) for i, k, s, p, d in axes]


def zero_insertion(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Insert zeros, pad, convolve with stride 1: the definition, in one primitive."""
    rank = len(geometry.strides)
    return _convolve(
        x,
        kernel,
        window_strides=(1,) * rank,
        padding=geometry.pads,
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=_layout("N.C", ".IO", "N.C", rank),
        feature_group_count=geometry.groups,
        precision=precision,
    )


def subpixel(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Convolve the input itself, s^n output units at a time; no zero is inserted.

    Output units in the same phase modulo s meet the same taps of the kernel, every
    s-th one. One ordinary convolution computes all phases as channels (sub-kernels of
    ceil(k / s) taps); then channels become space. Blocks of s outputs start at lo - s
    + 1, so that every sub-kernel starts at the same input unit.
    """
    strides, rank = geometry.strides, len(geometry.strides)
    kernel = _insert_zeros(kernel, geometry.dilation)
    k, c_out = kernel.shape[:rank], kernel.shape[-1]
    geometry = geometry._replace(dilation=(1,) * rank)
    size = geometry.output_size(x.shape[1:-1], k)
    pads, starts = [], []
    for i, o, k_, s, (lo, _) in zip(x.shape[1:-1], size, k, *geometry[:2], strict=True):
        first, last = -(lo // s), (o - 1 - lo + s - 1) // s  # blocks that hold outputs
        pads.append((-first, last - (i - 1) + -(-k_ // s) - 1))
        starts.append(s - 1 - lo - s * first)
    y = _convolve(
        x,
        _phase_kernels(kernel, strides, geometry.groups),
        window_strides=(1,) * rank,
        padding=pads,
        dimension_numbers=_layout("N.C", ".IO", "N.C", rank),
        feature_group_count=geometry.groups,
        precision=precision,
    )
    y = _channels_to_space(y, strides, geometry.groups)
    stops = [a + o for a, o in zip(starts, size, strict=True)]
    return lax.slice(y, (0, *starts, 0), (y.shape[0], *stops, c_out))


def auto(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Choose by what was measured (benchmarks/fractionally_strided.py)."""
    dilated = math.prod(geometry.dilation) > 1
    lowering = zero_insertion if dilated else subpixel
    return lowering(x, kernel, geometry, precision)


def input_gradient(
    g: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Apply the transpose in x to g `[B, *output, C_out]`: the strided convolution."""
    rank = len(geometry.strides)
    return _convolve(
        g,
        adjoint_kernel(kernel, geometry.groups),
        window_strides=geometry.strides,
        padding=_forward_pads(kernel.shape, geometry),
        rhs_dilation=geometry.dilation,
        dimension_numbers=_layout("N.C", ".IO", "N.C", rank),
        feature_group_count=geometry.groups,
        precision=precision,
    )


def kernel_gradient(
    g: jax.Array,
    x: jax.Array,
    k: tuple[int, ...],
    geometry: Geometry,
    precision: lax.PrecisionLike,
    sharding: jax.sharding.NamedSharding | None = None,
) -> jax.Array:
    """Apply the transpose in the kernel to g: correlate it with x, s units apart.

    x takes the place of the (dilated) kernel, so that no zero is inserted into it.
    """
    rank, groups = len(k), geometry.groups
    flipped = _convolve(
        g,
        x,
        window_strides=geometry.dilation,
        padding=_forward_pads(k, geometry),
        rhs_dilation=geometry.strides,
        dimension_numbers=_layout("C.N", "I.O", ".CN", rank),
        batch_group_count=groups,
        precision=precision,
        out_sharding=sharding,
    )
    c_in, c_out = flipped.shape[rank] // groups, flipped.shape[-1] * groups
    grouped = flipped.reshape(*k, groups, c_in, c_out // groups)
    kernel = jnp.swapaxes(grouped, rank, rank + 1).reshape(*k, c_in, c_out)
    return jnp.flip(kernel, range(rank))


def adjoint_kernel(kernel: jax.Array, groups: int) -> jax.Array:
    """Flip, and exchange input and output channels; twice is the identity.

    Args:
      kernel: `[*k, A / groups, B]`.
      groups: feature groups.

    Returns:
      `[*k, B / groups, A]`.
    """
    *k, a, b = kernel.shape
    grouped = jnp.swapaxes(kernel.reshape(*k, a, groups, b // groups), -3, -1)
    return jnp.flip(grouped, range(len(k))).reshape(*k, b // groups, groups * a)


def _convolve(lhs: jax.Array, rhs: jax.Array, **options) -> jax.Array:
    """Convolve with at least float32 accumulation; the result has lhs's dtype."""
    narrow = lhs.dtype in (jnp.bfloat16, jnp.float16)
    wide = jnp.float32 if narrow else lhs.dtype
    y = lax.conv_general_dilated(lhs, rhs, preferred_element_type=wide, **options)
    return y.astype(lhs.dtype)


def _layout(lhs: str, rhs: str, out: str, rank: int) -> tuple[str, ...]:
    """Layouts as lax spells them; "." stands for the spatial axes."""
    axes = string.digits[:rank]
    return tuple(layout.replace(".", axes) for layout in (lhs, rhs, out))


def _forward_pads(k: tuple[int, ...], geometry: Geometry) -> list[tuple[int, int]]:
    """Padding of the forward convolution: k' - 1 less the padding of its transpose."""
    axes = zip(k, geometry.dilation, geometry.pads, strict=False)
    return [(d * (k - 1) - lo, d * (k - 1) - hi) for k, d, (lo, hi) in axes]


def _insert_zeros(kernel: jax.Array, dilation: tuple[int, ...]) -> jax.Array:
    """Write a dilated kernel out with its zeros."""
    interior = [(0, 0, d - 1) for d in dilation] + [(0, 0, 0)] * 2
    return lax.pad(kernel, jnp.zeros((), kernel.dtype), interior)


def _phase_kernels(
    kernel: jax.Array, strides: tuple[int, ...], groups: int
) -> jax.Array:
    """Every s-th tap `[*ceil(k / s), C_in / groups, groups * s^n * C_out / groups]`."""
    rank = len(strides)
    *k, c_in, c_out = kernel.shape
    taps = [-(-k_ // s) for k_, s in zip(k, strides, strict=True)]
    ends = [(0, t * s - k_) for t, s, k_ in zip(taps, strides, k, strict=True)]
    split = itertools.chain(*zip(taps, strides, strict=True))
    phases = jnp.pad(kernel, [*ends, (0, 0), (0, 0)])
    phases = phases.reshape(*split, c_in, groups, c_out // groups)
    phases = jnp.flip(phases, range(1, 2 * rank, 2))
    order = (*range(0, 2 * rank, 2), 2 * rank, 2 * rank + 1, *range(1, 2 * rank, 2), -1)
    return phases.transpose(order).reshape(*taps, c_in, -1)


def _channels_to_space(
    y: jax.Array, strides: tuple[int, ...], groups: int
) -> jax.Array:
    """`[B, *q, groups * s^n * C / groups]` to `[B, *(s q), C]`."""
    batch, *q, channels = y.shape
    rank = len(q)
    y = y.reshape(batch, *q, groups, *strides, -1)
    space = itertools.chain(*((1 + i, 2 + rank + i) for i in range(rank)))
    y = y.transpose(0, *space, 1 + rank, -1)
    size = [s * n for s, n in zip(strides, q, strict=True)]
    return y.reshape(batch, *size, channels // math.prod(strides))
