"""Scaling by matrices against jax.image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax.data.resample import resize_corner


@pytest.mark.parametrize("size", [(64, 64), (71, 130), (120, 140), (100, 33), (8, 140)])
@pytest.mark.parametrize("side", [24, 96])
def test_a_resized_corner_is_the_resized_crop(size, side):
    image = np.random.default_rng(0).random((120, 140, 3), np.float32)
    found = jax.jit(resize_corner, static_argnums=2)(image, jnp.array(size), side)
    crop = image[: size[0], : size[1]]
    with jax.enable_x64(True):
        expected = jax.image.resize(np.float64(crop), (side, side, 3), "bilinear")
    np.testing.assert_allclose(found, expected, atol=1e-6)
