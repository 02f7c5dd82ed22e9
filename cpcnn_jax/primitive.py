"""The fractionally-strided convolution as a JAX primitive: bilinear, fast to transpose.

`bind(x, kernel, geometry, precision, lowering)` computes the value. Why a primitive:
left to itself, JAX transposes the literal form in the kernel into a convolution with a
zero-inserted operand, 30 to 90 times slower on CPU than `lowerings.kernel_gradient`;
`jax.custom_vjp` would repair that but forbid forward-mode differentiation, and a
`jax.custom_jvp` cannot say how its tangent transposes. A primitive can: the tangent is
the function itself (it is linear in x and in the kernel), and the transposes are two
ordinary convolutions, which JAX differentiates further. So jit, vmap, grad, jvp,
hessian, remat, pmap and sharding all apply.
"""

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from cpcnn_jax import lowerings

fractionally_strided_conv_p = Primitive("fractionally_strided_conv")


def bind(x, kernel, geometry, precision=None, lowering="zero_insertion") -> jax.Array:
    """Compute the value by one of `lowerings`; derivatives use the fastest."""
    x, kernel = _vary_alike(x, kernel)
    return fractionally_strided_conv_p.bind(
        x, kernel, geometry=geometry, precision=precision, lowering=lowering
    )


def _vary_alike(*operands) -> list[jax.Array]:
    """Let all operands vary over the same mesh axes, as `jax.shard_map` demands."""
    varying = [jax.typeof(a).manual_axis_type.varying for a in operands]
    every = frozenset().union(*varying)
    return [
        lax.pcast(a, tuple(every - axes), to="varying") if axes != every else a
        for a, axes in zip(operands, varying, strict=True)
    ]


def _compute(x, kernel, *, geometry, precision, lowering) -> jax.Array:
    return getattr(lowerings, lowering)(x, kernel, geometry, precision)


def _abstract_eval(x, kernel, *, geometry, precision, lowering):
    """Shape, dtype and sharding are those of the definition."""
    literal = jax.make_jaxpr(
        lambda x, kernel: lowerings.zero_insertion(x, kernel, geometry, precision)
    )
    return literal(x, kernel).out_avals[0]


def _jvp(primals, tangents, *, geometry, precision, lowering):
    """d(x * w) = dx * w + x * dw, and whoever differentiates wants it fast."""
    del lowering
    (x, kernel), (dx, dkernel) = primals, tangents
    y = bind(x, kernel, geometry, precision, "auto")
    terms = []
    if type(dx) is not ad.Zero:
        terms.append(bind(dx, kernel, geometry, precision, "auto"))
    if type(dkernel) is not ad.Zero:
        terms.append(bind(x, dkernel, geometry, precision, "auto"))
    return y, sum(terms[1:], terms[0])


def _transpose(g, x, kernel, *, geometry, precision, lowering):
    """The transposes: a strided convolution, and a correlation with strided taps."""
    del lowering
    if ad.is_undefined_primal(x):
        if type(g) is ad.Zero:
            return ad.Zero(x.aval), None
        return lowerings.input_gradient(g, kernel, geometry, precision), None
    if type(g) is ad.Zero:
        return None, ad.Zero(kernel.aval)
    k, sharding = kernel.aval.shape[:-2], kernel.aval.sharding
    return None, lowerings.kernel_gradient(g, x, k, geometry, precision, sharding)


def _batch(operands, axes, *, geometry, precision, lowering):
    """Fold the mapped axis into the batch or, if kernels differ, into the groups."""
    (x, kernel), (x_axis, kernel_axis) = operands, axes
    if kernel_axis is None:
        x = jnp.moveaxis(x, x_axis, 0)
        folded = x.reshape(-1, *x.shape[2:])
        y = bind(folded, kernel, geometry, precision, lowering)
        return y.reshape(*x.shape[:2], *y.shape[1:]), 0
    n = kernel.shape[kernel_axis]
    kernel = jnp.moveaxis(kernel, kernel_axis, -2)
    if x_axis is None:
        x = jnp.broadcast_to(jnp.expand_dims(x, -2), (*x.shape[:-1], n, x.shape[-1]))
    else:
        x = jnp.moveaxis(x, x_axis, -2)
    y = bind(
        x.reshape(*x.shape[:-2], -1),
        kernel.reshape(*kernel.shape[:-2], -1),
        geometry._replace(groups=n * geometry.groups),
        precision,
        lowering,
    )
    return y.reshape(*y.shape[:-1], n, -1), y.ndim - 1


fractionally_strided_conv_p.def_impl(
    jax.jit(_compute, static_argnames=("geometry", "precision", "lowering"))
)
fractionally_strided_conv_p.def_abstract_eval(_abstract_eval)
ad.primitive_jvps[fractionally_strided_conv_p] = _jvp
ad.primitive_transposes[fractionally_strided_conv_p] = _transpose
batching.primitive_batchers[fractionally_strided_conv_p] = _batch
mlir.register_lowering(
    fractionally_strided_conv_p, mlir.lower_fun(_compute, multiple_results=False)
)
