"""All lowerings compute the same function, and none aborts the process."""

import random
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax.layers import gradients as gradients_lib
from cpcnn_jax.layers import lowerings
from cpcnn_jax.layers.fractionally_strided import fractionally_strided_conv
from cpcnn_jax.layers.geometry import Geometry

pytestmark = pytest.mark.quick_compile

FAST_COMPILE = {"xla_backend_optimization_level": 0}  # programs run only once


def draw(rng):
    """Draws arrays and a geometry with an output and asymmetric padding."""
    while True:
        n, groups = rng.choice([1, 1, 2, 2, 3]), rng.choice([1, 1, 2, 3])
        limits = dict(i=(1, 5), k=(1, 5), s=(1, 4), d=(1, 2), low=(-3, 6), high=(-3, 6))
        i, k, s, d, *pads = (
            [rng.randint(*v) for _ in range(n)] for v in limits.values()
        )
        pads = tuple(zip(*pads, strict=True))
        geometry = Geometry(tuple(k), tuple(s), pads, tuple(d), groups)
        try:
            size = geometry.output_size(i)
        except ValueError:
            continue
        arrays = np.random.default_rng(rng.randrange(2**32))
        shapes = (2, *i, 2 * groups), (*k, 2, groups), (2, *size, groups)
        return [arrays.normal(size=shape) for shape in shapes], geometry


@pytest.mark.parametrize("seed", range(4))
def test_subpixel_equals_zero_insertion_in_value_and_gradients(seed):
    """JAX's gradients of `subpixel` are the oracle of our gradients."""
    rng = random.Random(seed)
    sets = [draw(rng) for _ in range(20)]

    def both(arrays, geometry):
        x, kernel, y = arrays

        def subpixel(x, kernel):
            return lowerings.subpixel(x, kernel, geometry, None)

        value, gradients = jax.vjp(subpixel, x, kernel)
        return (
            (value, lowerings.zero_insertion(x, kernel, geometry, None)),
            (gradients(y)[0], gradients_lib.input_gradient(kernel, y, geometry, None)),
            (gradients(y)[1], gradients_lib.kernel_gradient(x, y, geometry, None)),
        )

    with jax.enable_x64(True):
        geometries = [geometry for _, geometry in sets]
        program = jax.jit(
            lambda sets: list(map(both, sets, geometries)),
            compiler_options=FAST_COMPILE,
        )
        results = jax.device_get(program([arrays for arrays, _ in sets]))
    for geometry, pairs in zip(geometries, results, strict=True):
        for got, expected in pairs:
            np.testing.assert_allclose(
                got, expected, rtol=1e-12, atol=1e-12, err_msg=str(geometry)
            )


def inserts_zeros(hlo):
    return set(re.findall(r"lhs_dilate = (.*?\])", hlo)) != {"[1, 1]"}


@pytest.mark.parametrize("k, s, d", [(4, 2, 1), (3, 2, 1), (2, 3, 1), (3, 2, 3)])
def test_auto_inserts_no_zeros_on_a_cpu(k, s, d):
    x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((k, k, 2, 2))
    geometry = Geometry((k, k), (s, s), ((6, 6), (6, 6)), (d, d))
    auto = jax.jit(lowerings.auto, static_argnums=(2, 3))
    lowered = auto.trace(x, kernel, geometry, None)
    text = lowered.lower(lowering_platforms=("cpu",)).as_text()
    assert not inserts_zeros(text)
    text = lowered.lower(lowering_platforms=("tpu",)).as_text()
    assert inserts_zeros(text)


def test_backward_data_equals_zero_insertion():
    rng = random.Random(5)
    for _ in range(20):
        (x, kernel, _), geometry = draw(rng)
        expected, got = (
            f(jnp.asarray(x), jnp.asarray(kernel), geometry, None)
            for f in (lowerings.zero_insertion, lowerings.backward_data)
        )
        np.testing.assert_allclose(got, expected, atol=1e-4, err_msg=str(geometry))


