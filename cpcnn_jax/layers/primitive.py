"""JAX primitive of the fractionally-strided convolution, with fast derivatives.

JAX transposes the literal form in the kernel into a convolution with a zero-inserted
operand, which is much slower on a CPU than `gradients.kernel_gradient`. A
`jax.custom_vjp` would forbid forward-mode differentiation, and the tangent of a
`jax.custom_jvp` has no transpose of its own. A primitive has both.

The primitive is the trilinear form sum(y * conv(x, kernel)), differentiated in one of
its three arguments, its face. Face y is the convolution, face x its input gradient,
face kernel its kernel gradient. The transpose of a face in one of its operands is the
face of that operand. So derivatives of every order, forward and reverse, are these
three convolutions; jit, vmap, remat, sharding and Taylor mode (jet) apply.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental import jet
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from cpcnn_jax.layers import gradients, lowerings
from cpcnn_jax.layers.geometry import Geometry

ROLES = ("x", "kernel", "y")
fractionally_strided_conv_p = Primitive("fractionally_strided_conv")


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    geometry: Geometry,
    precision: lax.PrecisionLike = None,
    lowering: str = "zero_insertion",
) -> jax.Array:
    """Computes the value by one of `lowerings`; its derivatives always use "auto"."""
    params = dict(geometry=geometry, precision=precision, lowering=lowering)
    return _contract({"x": x, "kernel": kernel}, face="y", sharding=None, **params)


def _contract(operands: dict[str, jax.Array], **params: Any) -> jax.Array:
    """Binds the primitive to its two operands, in the order of ROLES."""
    ordered = [operands[role] for role in ROLES if role in operands]
    return fractionally_strided_conv_p.bind(*_vary_alike(*ordered), **params)


def _vary_alike(*operands: jax.Array) -> list[jax.Array]:
    """Makes all operands vary over the same mesh axes, as `jax.shard_map` requires."""
    varying = [jax.typeof(a).manual_axis_type.varying for a in operands]
    every = frozenset().union(*varying)
    return [
        lax.pcast(a, tuple(every - axes), to="varying") if axes != every else a
        for a, axes in zip(operands, varying, strict=True)
    ]


def _compute(a, b, *, face, geometry, precision, lowering, sharding) -> jax.Array:
    if face == "y":
        return getattr(lowerings, lowering)(a, b, geometry, precision)
    if face == "x":
        return gradients.input_gradient(a, b, geometry, precision)
    return gradients.kernel_gradient(a, b, geometry, precision, sharding)


def _abstract_eval(*operands, **params):
    """Takes shape, dtype and sharding from the definition."""
    params["lowering"] = "zero_insertion"
    definition = functools.partial(_compute, **params)
    return jax.make_jaxpr(definition)(*operands).out_avals[0]


def _jvp(primals, tangents, **params):
    """Differentiates a face, which is bilinear; tangents use the fastest lowering."""
    (a, b), (da, db) = primals, tangents
    value = fractionally_strided_conv_p.bind(a, b, **params)
    bind = functools.partial(
        fractionally_strided_conv_p.bind, **params | dict(lowering="auto")
    )
    terms = []
    if type(da) is not ad.Zero:
        terms.append(bind(*_vary_alike(da, b)))
    if type(db) is not ad.Zero:
        terms.append(bind(*_vary_alike(a, db)))
    return value, sum(terms[1:], terms[0])


def _transpose(cotangent, *operands, **params):
    """Binds the face of the linear operand; the cotangent takes its place."""
    roles = [role for role in ROLES if role != params["face"]]
    known = dict(zip(roles, operands, strict=True))
    (linear,) = (role for role in roles if ad.is_undefined_primal(known[role]))
    aval = known.pop(linear).aval
    result: Any = ad.Zero(aval)
    if type(cotangent) is not ad.Zero:
        known[params["face"]] = cotangent
        params |= dict(face=linear, lowering="auto", sharding=aval.sharding)
        result = _contract(known, **params)
    return [result if role == linear else None for role in roles]


def _batch(operands, axes, **params):
    """Folds the mapped axis into the batch or, if kernels differ, into the groups."""
    roles = [role for role in ROLES if role != params["face"]]
    if ("kernel", None) in zip(roles, axes, strict=True):
        i = 1 - roles.index("kernel")
        mapped = jnp.moveaxis(operands[i], axes[i], 0)
        folded = list(operands)
        folded[i] = lax.collapse(mapped, 0, 2)
        result = fractionally_strided_conv_p.bind(*folded, **params)
        return result.reshape(*mapped.shape[:2], *result.shape[1:]), 0
    n = next(a.shape[i] for a, i in zip(operands, axes, strict=True) if i is not None)
    folded = []
    for a, axis in zip(operands, axes, strict=True):
        a = jnp.stack([a] * n, -2) if axis is None else jnp.moveaxis(a, axis, -2)
        folded.append(lax.collapse(a, a.ndim - 2))
    geometry = params.pop("geometry")
    geometry = geometry._replace(groups=n * geometry.groups)
    result = fractionally_strided_conv_p.bind(*folded, geometry=geometry, **params)
    channels = result.shape[-1] // n
    return result.reshape(*result.shape[:-1], n, channels), result.ndim - 1


_STATIC = ("face", "geometry", "precision", "lowering", "sharding")
fractionally_strided_conv_p.def_impl(jax.jit(_compute, static_argnames=_STATIC))
fractionally_strided_conv_p.def_abstract_eval(_abstract_eval)
ad.primitive_jvps[fractionally_strided_conv_p] = _jvp
jet.jet_rules[fractionally_strided_conv_p] = functools.partial(
    jet._bilinear_taylor_rule, fractionally_strided_conv_p
)
ad.primitive_transposes[fractionally_strided_conv_p] = _transpose
batching.primitive_batchers[fractionally_strided_conv_p] = _batch
mlir.register_lowering(
    fractionally_strided_conv_p, mlir.lower_fun(_compute, multiple_results=False)
)
