"""Tiles compared with the image in one piece, and the halo with the Jacobian."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_experiment
from flax.traverse_util import flatten_dict

from cpcnn_jax import config
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.inference import context_scores, tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import cpcnn

pytestmark = pytest.mark.quick_compile

SIZES = [(64, 64), (67, 101), (199, 203), (401, 163), (255, 129)]
MORE = [  # each compiles the image in one piece again
    *((65, 257), (131, 300), (203, 199), (70, 512), (391, 65), (333, 500), (259, 258)),
    *((77, 640), (196, 84), (200, 201), (201, 200), (128, 399), (99, 97), (450, 73)),
    (311, 313),
]


@pytest.fixture(scope="module")
def trained():
    return tiny_experiment.networks()


@pytest.fixture(scope="module")
def whole(trained):
    return tiny_experiment.in_one_piece(trained[0], blocks=4)


@pytest.fixture(scope="module")
def parts(trained):
    model, weights = trained
    score, estimate = (
        context_scores.context_estimator(model),
        tiling.density_estimator(model, tile_size=203),
    )

    def density(image):
        shape = image_io.padded_shape(image)
        grids = model.grids(shape, blocks=4)
        scores = score(weights, image, grids)
        return estimate(
            weights, image, context_scores.spread_scores(scores, grids, shape)
        )

    return density


@pytest.mark.parametrize(
    "size",
    [*SIZES, *(pytest.param(size, marks=pytest.mark.nightly) for size in MORE)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_tiles_equal_the_image_in_one_piece(trained, whole, parts, size):
    image = np.random.default_rng(size).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected, density = whole(trained[1], image), parts(image)
    assert density.shape == size
    assert np.ptp(expected) > 1e-4  # no constant map
    np.testing.assert_allclose(
        density, expected, atol=1e-5 * np.ptp(expected), rtol=1e-5
    )


def test_number_of_devices_does_not_change_a_bit(trained):
    """Eight devices share the tiles in the other tests."""
    model, weights = trained
    image = np.random.default_rng(0).integers(0, 256, (401, 203, 3), dtype=np.uint8)
    shape = image_io.padded_shape(image)
    grids = model.grids(shape, blocks=4)
    scores = context_scores.context_estimator(model)(weights, image, grids)
    context = context_scores.spread_scores(scores, grids, shape)
    one, three = (
        tiling.density_estimator(model, tile_size=203, devices=jax.devices()[:count])(
            weights, image, context
        )
        for count in (1, 3)
    )
    np.testing.assert_array_equal(one, three)


def test_jobs_rotate_over_devices_and_results_come_in_order():
    devices = jax.devices()[:3]
    done = list(
        data_parallel.map_over_devices(jax.jit(lambda n: n + 1), range(7), devices)
    )
    assert [(job, int(result)) for job, result in done] == [
        (n, n + 1) for n in range(7)
    ]
    assert [result.device for _, result in done] == [*devices, *devices, devices[0]]


def test_many_sizes_share_a_few_programs(trained, caplog):
    """The sides are multiples of the step, here 64, up to the tile's, here 192."""
    model, weights = trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "SIZE_STEP", 64)
        score = context_scores.context_estimator(model)
        estimate = tiling.density_estimator(
            model, tile_size=192, devices=jax.devices()[:1]
        )
        with jax.log_compiles():
            for side in range(67, 300, 21):
                image = np.zeros((side, 365 - side, 3), np.uint8)
                shape = image_io.padded_shape(image)
                grids = model.grids(shape, blocks=4)
                context = context_scores.spread_scores(
                    score(weights, image, grids), grids, shape
                )
                estimate(weights, image, context)
    compiled = [r.message for r in caplog.records if "Finished XLA comp" in r.message]
    assert sum("classify" in text for text in compiled) == 2
    assert len(compiled) <= 2 + 3 * 3


@pytest.mark.parametrize("fusion", [True, False])
def test_halo_covers_the_support_of_the_jacobian(fusion):
    """With positive weights it is positive in the whole receptive field."""
    settings = dataclasses.replace(
        tiny_experiment.get_config().model,
        use_fcnn=fusion,
        use_gce=False,
        use_lce=False,
        dme_columns=(((1, 4), (1, 3), (1, 3)), ((1, 3), (1, 7), (1, 2))),
    )
    model = cpcnn.build(settings)
    image = jnp.full((1, 160, 160, 3), 0.7)
    shapes = jax.eval_shape(model.init, jax.random.key(0), image)
    ones = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.1), shapes)
    reach = 0
    derivative = jax.jit(jax.grad(lambda x, y: model.apply(ones, x)[0][0, y, 80, 0]))
    for pixel in range(80, 84):
        gradient = derivative(image, pixel)
        rows = np.abs(gradient).sum((0, 2, 3)).nonzero()[0]
        reach = max(reach, 80 - rows[0], rows[-1] + 1 - 84)
    assert reach <= tiling.halo_size(model) < reach + 4


@pytest.mark.parametrize("length", [64, 100, 256, 260, 400, 1024, 1028, 5000, 65_000])
@pytest.mark.parametrize(("size", "halo"), [(256, 84), (1024, 84), (1000, 48), (64, 4)])
def test_tiles_cover_an_axis(length, size, halo):
    tiles = tiling.tile_axis(length, tile_size=size, halo=halo)
    assert len({tile.size for tile in tiles}) == 1
    edges = [tile.keep for tile in tiles]
    assert edges[0][0] == 0 and edges[-1][1] == length
    for (_, stop), (start, _) in itertools.pairwise(edges):
        assert stop == start
    for tile in tiles:
        assert tile.start % 4 == tile.size % 4 == tile.area % 4 == 0
        assert tile.size <= size and tile.start >= 0
        low, high = tile.keep
        assert tile.start <= low < high <= tile.start + tile.area <= length
        assert low == 0 or low - tile.start >= halo
        assert high == length or tile.start + tile.size - high >= halo


def test_tiles_have_few_sizes():
    sides = {
        tile.size
        for length in range(64, 4000, 4)
        for tile in tiling.tile_axis(length, tile_size=1024, halo=84)
    }
    assert sides == {256, 512, 768, 1024}


def test_small_tile_raises_value_error(trained):
    with pytest.raises(ValueError, match="at least 132 pixels.* 44 pixels .* got 128"):
        tiling.density_estimator(trained[0], tile_size=131)


def test_networks_without_context_are_tiled():
    settings = config.Model(
        use_gce=False, use_lce=False, dme_columns=(((2, 3), (2, 3)),)
    )
    model = cpcnn.build(settings)
    image = np.random.default_rng(0).random((150, 290, 3), np.float32)
    variables = jax.jit(model.init)(jax.random.key(1), image[None, :64, :64])
    expected = jax.jit(model.apply)(variables, image[None])[0][0, ..., 0]
    estimate = tiling.density_estimator(model, tile_size=160)
    context = context_scores.spread_scores({}, {}, (152, 292))
    weights = flatten_dict(variables["params"], sep="/")
    density = estimate(weights, image, context)
    np.testing.assert_allclose(density, expected, atol=1e-7)
