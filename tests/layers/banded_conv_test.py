"""Row-wise kernel gradients against those of the plain convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from cpcnn_jax.layers.banded_conv import banded_conv

pytestmark = pytest.mark.quick_compile


def layer(side, features, **options):
    return nn.Conv(features, (side, side), use_bias=False, **options)


def gradients(module, x, kernel):
    """Value and gradients, by kernel and input, of the sum of squared outputs."""

    def loss(kernel, x):
        y = module.apply({"params": {"kernel": kernel}}, x)
        return (y.astype(jnp.promote_types(y.dtype, "float32")) ** 2).sum()

    return jax.jit(jax.value_and_grad(loss, (0, 1)))(kernel, x)


def draw(shape, side, features, dtype):
    random = np.random.default_rng(0)
    x, kernel = (
        random.normal(size=shape),
        random.normal(size=(side, side, shape[3], features)),
    )
    return jnp.asarray(x, dtype), jnp.asarray(kernel, dtype)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 2), (1, 7, 5, 3), (3, 8, 10, 4), (2, 9, 2, 1)]
)
@pytest.mark.parametrize("side", [1, 3, 4, 5])
def test_value_and_gradients_are_those_of_the_plain_convolution(shape, side):
    with jax.enable_x64(True):
        x, kernel = draw(shape, side, 6, np.float64)
        plain = gradients(layer(side, 6), x, kernel)
        banded = gradients(layer(side, 6, conv_general_dilated=banded_conv), x, kernel)
        for a, b in zip(jax.tree.leaves(banded), jax.tree.leaves(plain), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def test_sum_over_rows_is_in_float32_for_bfloat16():
    x, kernel = draw((2, 64, 48, 3), 3, 5, jnp.bfloat16)
    exact = gradients(layer(3, 5), jnp.float32(x), jnp.float32(kernel))
    banded = gradients(layer(3, 5, conv_general_dilated=banded_conv), x, kernel)
    (dkernel, dx), (expected, _) = banded[1], exact[1]
    assert dkernel.dtype == dx.dtype == jnp.bfloat16
    error = np.abs(np.float32(dkernel) - expected).max()
    assert error < 0.01 * np.abs(expected).max()


def test_gradients_on_several_devices_equal_those_on_one():
    mesh = Mesh(jax.devices()[:4], ("data",))
    x, kernel = draw((4, 9, 8, 3), 3, 5, np.float32)
    module = layer(3, 5, conv_general_dilated=banded_conv)
    split = jax.device_put(x, NamedSharding(mesh, PartitionSpec("data")))
    sharded, single = gradients(module, split, kernel), gradients(module, x, kernel)
    for a, b in zip(jax.tree.leaves(sharded), jax.tree.leaves(single), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-4)
