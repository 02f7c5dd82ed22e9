"""Tiles of the shared backbone compared with the image in one piece."""

import functools

import jax
import numpy as np
import pytest
import tiny_backbone

from cpcnn_jax.inference.shared_estimator import SharedBackboneEstimator

pytestmark = pytest.mark.quick_compile

# With tiles of 768 pixels: one tile, two rows, three columns, 3 x 2.
SIZES = [(64, 64), (65, 191), (800, 193), (193, 1400)]
MORE = [  # each compiles the image in one piece again
    *((193, 500), (191, 65), (192, 192), (577, 769), (769, 577), (960, 961)),
    *((961, 960), (1153, 100), (100, 1153), (1345, 1345), (1000, 700), (700, 1000)),
    *((129, 2050), (2050, 129), (1537, 800), (64, 1921)),
]


@functools.cache
def whole():
    return tiny_backbone.in_one_piece(tiny_backbone.networks()[0])


@functools.cache
def estimator():
    return SharedBackboneEstimator(tiny_backbone.networks()[0], tile_size=768)


@pytest.mark.parametrize(
    "size",
    [*SIZES, *(pytest.param(size, marks=pytest.mark.nightly) for size in MORE)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_tiles_equal_the_image_in_one_piece(size):
    image, weights = tiny_backbone.random_image(*size), tiny_backbone.networks()[1]
    expected, aux = whole()(weights, image)
    density, scores = estimator().estimate(weights, image)
    assert density.shape == size and density.dtype == np.float32
    # Scaled to a photograph of 500 people.
    people = 500 / np.abs(expected).sum(dtype=float)
    assert abs((density - expected).sum(dtype=float)) * people < 1e-4
    largest = np.abs(expected).max()
    assert np.ptp(expected) > 0.1 * largest  # no constant map
    np.testing.assert_allclose(density, expected, rtol=0, atol=1e-5 * largest)
    for name, grid in scores.items():
        np.testing.assert_allclose(grid, jax.nn.softmax(aux[name])[0], atol=1e-5)
    assert set(scores) == {"global", "local"}


def test_one_tile_and_many_have_the_same_density():
    model, weights = tiny_backbone.networks()
    image = tiny_backbone.random_image(770, 700)
    lists = []

    def progress(work):
        lists.append(len(work))
        return work

    density, _ = estimator().estimate(weights, image, progress)
    single, _ = SharedBackboneEstimator(model).estimate(weights, image, progress)
    assert lists == [2, 1]
    np.testing.assert_allclose(density, single, atol=1e-5 * np.abs(single).max())


@pytest.mark.quick_compile(False)
def test_number_of_devices_does_not_change_a_bit():
    """Eight devices share the tiles in the other tests."""
    model, weights = tiny_backbone.networks()
    image = tiny_backbone.random_image(770, 800)
    one = SharedBackboneEstimator(model, tile_size=768, devices=jax.devices()[:1])
    density, _ = estimator().estimate(weights, image)
    np.testing.assert_array_equal(one.estimate(weights, image)[0], density)


@pytest.mark.parametrize("omitted", [["gce"], ["gce", "lce"]])
def test_networks_without_context_are_tiled(omitted):
    model, weights = tiny_backbone.networks(**dict.fromkeys(omitted))
    image = tiny_backbone.random_image(70, 800)
    expected, _ = tiny_backbone.in_one_piece(model)(weights, image)
    estimator = SharedBackboneEstimator(model, tile_size=768)
    density, scores = estimator.estimate(weights, image)
    assert list(scores) == (["local"] if omitted == ["gce"] else [])
    np.testing.assert_allclose(density, expected, atol=1e-5 * np.abs(expected).max())


def test_many_sizes_share_a_few_programs(caplog):
    model, weights = tiny_backbone.networks()
    one = SharedBackboneEstimator(model, tile_size=768, devices=jax.devices()[:1])
    with jax.log_compiles():
        for size in ((64, 70), (191, 300), (577, 90), (300, 900), (570, 760)):
            one.estimate(weights, tiny_backbone.random_image(*size))
    compiled = [r.message for r in caplog.records if "Finished XLA comp" in r.message]
    assert len(compiled) == 3, compiled