@pytest.mark.parametrize("platform", ["cuda", "rocm"])
@pytest.mark.parametrize("groups, dilation", [(1, 1), (2, 1), (1, 2)])
def test_auto_on_a_gpu_is_what_xla_computes_without_zeros(platform, groups, dilation):
    """tests/benchmarks/gpu_compile_test.py shows what XLA makes of it."""
    x, kernel = jnp.ones((1, 4, 4, 4)), jnp.ones((4, 4, 4 // groups, 4))
    geometry = Geometry((4, 4), (2, 2), ((2, 2), (2, 2)), (dilation,) * 2, groups)
    auto = jax.jit(lowerings.auto, static_argnums=(2, 3))
    lowered = auto.trace(x, kernel, geometry, None)
    text = lowered.lower(lowering_platforms=(platform,)).as_text()
    is_plain = groups == dilation == 1
    assert inserts_zeros(text) == is_plain
    assert text.count("stablehlo.reverse") == 2 * is_plain
    assert text.count("stablehlo.optimization_barrier") == is_plain


@pytest.mark.parametrize(
    "platform, sums", [("cpu", "f32"), ("tpu", "f32"), ("cuda", "bf16")]
)
def test_bfloat16_is_not_widened_for_cudnn(platform, sums):
    x, kernel = (jnp.ones(s, jnp.bfloat16) for s in ((1, 4, 4, 2), (4, 4, 2, 2)))
    layer = jax.jit(lambda *args: fractionally_strided_conv(*args, lowering="auto"))
    text = layer.trace(x, kernel).lower(lowering_platforms=(platform,)).as_text()
    (result,) = re.findall(r"stablehlo.convolution.* -> tensor<[\dx]*x(\w+)>", text)
    assert result == sums


def test_stride_that_divides_the_kernel_needs_one_convolution():
    for k, convolutions in ((2, 1), (4, 1), (3, 4), (5, 4)):
        geometry = Geometry((k, k), (2, 2), ((2, 2), (2, 2)), (1, 1))
        lowered = jax.jit(lowerings.subpixel, static_argnums=(2, 3)).lower(
            jnp.ones((1, 4, 4, 2)), jnp.ones((k, k, 2, 2)), geometry, None
        )
        assert lowered.as_text().count("stablehlo.convolution") == convolutions


def test_one_unit_that_is_not_finite_reaches_the_same_outputs():
    rng = random.Random(0)
    for bad in [np.nan, np.inf, -np.inf] * 4:
        (x, kernel, _), geometry = draw(rng)
        x.reshape(-1)[rng.randrange(x.size)] = bad
        expected, got = (
            f(jnp.asarray(x), jnp.asarray(kernel), geometry, None)
            for f in (lowerings.zero_insertion, lowerings.subpixel)
        )
        np.testing.assert_allclose(got, expected, atol=1e-4, err_msg=str(geometry))


@pytest.mark.parametrize("lowering", ["zero_insertion", "subpixel", "auto"])
def test_value_beside_derivatives_is_that_of_the_definition(lowering):
    x = np.ones((1, 4, 4, 2), np.float32)
    x[0, 1, 2, 0] = np.inf
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 2, 5))

    def layer(kernel):
        return fractionally_strided_conv(x, kernel, lowering=lowering)

    expected = fractionally_strided_conv(x, kernel)
    assert np.isinf(expected).sum() == 3 * 3 * 5
    assert not np.isnan(expected).any()
    for value in (
        jax.vjp(layer, kernel)[0],
        jax.jvp(layer, (kernel,), (kernel,))[0],
        jax.linearize(layer, kernel)[0],
        jax.vmap(layer)(kernel[None])[0],
    ):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lowering", ["zero_insertion", "auto"])
def test_value_beside_a_gradient_keeps_its_lowering(lowering):
    """JAX's own gradient is slow because of a convolution with lhs_dilation."""
    x, kernel = jnp.ones((1, 4, 4, 2)), jnp.ones((4, 4, 2, 2))

    def loss(x, kernel):
        return (fractionally_strided_conv(x, kernel, lowering=lowering) ** 2).sum()

    lowered = jax.jit(jax.grad(loss, (0, 1))).trace(x, kernel)
    for platform, products in (("cpu", 16), ("tpu", 0)):
        text = lowered.lower(lowering_platforms=(platform,)).as_text()
        assert text.count("stablehlo.dot_general") == products
        assert text.count("stablehlo.convolution") == (2 if products else 3)
        is_literal = platform == "tpu" or lowering == "zero_insertion"
        assert inserts_zeros(text) == is_literal


CRASHES = """
import jax, jax.numpy as jnp
from jax import lax
from cpcnn_jax import fractionally_strided_conv, insert_zeros

def plain(x, w, *, s, p, a, d, inserted=False):
    x, s = (insert_zeros(x, s), (1, 1)) if inserted else (x, s)
    pads = [(d * (k - 1) - p, d * (k - 1) - p + a) for k, d, a in zip(w.shape, d, a)]
    return lax.conv_general_dilated(
        x, w, (1, 1), pads, s, d, dimension_numbers=("NHWC", "HWIO", "NHWC")
    )

def layer_with_derivatives(x, w, *, s, p, a, d):
    def layer(x, w):
        return fractionally_strided_conv(
            x, w, strides=s, padding=p, output_padding=a, kernel_dilation=d
        )
    slope = jax.grad(lambda x, w: (layer(x, w) ** 3).sum(), (0, 1))
    jax.jit(lambda x, w: jax.jvp(slope, (x, w), (x, w)))(x, w)
    jax.jit(jax.grad(lambda x, w: slope(x, w)[1].sum(), (0, 1)))(x, w)
    return layer(x, w)

def arrays(x, w):
    keys = jax.random.split(jax.random.key(0))
    return jax.random.normal(keys[0], x), jax.random.normal(keys[1], w)

CASES = {
    "issue": (
        arrays((2, 3, 3, 2), (5, 2, 2, 1)),
        dict(s=(4, 2), p=1, a=(3, 0), d=(3, 1)),
    ),
    "small": (
        arrays((2, 1, 4, 3), (3, 2, 3, 2)),
        dict(s=(1, 2), p=1, a=(0, 0), d=(1, 1)),
    ),
}
"""


@pytest.mark.parametrize("case", ["issue", "small"])
def test_layer_survives_where_the_plain_call_aborts(case):
    """If the last lines fail, XLA is repaired: remove the guard (docs/xla-crash.md)."""

    def run(code):
        code = f"{CRASHES}\narrays, options = CASES[{case!r}]\n{code}"
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        )

    survived = run(
        "y = layer_with_derivatives(*arrays, **options)\n"
        "expected = plain(*arrays, **options, inserted=True)\n"
        "print(y.shape == expected.shape, abs(y - expected).max())"
    )
    assert survived.returncode == 0, survived.stderr
    same_shape, difference = survived.stdout.split()
    assert same_shape == "True" and float(difference) < 1e-5

    aborted = run("jax.jit(plain, static_argnames=tuple(options))(*arrays, **options)")
    assert aborted.returncode < 0 and "Check failed" in aborted.stderr
