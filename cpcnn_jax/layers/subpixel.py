"""Fractionally-strided convolution as an ordinary convolution and a rearrangement.

Reference: Shi et al., Real-Time Single Image and Video Super-Resolution Using an
Efficient Sub-Pixel Convolutional Neural Network, CVPR 2016.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from cpcnn_jax.layers.geometry import Geometry
from cpcnn_jax.layers.plain_conv import convolve, layouts


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

    def compute(chosen: tuple["_Run", ...]) -> jax.Array:
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
        y = convolve(
            x,
            _phase_kernels(kernel, chosen, groups),
            window_strides=(1,) * len(shape),
            padding=pads,
            rhs_dilation=[run.spacing for run in chosen],
            dimension_numbers=layouts("N.C", ".IO", "N.C", len(shape)),
            feature_group_count=groups,
            precision=precision,
        )
        return y.reshape(*y.shape[:-1], groups, *shape, kernel.shape[-1] // groups)

    def join(*chosen: "_Run") -> jax.Array:
        """Joins the phases of the axes that are not yet chosen."""
        axis, rank = len(chosen), len(runs)
        if axis == rank:
            return compute(chosen)
        parts = [join(*chosen, run) for run in runs[axis]]
        return parts[0] if len(parts) == 1 else jnp.concatenate(parts, rank + 2 + axis)

    return _phases_to_space(join())[:, *crops]


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
