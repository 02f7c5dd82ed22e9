"""Tiles against the photograph in one piece, and the halo against the Jacobian."""

import dataclasses

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

SIZES = [(64, 64), (67, 101), (199, 203), (401, 163), (255, 129)]
MORE = [  # each compiles the photograph in one piece once more
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
    [*SIZES, *(pytest.param(size, marks=pytest.mark.long) for size in MORE)],
    ids=lambda size: f"{size[0]}x{size[1]}",
)
def test_tiles_are_the_photograph_in_one_piece(trained, whole, parts, size):
    image = np.random.default_rng(size).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected, found = whole(trained[1], image), parts(image)
    assert found.shape == size
    assert np.ptp(expected) > 1e-4  # a map worth comparing
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(expected), rtol=1e-5)


def test_devices_that_share_the_tiles_find_the_same_map(trained):
    """To the last bit. (The other tests have eight devices share them.)"""
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


def test_each_job_is_the_next_device_s_and_answers_come_in_order():
    devices = jax.devices()[:3]
    done = list(
        data_parallel.map_over_devices(jax.jit(lambda n: n + 1), range(7), devices)
    )
    assert [(job, int(answer)) for job, answer in done] == [
        (n, n + 1) for n in range(7)
    ]
    assert [answer.device for _, answer in done] == [*devices, *devices, devices[0]]


def test_many_sizes_share_a_few_programs(trained, caplog):
    """The sides of tiles are the bucket, here 64 pixels, and the tile, here 192."""
    model, weights = trained
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiling, "BUCKET", 64)
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
def test_the_halo_is_what_the_jacobian_reaches(fusion):
    """With all weights positive an output's derivative is above 0 at all it sees."""
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
        seen = derivative(image, pixel)
        rows = np.abs(seen).sum((0, 2, 3)).nonzero()[0]
        reach = max(reach, pixel - rows[0], rows[-1] - pixel)
    assert reach <= tiling.halo_size(model) < reach + 4


@pytest.mark.parametrize("length", [64, 100, 256, 260, 400, 1024, 1028, 5000, 65_000])
@pytest.mark.parametrize(("tile", "halo"), [(256, 84), (1024, 84), (1000, 48), (64, 4)])
def test_pieces_cover_a_line(length, tile, halo):
    found = tiling.tile_axis(length, tile_size=tile, halo=halo)
    assert len({piece.size for piece in found}) == 1
    edges = [piece.keep for piece in found]
    assert edges[0][0] == 0 and edges[-1][1] == length
    for before, after in zip(edges, edges[1:], strict=False):
        assert before[1] == after[0]
    for piece in found:
        assert piece.start % 4 == piece.size % 4 == piece.area % 4 == 0
        assert piece.size <= tile and piece.start >= 0
        low, high = piece.keep
        assert piece.start <= low < high <= piece.start + piece.area <= length
        assert low == 0 or low - piece.start >= halo
        assert high == length or piece.start + piece.size - high >= halo


def test_sides_up_to_a_tile_are_few():
    sides = {
        piece.size
        for length in range(64, 4000, 4)
        for piece in tiling.tile_axis(length, tile_size=1024, halo=84)
    }
    assert sides == {256, 512, 768, 1024}


def test_tiles_that_are_all_halo_are_refused(trained):
    with pytest.raises(ValueError, match="at least 144 pixels.* 48 pixels .* got 140"):
        tiling.density_estimator(trained[0], tile_size=143)


def test_networks_without_context_are_tiled_too():
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
    found = estimate(weights, image, context)
    np.testing.assert_allclose(found, expected, atol=1e-7)
