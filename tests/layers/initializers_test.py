"""Initializers: variance, interpolation as in jax.image.resize, equal phases."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax.layers.fractionally_strided import (
    FractionallyStridedConv,
    fractionally_strided_conv,
)
from cpcnn_jax.layers.initializers import bilinear, fractionally_strided_he_normal, icnr

KEY = jax.random.key(0)


@pytest.mark.parametrize("groups", [1, 2])
def test_he_normal_has_the_fan_in_without_inserted_zeros(groups):
    shape = (4, 6, 64 // groups, 96)
    kernel = fractionally_strided_he_normal((2, 3))(KEY, shape)
    expected = 2 / (4 / 2 * 6 / 3 * 64 / groups)
    np.testing.assert_allclose(kernel.var(), expected, rtol=0.02)
    init = fractionally_strided_he_normal((2, 3), transpose_kernel=True, groups=groups)
    kernel = init(KEY, (4, 6, 96 // groups, 64))
    np.testing.assert_allclose(kernel.var(), expected, rtol=0.02)


def test_he_normal_returns_bfloat16():
    kernel = fractionally_strided_he_normal((2,))(KEY, (4, 1, 1), jnp.bfloat16)
    assert kernel.dtype == jnp.bfloat16


@pytest.mark.parametrize("size", [(5, 7), (8, 6)])
def test_bilinear_equals_resize_away_from_the_border(size):
    x = jax.random.normal(KEY, (1, *size, 3))
    kernel = bilinear((2, 2))(None, (4, 4, 3, 3))
    y = fractionally_strided_conv(x, kernel)
    expected = jax.image.resize(x, y.shape, "linear")
    inner = (slice(None), slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(y[inner], expected[inner], atol=1e-6)


def test_bilinear_interpolates_a_ramp():
    ramp = jnp.array([1.0, 2, 3]).reshape(3, 1)
    kernel = bilinear((2,))(None, (4, 1, 1))
    y = fractionally_strided_conv(ramp, kernel)
    assert y.ravel().tolist() == [0.75, 1.25, 1.75, 2.25, 2.75, 2.25]


def test_bilinear_repeats_input_channels():
    kernel = bilinear((3,))(None, (5, 2, 4))
    np.testing.assert_allclose(kernel[:, 0, 0] * 3, [1, 2, 3, 2, 1], rtol=1e-6)
    np.testing.assert_array_equal(kernel[2], np.tile(np.eye(2), 2))
    with pytest.raises(ValueError, match="got 3 input channels per group and 4 output"):
        bilinear((2,))(None, (4, 3, 4))
    with pytest.raises(
        ValueError, match="got kernel size 2 with stride 2, expected at "
    ):
        bilinear((2,))(None, (2, 1, 1))


def test_icnr_repeats_every_unit():
    layer = FractionallyStridedConv(5, kernel_init=icnr((2, 2)))
    x = jax.random.normal(KEY, (1, 6, 8, 3))
    y, variables = layer.init_with_output(KEY, x)
    pairs = y[:, 1:-1, 1:-1].reshape(1, 5, 2, 7, 2, 5)
    np.testing.assert_allclose(pairs - pairs[:, :, :1, :, :1], 0, atol=1e-5)
    np.testing.assert_allclose(
        variables["params"]["kernel"].var(), 2 / (2 * 2 * 3), rtol=0.25
    )
    with pytest.raises(ValueError, match=r"got kernel size \(3,\) with strides \(2,\)"):
        icnr((2,))(KEY, (3, 1, 1))
