"""Fast forms against the operations that they replace, in value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax import lax

from cpcnn_jax.layers import fast_conv

pytestmark = pytest.mark.quick_compile

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def _draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize(
    "fast_form, padding, features, side",
    [
        (fast_conv.folded_conv, "SAME", 20, 7),
        (fast_conv.folded_conv, "SAME", 9, 9),
        (fast_conv.folded_conv, "SAME", 8, 5),
        (fast_conv.folded_conv, "SAME", 16, 2),
        (fast_conv.folded_conv, "SAME", 1, 6),
        (fast_conv.folded_conv, "SAME", 7, 1),
        (fast_conv.valid_conv, "VALID", 5, 3),
        (fast_conv.valid_conv, "VALID", 2, 5),
    ],
)
@pytest.mark.parametrize("shape", [(2, 11, 14, 3), (1, 5, 7, 3)])
def test_fast_convolutions_equal_lax(fast_form, padding, features, side, shape):
    x, kernel = _draw(*shape), _draw(side, side, 3, features, seed=1)

    def outcome(convolve):
        def run(x, kernel):
            return convolve(x, kernel, (1, 1), padding, dimension_numbers=DIMENSIONS)

        y, pull_back = jax.vjp(run, x, kernel)
        return y, *pull_back(jnp.cos(y))

    result, expected = (outcome(c) for c in (fast_form, lax.conv_general_dilated))
    for a, b in zip(result, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "fast_form, padding",
    [(fast_conv.folded_conv, "SAME"), (fast_conv.valid_conv, "VALID")],
)
@pytest.mark.parametrize("shape", [(2, 11, 14, 3), (1, 5, 7, 3)])
def test_bfloat16_convolutions_round_once(fast_form, padding, shape):
    """The result is within one rounding of the same convolution in float64."""
    x, kernel = _draw(*shape), _draw(5, 5, 3, 8, seed=1)
    half = [value.astype(jnp.bfloat16) for value in (x, kernel)]
    options = dict(dimension_numbers=DIMENSIONS)
    y = fast_form(*half, (1, 1), padding, **options)
    double = [value.astype(jnp.float64) for value in half]
    expected = lax.conv_general_dilated(*double, (1, 1), padding, **options)
    assert y.dtype == jnp.bfloat16
    largest = float(jnp.abs(expected).max())
    np.testing.assert_allclose(
        y.astype(jnp.float64), expected, rtol=2**-8, atol=1e-5 * largest
    )


@pytest.mark.parametrize("shape", [(2, 8, 6, 3), (1, 7, 9, 2), (1, 1, 4, 1)])
def test_pooling_without_ties_equals_flax(shape):
    x = _draw(*shape)

    def flax(x):
        return nn.max_pool(x, window_shape=(2, 2), strides=(2, 2))

    (y, pull_back), (expected, flax_pull_back) = (
        jax.vjp(pool, x) for pool in (fast_conv.max_pool, flax)
    )
    np.testing.assert_array_equal(y, expected)
    dy = jnp.sin(_draw(*y.shape, seed=2))
    np.testing.assert_array_equal(pull_back(dy)[0], flax_pull_back(dy)[0])


def test_equal_maxima_share_the_gradient():
    gradient = jax.grad(lambda x: fast_conv.max_pool(x).sum())(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient, jnp.full((1, 2, 2, 1), 0.25))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float32])
def test_pooling_of_computed_values_equals_flax(dtype):
    x = _draw(1, 9, 7, 3).astype(dtype)

    def run(pool):
        return jax.jit(lambda x: pool(nn.relu(x + dtype(0.5))))(x)

    y = run(fast_conv.max_pool)
    assert y.dtype == dtype
    expected = run(lambda x: nn.max_pool(x, window_shape=(2, 2), strides=(2, 2)))
    np.testing.assert_array_equal(y, expected)
