"""Scores of windows in batches compared with the networks on the whole image."""

import jax
import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax.inference import context_scores
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.params import to_variables


@pytest.fixture(scope="module")
def trained():
    return tiny_experiment.networks()


@pytest.mark.parametrize("side", [40, 224, 301])
def test_blocks_are_resized_like_in_gce(side):
    block = np.random.default_rng(side).random((side, 100, 3), np.float32)
    expected = jax.image.resize(block, (224, 224, 3), method="bilinear")
    # JAX computes pixel positions in float32, pillow in double precision.
    np.testing.assert_allclose(context_scores._resize_block(block), expected, atol=1e-5)


@pytest.mark.parametrize("blocks", [4, 2])
def test_parts_of_the_context_map_equal_the_whole_map(trained, blocks):
    model, weights = trained
    image = np.random.default_rng(0).integers(0, 256, (138, 261, 3), dtype=np.uint8)
    shape = image_io.padded_shape(image)
    assert shape == (140, 264)
    grids = model.grids(shape, blocks=blocks)
    scores = context_scores.context_estimator(model)(weights, image, grids)
    assert scores["global"].shape == (blocks, blocks, 5)
    assert scores["local"].shape == (3, 5, 5)
    context = jax.jit(
        lambda w, x: model.apply(to_variables(w), x, blocks=blocks, method="context")
    )
    expected = context(weights, np.float32(image)[None] / 255)[0]
    assert np.ptp(expected, axis=(0, 1)).min() > 1e-6  # no constant map
    part = context_scores.spread_scores(scores, grids, shape)
    np.testing.assert_allclose(part((0, 35), (0, 66)), expected, atol=1e-5)
    np.testing.assert_allclose(part((7, 9), (60, 66)), expected[7:9, 60:], atol=1e-5)


def test_omitted_networks_have_no_windows(trained):
    model = trained[0].clone(gce=None)
    assert set(model.grids((64, 64))) == {"local"}
    context = context_scores.spread_scores({}, {}, (64, 64))
    assert context((0, 2), (0, 3)).shape == (2, 3, 0)
