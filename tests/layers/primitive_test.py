"""Transformations of the primitive against those of the plain convolution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.jet import jet
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from cpcnn_jax.layers import lowerings, primitive
from cpcnn_jax.layers.geometry import Geometry

pytestmark = pytest.mark.quick_compile

GEOMETRY = Geometry((3, 2), (2, 3), ((2, 2), (1, 3)), (1, 2), groups=2)


def _geometry(x, kernel):
    """Geometry with the groups of the arrays."""
    return GEOMETRY._replace(groups=x.shape[-1] // kernel.shape[-2])


def ours(x, kernel):
    return primitive.convolve(x, kernel, _geometry(x, kernel))


def plain(x, kernel):
    """The definition, differentiated by JAX."""
    return lowerings.zero_insertion(x, kernel, _geometry(x, kernel), None)


def loss(layer):
    return lambda x, kernel: jnp.sin(layer(x, kernel)).sum()


def slope(layer):
    return jax.grad(loss(layer), (0, 1))


def jvp(layer):
    return lambda x, w: jax.jvp(layer, (x, w), (x + 1, w**2))


def jvp_in_one(layer):
    return lambda x, w: jax.jvp(lambda w: layer(x, w), (w,), (w**2,))


def linearized(layer):
    return lambda x, w: jax.linearize(layer, x, w)[1](x + 1, w**2)


def forward_over_reverse(layer):
    return lambda x, w: jax.jvp(slope(layer), (x, w), (x + 1, w**2))


def reverse_over_reverse(layer):
    def projected(x, w):
        dx, dw = slope(layer)(x, w)
        return (dx * (x + 1)).sum() + (dw * w**2).sum()

    return jax.grad(projected, (0, 1))


def rematerialized(layer):
    return slope(jax.checkpoint(layer))


def mapped(x_axis, w_axis, layer):
    def over(x, w):
        x = x if x_axis is None else jnp.stack([x, x + 1, x**2], x_axis)
        w = w if w_axis is None else jnp.stack([w, w + 1, w**2], w_axis)
        both = jax.vmap(
            lambda x, w: (layer(x, w), slope(layer)(x, w)), (x_axis, w_axis)
        )
        return both(x, w)

    return over


TRANSFORMATIONS = {
    "jvp": jvp,
    "jvp in the kernel alone": jvp_in_one,
    "linearize": linearized,
    "grad": slope,
    "hessian-vector product, forward over reverse": forward_over_reverse,
    "hessian-vector product, reverse over reverse": reverse_over_reverse,
    "remat": rematerialized,
    "vmap over x": functools.partial(mapped, 0, None),
    "vmap over x, inner axis": functools.partial(mapped, 2, None),
    "vmap over kernels": functools.partial(mapped, None, 0),
    "vmap over both": functools.partial(mapped, 1, 2),
}


@pytest.fixture
def arrays():
    with jax.enable_x64(True):
        random = np.random.default_rng(0)
        x = random.normal(size=(8, 3, 4, 4))
        yield jnp.asarray(x), jnp.asarray(random.normal(size=(3, 2, 2, 6)))


def assert_close(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_transformation_equals_that_of_the_definition(name, arrays):
    transformation = TRANSFORMATIONS[name]
    got = jax.jit(transformation(ours))(*arrays)
    assert_close(got, jax.jit(transformation(plain))(*arrays))


def test_hessian_of_a_nonlinear_loss(arrays):
    x, w = arrays
    geometry = GEOMETRY._replace(kernel_size=(2, 2), groups=1)
    x, w = x[:1, :2, :2, :2], w[:2, :, :, :2]

    def hessian(layer):
        return jax.jit(jax.hessian(lambda w: jnp.sin(layer(x, w, geometry)).sum()))(w)

    assert_close(
        hessian(primitive.convolve),
        hessian(functools.partial(lowerings.zero_insertion, precision=None)),
    )


def test_forward_and_reverse_jacobians_agree(arrays):
    x, w = arrays
    forward, reverse = (jac(ours, 1)(x[:1], w) for jac in (jax.jacfwd, jax.jacrev))
    assert_close(forward, reverse)


def test_gradients_without_jit_and_with_disable_jit(arrays):
    expected = jax.jit(slope(plain))(*arrays)
    assert_close(slope(ours)(*arrays), expected)
    with jax.disable_jit():
        assert_close(slope(ours)(*arrays), expected)


def test_gradients_in_pmap(arrays):
    x, w = arrays
    got = jax.pmap(slope(ours), in_axes=(0, None))(x[:, None], w)
    assert_close(got, jax.vmap(slope(plain), (0, None))(x[:, None], w))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit], ids=str)
def test_gradients_of_a_sharded_batch(kind, groups, arrays):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(kind,))
    x, w = arrays
    x = x[..., : groups * w.shape[2]]
    with jax.set_mesh(mesh):
        sharded = jax.device_put(x, NamedSharding(mesh, P("batch")))
        repeated = jax.device_put(w, NamedSharding(mesh, P()))
        y = jax.jit(ours)(sharded, repeated)
        assert y.sharding.spec[0] == "batch"
        got = jax.device_get(jax.jit(slope(ours))(sharded, repeated))
    assert_close(got, slope(plain)(x, w))


@pytest.mark.parametrize("check_vma", [False, True])
def test_gradients_of_shard_map(check_vma, arrays):
    mesh = jax.make_mesh((8,), ("batch",), axis_types=(AxisType.Auto,))

    def total(x, w):
        return jax.lax.psum(loss(ours)(x, w), "batch")

    mapped = jax.shard_map(
        total, mesh=mesh, in_specs=(P("batch"), P()), out_specs=P(), check_vma=check_vma
    )
    assert_close(jax.grad(mapped, (0, 1))(*arrays), slope(plain)(*arrays))


def test_taylor_mode_equals_that_of_the_definition(arrays):
    x, w = arrays
    terms = [jnp.cos(x), x**2], [jnp.cos(w), w**2]
    got, expected = (
        jet(lambda x, w, layer=layer: jnp.sin(layer(x, w)), (x, w), terms)
        for layer in (ours, plain)
    )
    assert_close(got, expected)


def test_empty_batch_of_mapped_kernels(arrays):
    x, w = arrays
    got = mapped(None, 0, ours)(x[:0], w)
    assert_close(got, mapped(None, 0, plain)(x[:0], w))


def test_export_with_symbolic_batch_and_size(arrays):
    from jax import export

    x, w = arrays
    b, h = export.symbolic_shape("b, h")
    exported = export.export(jax.jit(lambda x: ours(x, w)))(
        jax.ShapeDtypeStruct((b, h, h, 4), x.dtype)
    )
    x = x[:5, :3, :3]
    assert_close(exported.call(x), plain(x, w))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_gradients(dtype):
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 4))
    w = jax.random.normal(jax.random.key(1), (3, 2, 2, 6))

    def twice(x, w):
        return jax.jvp(slope(ours), (x, w), (x, w))

    got = twice(x.astype(dtype), w.astype(dtype))
    assert {a.dtype for a in jax.tree.leaves(got)} == {jnp.dtype(dtype)}
    for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(twice(x, w)), strict=True):
        scale = float(abs(b).max())
        np.testing.assert_allclose(a.astype(float) / scale, b / scale, atol=0.05)
