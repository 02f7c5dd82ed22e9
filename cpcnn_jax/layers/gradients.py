"""The two gradients of the fractionally-strided convolution, without inserted zeros."""

import itertools
import math

import jax
import jax.numpy as jnp
from jax import lax

from cpcnn_jax.layers.adjoint_kernel import adjoint_kernel
from cpcnn_jax.layers.geometry import Geometry
from cpcnn_jax.layers.plain_conv import convolve, layouts

_FEW_TAPS = 16  # up to which a product per tap is faster than one convolution


def input_gradient(
    kernel: jax.Array, y: jax.Array, geometry: Geometry, precision: lax.PrecisionLike
) -> jax.Array:
    """Computes the gradient of x from y `[B, *output, C_out]`, that of the output."""
    return convolve(
        y,
        adjoint_kernel(kernel, geometry.groups),
        window_strides=geometry.strides,
        padding=geometry.forward_pads,
        rhs_dilation=geometry.dilation,
        dimension_numbers=layouts("N.C", ".IO", "N.C", len(geometry.strides)),
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
    flipped = convolve(
        y,
        x,
        window_strides=geometry.dilation,
        padding=geometry.forward_pads,
        rhs_dilation=geometry.strides,
        dimension_numbers=layouts("C.N", "I.O", ".CN", rank),
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
