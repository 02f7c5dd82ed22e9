"""Lowerings of the fractionally-strided convolution, and its two gradients.

Every lowering is `f(x, kernel, geometry, precision)` with x `[B, *spatial, C_in]` and
kernel `[*k, C_in / groups, C_out]`, and returns `[B, *output, C_out]`.
`zero_insertion` is the definition; the others are tested against it. All accumulate in
float32 or wider. `geometry` checks the numbers; `primitive` joins value and gradients.
"""

import itertools
import math
import string
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.geometry import Geometry

_Array = TypeVar("_Array", jax.Array, np.ndarray)
_FEW_TAPS = 16  # up to which a product per tap is faster than one convolution


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
    y = _convolve(
        x,
        kernel,
        window_strides=(1,) * len(spare),
        padding=[(low, high + more) for (low, high), more in pads],
        lhs_dilation=geometry.strides,
        rhs_dilation=geometry.dilation,
        dimension_numbers=_layouts("N.C", ".IO", "N.C", len(spare)),
        feature_group_count=geometry.groups,
        precision=precision,
    )
    crops = [slice(-1) if more else slice(None) for more in spare]
    return y[:, *crops] if any(spare) else y


def subpixel(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Convolves the input without inserted zeros, s^n output units at a time.

    Output units of the same phase modulo s meet the same taps of the kernel, every
    s-th one. One ordinary convolution computes all phases as channels, then channels
    become space. A block of s outputs ends at low modulo s, where low is the padding,
    so that the sub-kernels of ceil(k / s) taps all start at the same input unit.
    """
    strides, rank = geometry.strides, len(geometry.strides)
    kernel = _write_out_dilation(kernel, geometry.dilation)
    spatial = x.shape[1:-1]
    size = geometry.output_size(spatial)
    pads, starts = [], []
    axes = zip(spatial, size, kernel.shape[:rank], strides, geometry.pads, strict=True)
    for i, o, k, s, (low, _) in axes:
        first, last = -(low // s), -((low + 1 - o) // s)  # blocks that hold outputs
        pads.append((-first, last - i + -(-k // s)))
        starts.append(s - 1 - low - s * first)
    y = _convolve(
        x,
        _phase_kernels(kernel, strides, geometry.groups),
        window_strides=(1,) * rank,
        padding=pads,
        dimension_numbers=_layouts("N.C", ".IO", "N.C", rank),
        feature_group_count=geometry.groups,
        precision=precision,
    )
    y = _channels_to_space(y, strides, geometry.groups)
    crops = [slice(start, start + o) for start, o in zip(starts, size, strict=True)]
    return y[:, *crops]


def auto(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Uses `subpixel` on a CPU and `zero_insertion` on other devices.

    A CPU too gets `zero_insertion` if the kernel, written out with its dilation, has
    more taps per phase than before. benchmarks/fractionally_strided.py compares both.
    """

    def bind(lowering):
        return lambda x, kernel: lowering(x, kernel, geometry, precision)

    extents = map(arithmetic.effective_kernel, geometry.kernel_size, geometry.dilation)
    taps = [-(-k // s) for k, s in zip(extents, geometry.strides, strict=True)]
    if math.prod(taps) > math.prod(geometry.kernel_size):
        return zero_insertion(x, kernel, geometry, precision)
    return lax.platform_dependent(
        x, kernel, cpu=bind(subpixel), default=bind(zero_insertion)
    )


def input_gradient(
    kernel: jax.Array, y: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Computes the gradient of x from y `[B, *output, C_out]`, that of the output."""
    return _convolve(
        y,
        adjoint_kernel(kernel, geometry.groups),
        window_strides=geometry.strides,
        padding=geometry.forward_pads,
        rhs_dilation=geometry.dilation,
        dimension_numbers=_layouts("N.C", ".IO", "N.C", len(geometry.strides)),
        feature_group_count=geometry.groups,
        precision=precision,
    )


def kernel_gradient(
    x: jax.Array,
    y: jax.Array,
    geometry: Geometry,
    precision: lax.PrecisionLike,
    sharding: jax.sharding.NamedSharding | None = None,
) -> jax.Array:
    """Computes the gradient of the kernel from x and the gradient y of the output.

    It correlates y with x, s units apart, by one convolution, or on a CPU by a matrix
    product per tap where taps are few.
    """
    options = geometry, precision, sharding
    if geometry.groups > 1 or math.prod(geometry.kernel_size) > _FEW_TAPS:
        return _correlate(x, y, *options)
    return lax.platform_dependent(
        x,
        y,
        cpu=lambda x, y: _correlate_by_taps(x, y, *options),
        default=lambda x, y: _correlate(x, y, *options),
    )


def _correlate(x, y, geometry, precision, sharding):
    """Convolves y with x as a dilated kernel, without inserted zeros."""
    k, rank, groups = geometry.kernel_size, len(geometry.kernel_size), geometry.groups
    flipped = _convolve(
        y,
        x,
        window_strides=geometry.dilation,
        padding=geometry.forward_pads,
        rhs_dilation=geometry.strides,
        dimension_numbers=_layouts("C.N", "I.O", ".CN", rank),
        batch_group_count=groups,
        precision=precision,
        out_sharding=sharding,
    )
    c_in, c_out = flipped.shape[rank] // groups, flipped.shape[-1] * groups
    grouped = flipped.reshape(*k, groups, c_in, c_out // groups)
    kernel = jnp.swapaxes(grouped, rank, rank + 1).reshape(*k, c_in, c_out)
    return jnp.flip(kernel, range(rank))


def _correlate_by_taps(x, y, geometry, precision, sharding):
    """Multiplies x with the units of y that each tap meets, every s-th one."""
    k, spatial = geometry.kernel_size, x.shape[1:-1]
    zero = jnp.zeros((), y.dtype)
    pads = [(low, high, 0) for low, high in geometry.forward_pads]
    y = lax.pad(y, zero, [(0, 0, 0), *pads, (0, 0, 0)])
    contracted = tuple(range(x.ndim - 1))
    sum_dtype = jnp.promote_types(y.dtype, jnp.float32)
    tap_sharding = sharding and sharding.update(spec=sharding.spec[-2:])
    taps = []
    for tap in itertools.product(*map(range, k)):
        window = [
            slice(t * d, t * d + (i - 1) * s + 1, s)
            for t, d, i, s in zip(
                tap, geometry.dilation, spatial, geometry.strides, strict=True
            )
        ]
        taps.append(
            lax.dot_general(
                x,
                y[:, *window],
                ((contracted, contracted), ((), ())),
                precision=precision,
                preferred_element_type=sum_dtype,
                out_sharding=tap_sharding,
            )
        )
    kernel = jnp.stack(taps).reshape(*k, *taps[0].shape).astype(y.dtype)
    return jnp.flip(kernel, range(len(k)))


def adjoint_kernel(kernel: _Array, groups: int) -> _Array:
    """Flips a kernel and exchanges its input and output channels; its own inverse.

    Args:
      kernel: `[*k, A / groups, B]`, a JAX or NumPy array.
      groups: feature groups.

    Returns:
      `[*k, B / groups, A]`.
    """
    *k, a, b = kernel.shape
    grouped = kernel.reshape(*k, a, groups, b // groups).swapaxes(-3, -1)
    flipped = grouped[(slice(None, None, -1),) * len(k)]
    return flipped.reshape(*k, b // groups, groups * a)


def _convolve(lhs: jax.Array, rhs: jax.Array, **options: Any) -> jax.Array:
    """Convolves with at least float32 accumulation; the result has lhs's dtype."""
    is_half = lhs.dtype in (jnp.bfloat16, jnp.float16)
    sum_dtype = jnp.float32 if is_half else lhs.dtype
    y = lax.conv_general_dilated(lhs, rhs, preferred_element_type=sum_dtype, **options)
    return y.astype(lhs.dtype)


def _layouts(lhs: str, rhs: str, out: str, rank: int) -> tuple[str, ...]:
    """Returns layouts as lax spells them; "." stands for the spatial axes."""
    axes = string.digits[:rank]
    return tuple(layout.replace(".", axes) for layout in (lhs, rhs, out))


def _write_out_dilation(kernel: jax.Array, dilation: tuple[int, ...]) -> jax.Array:
    """Puts d - 1 zeros between the taps of a kernel."""
    interior = [(0, 0, d - 1) for d in dilation] + [(0, 0, 0)] * 2
    return lax.pad(kernel, jnp.zeros((), kernel.dtype), interior)


def _phase_kernels(
    kernel: jax.Array, strides: tuple[int, ...], groups: int
) -> jax.Array:
    """Selects every s-th tap, `[*ceil(k / s), C_in / groups, (g, *s, C_out / g)]`."""
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
    """Reshapes `[B, *q, (groups, *s, C / groups)]` to `[B, *(s q), C]`."""
    batch, *q, _ = y.shape
    rank = len(q)
    y = y.reshape(batch, *q, groups, *strides, -1)
    pairs = itertools.chain(*((1 + i, 2 + rank + i) for i in range(rank)))
    y = y.transpose(0, *pairs, 1 + rank, -1)
    for axis in range(1, rank + 2):
        y = lax.collapse(y, axis, axis + 2)
    return y
