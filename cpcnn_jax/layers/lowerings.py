"""Lowerings of the fractionally-strided convolution, and its two gradients.

Every lowering is `f(x, kernel, geometry, precision)` with x `[B, *spatial, C_in]` and
kernel `[*k, C_in / groups, C_out]`, and returns `[B, *output, C_out]`.
`zero_insertion` is the definition; the others are tested against it. All accumulate in
float32 or wider. A NaN or inf of x reaches the same outputs by all of them, those whose
window holds it; in float64 on a CPU with one input channel per group, XLA spreads it to
the other groups too. One of the kernel reaches all outputs by `zero_insertion`, which
multiplies it by inserted zeros, and by `subpixel` only those that meet its tap.
`geometry` checks the numbers; `primitive` joins value and gradients.
"""

import itertools
import math
import string
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from cpcnn_jax.layers.adjoint import adjoint_kernel
from cpcnn_jax.layers.geometry import Geometry

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

    Output units of the same phase modulo s meet the same taps of the kernel. Phases
    that meet equally many taps from the same input unit on are channels of one
    ordinary convolution; then channels become space. If s is a multiple of d and
    divides k, that is one convolution in all. No tap is padded with zeros, so that a
    NaN or inf of the input reaches the same outputs as by `zero_insertion`. A block of
    s outputs ends at low modulo s, where low is the padding, so that without dilation
    all phases start at the same input unit.
    """
    spatial, groups = x.shape[1:-1], geometry.groups
    size = geometry.output_size(spatial)
    lows = [low for low, _ in geometry.pads]
    blocks, crops = [], []
    for o, s, low in zip(size, geometry.strides, lows, strict=True):
        first, last = -(low // s), -((low + 1 - o) // s)  # blocks that hold outputs
        blocks.append((first, last))
        start = s - 1 - low - s * first
        crops.append(slice(start, start + o))
    runs = list(map(_phase_runs, *geometry[:2], geometry.dilation))

    def convolve(chosen: tuple["_Run", ...]) -> jax.Array:
        """Returns `[B, *blocks, groups, *phases, C_out / groups]`."""
        shape = [len(run.taps) for run in chosen]
        if not all(len(run.taps[0]) for run in chosen):
            counts = [last - first + 1 for first, last in blocks]
            shape = [len(x), *counts, groups, *shape, kernel.shape[-1] // groups]
            return jnp.zeros(shape, x.dtype)
        pads = []
        for run, (first, last), i in zip(chosen, blocks, spatial, strict=True):
            reach = run.spacing * (len(run.taps[0]) - 1) + 1
            pads.append((-first - run.shift, last + run.shift - i + reach))
        y = _convolve(
            x,
            _phase_kernels(kernel, chosen, groups),
            window_strides=(1,) * len(shape),
            padding=pads,
            rhs_dilation=[run.spacing for run in chosen],
            dimension_numbers=_layouts("N.C", ".IO", "N.C", len(shape)),
            feature_group_count=groups,
            precision=precision,
        )
        return y.reshape(*y.shape[:-1], groups, *shape, kernel.shape[-1] // groups)

    def join(*chosen: "_Run") -> jax.Array:
        """Joins the phases of the axes that are not yet chosen."""
        axis, rank = len(chosen), len(runs)
        if axis == rank:
            return convolve(chosen)
        parts = [join(*chosen, run) for run in runs[axis]]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, rank + 2 + axis)

    return _phases_to_space(join())[:, *crops]


def auto(
    x: jax.Array, kernel: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Uses `subpixel` on a CPU and `zero_insertion` on other devices.

    benchmarks/fractionally_strided.py compares both.
    """

    def bind(lowering):
        return lambda x, kernel: lowering(x, kernel, geometry, precision)

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


def _convolve(lhs: jax.Array, rhs: jax.Array, **options: Any) -> jax.Array:
    """Convolves with at least float32 accumulation; the result has lhs's dtype."""
    is_narrow = jnp.issubdtype(lhs.dtype, jnp.floating) and lhs.dtype.itemsize < 4
    sum_dtype = jnp.float32 if is_narrow else lhs.dtype
    y = lax.conv_general_dilated(lhs, rhs, preferred_element_type=sum_dtype, **options)
    return y.astype(lhs.dtype)


def _layouts(lhs: str, rhs: str, out: str, rank: int) -> tuple[str, ...]:
    """Returns layouts as lax spells them; "." stands for the spatial axes."""
    axes = string.digits[:rank]
    return tuple(layout.replace(".", axes) for layout in (lhs, rhs, out))


class _Run(NamedTuple):
    """Adjacent phases of an axis that one convolution computes together."""

    taps: list[range]  # of each phase, equally many
    shift: int  # input units from that of the block to that of the first tap
    spacing: int  # input units between a phase's taps


def _phase_runs(k: int, s: int, d: int) -> list[_Run]:
    """Lists the phases 0..s-1 of an axis, adjacent ones together where possible.

    Tap m of phase f meets a true unit if d m = s - 1 - f modulo s. These are every
    (s / gcd)-th tap, d / gcd input units apart, for the gcd of s and d.
    """
    every, spacing = s // math.gcd(s, d), d // math.gcd(s, d)
    runs: list[_Run] = []
    for rest in reversed(range(s)):
        meeting = (m for m in range(min(k, every)) if (d * m - rest) % s == 0)
        first = next(meeting, k)
        taps = range(first, k, every)
        shift = (d * first - rest) // s if taps else 0
        last = runs[-1] if runs else None
        if last and (len(last.taps[0]), last.shift) == (len(taps), shift):
            last.taps.append(taps)
        else:
            runs.append(_Run([taps], shift, spacing))
    return runs


def _phase_kernels(kernel: jax.Array, runs: Sequence[_Run], groups: int) -> jax.Array:
    """Selects the taps of every phase, `[*taps, C_in / g, (g, *phases, C_out / g)]`."""
    *_, c_in, c_out = kernel.shape
    phases = kernel.reshape(*kernel.shape[:-1], groups, c_out // groups)
    for axis, run in enumerate(runs):
        selected = [
            lax.slice_in_dim(phases, taps.start, taps.stop, taps.step, axis)
            for taps in run.taps
        ]
        phases = jnp.stack(selected, -2)
    return phases.reshape(*phases.shape[: len(runs)], c_in, -1)


def _phases_to_space(y: jax.Array) -> jax.Array:
    """Reshapes `[B, *q, groups, *s, C / groups]` to `[B, *(s q), C]`."""
    rank = (y.ndim - 3) // 2
    pairs = itertools.chain(*((1 + i, 2 + rank + i) for i in range(rank)))
    y = y.transpose(0, *pairs, 1 + rank, -1)
    for axis in range(1, rank + 2):
        y = lax.collapse(y, axis, axis + 2)
    return y
