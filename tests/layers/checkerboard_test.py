"""Checkerboard number of counted taps, of initializers and of the paper's layer T."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax.layers.checkerboard import checkerboard, phase_response
from cpcnn_jax.layers.fractionally_strided import fractionally_strided_conv
from cpcnn_jax.layers.initializers import bilinear, icnr


def test_bilinear_t_of_the_paper_has_no_checkerboard():
    kernel = bilinear((2, 2))(None, (4, 4, 16, 16))  # T of F-CNN: k4 s2
    assert checkerboard(kernel) == 1
    y = fractionally_strided_conv(jnp.ones((1, 8, 8, 16)), kernel)
    np.testing.assert_array_equal(y[:, 1:-1, 1:-1], 1)


def test_icnr_has_no_checkerboard_and_plain_normal_has_one():
    key = jax.random.key(0)
    kernel = icnr((2, 2))(key, (4, 4, 8, 8))
    np.testing.assert_allclose(checkerboard(kernel), 1, rtol=1e-4)
    assert checkerboard(jax.random.normal(key, (4, 4, 8, 8))) > 2


@pytest.mark.parametrize("k, s, number", [(2, 2, 1), (3, 2, 2), (4, 2, 1), (5, 3, 2)])
def test_checkerboard_of_box_kernels_is_that_of_counted_taps(k, s, number):
    assert checkerboard(jnp.ones((k, 1, 1)), strides=s) == number
    assert checkerboard(jnp.ones((k, k, 1, 1)), strides=s) == number**2


def test_phase_response_is_a_period_of_the_interior():
    kernel = jax.random.normal(jax.random.key(0), (3, 4, 2, 6))
    options = dict(strides=(2, 3), kernel_dilation=(1, 2), feature_group_count=2)
    response = phase_response(kernel, **options)
    assert response.shape == (2, 3, 6)
    y = fractionally_strided_conv(jnp.ones((9, 9, 4)), kernel, padding=0, **options)
    np.testing.assert_allclose(y[2:4, 6:9], response, rtol=1e-5)
    np.testing.assert_allclose(y[4:6, 9:12], response, rtol=1e-5)


def test_phases_of_opposite_sign_or_zero_are_infinite():
    assert checkerboard(jnp.array([1.0, -1.0]).reshape(2, 1, 1)) == jnp.inf
    assert checkerboard(jnp.ones((1, 1, 1))) == jnp.inf
    assert checkerboard(-jnp.ones((3, 1, 1))) == 2
