"""MCNN and CSRNet on images of any size, in tiles and in one piece."""

import jax
import numpy as np
import pytest

from cpcnn_jax.inference import baselines, density_resize, tiling
from cpcnn_jax.models.csrnet import CSRNet
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import param_shapes, to_variables

pytestmark = pytest.mark.quick_compile

SMALL = MCNN(columns=(((3, 5), (4, 3), (2, 7), (2, 3)),))


def drawn(model, channels):
    rng = np.random.default_rng(0)
    return {
        name: np.float32(rng.normal(0, 0.2, shape))
        for name, shape in param_shapes(model, channels=channels).items()
    }


def random_image(size):
    return np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(64, 64), (451, 70), (449, 503)])
def test_csrnet_in_tiles_equals_csrnet_in_one_piece(size):
    model, image = CSRNet(width_multiplier=1 / 32), random_image(size)
    trained = drawn(model, 3)
    whole = jax.jit(model.apply)(to_variables(trained), np.float32(image[None]) / 255)
    estimate, lists = baselines.csrnet_estimator(model, tile_size=439), []

    def progress(work):
        lists.append(len(work))
        return work

    density = estimate(trained, image, progress)
    expected = density_resize.resize_density(whole[0, ..., 0], size)
    np.testing.assert_allclose(density, expected, rtol=1e-4, atol=1e-5 * expected.max())
    assert lists == [(1 + (size[0] > 439)) * (1 + (size[1] > 439))]


@pytest.mark.parametrize("size", [(65, 70), (131, 203)])
def test_mcnn_in_tiles_equals_mcnn_in_one_piece(size):
    trained, image = drawn(SMALL, 1), random_image(size)
    tiled = baselines.mcnn_estimator(SMALL, tile_size=100)(trained, image)
    expected = baselines.mcnn_estimator(SMALL)(trained, image)
    np.testing.assert_allclose(tiled, expected, rtol=1e-4, atol=1e-5 * expected.max())
    floats = baselines.mcnn_estimator(SMALL)(trained, image / np.float32(255))
    np.testing.assert_allclose(floats, expected, rtol=1e-4, atol=1e-5 * expected.max())


def test_halo_of_csrnet_covers_the_support_of_its_gradient():
    model = CSRNet(width_multiplier=1 / 64)
    trained = {k: np.abs(v) for k, v in drawn(model, 3).items()}
    image = np.ones((1, 400, 400, 3), np.float32)

    def middle(image):
        return model.apply(to_variables(trained), image)[0, 25, 25, 0]

    support = np.flatnonzero(np.abs(jax.grad(middle)(image)).sum((0, 2, 3)))
    margin = max(200 - support.min(), support.max() - 207)
    halo = tiling.receptive_margin(model.chains(), multiple=8, cell=8)
    assert 0 <= halo - margin < 8


def test_small_tile_raises_value_error():
    with pytest.raises(ValueError, match="expected tiles of at least 432 pixels"):
        baselines.csrnet_estimator(CSRNet(), tile_size=300)
