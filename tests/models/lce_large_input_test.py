"""LCE with larger inputs, against its definition patch by patch."""

import contextlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_experiment
from grey_images import Mixed, Stripes

from cpcnn_jax import config, data
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import input_pipeline
from cpcnn_jax.inference import context_scores
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import classifier_head, cpcnn, lce, vgg
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import classifier_stages
from cpcnn_jax.training import stage as stage_lib

FIELDS = {
    "hidden_dims": (8, 8),
    "num_classes": 7,
    "vgg_blocks": 4,
    "vgg_width_multiplier": 0.125,
}


def random_image(*shape, seed=0):
    return np.random.default_rng(seed).random((*shape, 3), np.float32)


@pytest.fixture(scope="module")
def classified():
    """(network, params, patch `[2, 128, 192, 3]`, logits)."""
    network, patch = lce.LocalContextEstimator(**FIELDS), random_image(2, 128, 192)
    logits, variables = network.init_with_output(jax.random.key(0), patch)
    return network, variables["params"], patch, logits


def test_each_patch_is_classified_by_its_features(classified):
    network, params, patch, logits = classified
    assert logits.shape == (2, 2, 3, 7)
    features = vgg.VGG16Features(0.125, 4).apply({"params": params["vgg16"]}, patch)
    head = classifier_head.ClassifierHead((8, 8), 7)
    for row, column in itertools.product(range(2), range(3)):
        part = features[:, 4 * row : 4 * row + 4, 4 * column : 4 * column + 4]
        expected = head.apply({"params": params["head"]}, part)
        np.testing.assert_allclose(logits[:, row, column], expected, atol=1e-5)


def test_receptive_field_reaches_the_neighboring_patch_only(classified):
    network, params, patch, logits = classified
    other = patch.copy()
    other[:, 10:20, 130:140] = 0  # in the third patch of the first row
    changed = jnp.abs(network.apply({"params": params}, other) - logits).max((0, 3))
    assert changed[0, 1] > 0 and changed[0, 2] > changed[0, 1]
    np.testing.assert_array_equal(changed[:, 0], 0)


def test_weights_do_not_depend_on_the_input_size(classified):
    network, params, patch, _ = classified
    single = network.init(jax.random.key(0), patch[:, :64, :64])["params"]
    assert jax.tree.map(jnp.shape, single) == jax.tree.map(jnp.shape, params)


def test_each_patch_has_its_own_dropout():
    network, patch = lce.LocalContextEstimator(**FIELDS), jnp.zeros((1, 128, 128, 3))
    params = network.init(jax.random.key(0), patch)["params"]
    params["head"] = jax.tree.map(jnp.ones_like, params["head"])
    keys = jax.random.split(jax.random.key(1), 1)
    logits = network.apply({"params": params}, patch, dropout_keys=keys)
    assert len(set(logits[..., 0].ravel().tolist())) > 1


@pytest.mark.parametrize(
    ("blocks", "shape", "text"),
    [(0, (128, 128), "64x64 pixels, got"), (4, (64, 96), "or multiples of it, got")],
)
def test_other_sizes_raise_value_error(blocks, shape, text):
    network = lce.LocalContextEstimator((4, 4, 8), **FIELDS | {"vgg_blocks": blocks})
    with pytest.raises(ValueError, match=text):
        network.init(jax.random.key(0), jnp.zeros((1, *shape, 3)))


def build_model(side, stride):
    settings = tiny_experiment.get_config().model
    settings.lce_vgg_blocks, settings.lce_input_size = 4, side
    settings.lce_stride, settings.use_gce = stride, False
    return cpcnn.build(settings)


def test_context_map_is_the_mean_of_overlapping_windows():
    """192 x 260 pixels in windows of 128 x 128; the last ones are moved inside."""
    model, image = build_model(128, 96), random_image(1, 192, 260)
    weights = tiny_experiment.drawn(model)
    variables = to_variables(weights)
    context = model.apply(variables, image, method="context")[0]
    total, times = np.zeros((192, 260, 5)), np.zeros((192, 260, 1))
    for top, left in itertools.product((0, 64), (0, 96, 132)):
        window = image[:, top : top + 128, left : left + 128]
        logits = model.lce.apply(to_variables(weights, scope="lce/"), window)[0]
        scores = np.repeat(np.repeat(jax.nn.softmax(logits), 64, 0), 64, 1)
        total[top : top + 128, left : left + 128] += scores
        times[top : top + 128, left : left + 128] += 1
    expected = (total / times).reshape(48, 4, 65, 4, 5).mean((1, 3))
    assert np.ptp(expected, axis=(0, 1)).max() > 1e-3
    np.testing.assert_allclose(context, expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(138, 300), (64, 80), (200, 130)])
def test_batches_of_windows_equal_the_whole_image(shape):
    model, image = build_model(128, 128), random_image(*shape)
    weights, padded = tiny_experiment.drawn(model), image_io.padded_shape(image)
    grids = model.grids(padded)
    scores = context_scores.context_estimator(model)(weights, image, grids)
    context = context_scores.spread_scores(scores, grids, padded)
    whole = jax.jit(lambda w, x: model.apply(to_variables(w), x, method="context"))
    cells = [(0, side // maps.POOLING) for side in padded]
    expected = whole(weights, image[None])[0]
    np.testing.assert_allclose(context(*cells), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("length", "spans"),
    [(64, [(0, 64)]), (140, [(0, 128), (12, 140)]), (300, [(0, 256), (44, 300)])],
)
def test_windows_are_smaller_in_smaller_images(length, spans):
    assert build_model(256, 256)._window_spans(length) == spans


CROPS = config.Crops(num_patches=2, num_augmented_patches=4, max_scale=1.5)


def test_patch_has_a_count_for_each_64x64_pixels():
    source = Mixed((512, 768), (300, 400))
    for i, j in itertools.product(range(2), range(6)):
        patch = crops_lib.read_patch(source, CROPS, 7, i, j, side=192)
        window = crops_lib._patch_window(7, i, j, source.shapes[i], CROPS, 192)
        assert patch["image"].shape == (192, 192, 3) == (*window.place[2:], 3)
        scale = np.divide(window.shape, source.shapes[i])[::-1]
        x, y = (source.points[i] * scale - window.place[1::-1]).T
        if crops_lib._augmentation(CROPS.num_patches, j) == "flip":
            x = 192 - 1e-6 - x
        edges = np.arange(0, 193, 64)
        expected, _, _ = np.histogram2d(y, x, bins=(edges, edges))
        np.testing.assert_array_equal(patch["count"], expected)
    counts = crops_lib.patch_counts(source, CROPS, 7, side=192)
    assert counts.shape == (2 * 6 * 9,) and counts.max() > 0


def test_counts_are_flipped_with_the_patch():
    source = Stripes((256, 256))  # red rises from left to right
    source.points[0] = np.float32([[250, 10]] * 5)  # right, at the top
    whole = config.Crops(num_patches=1, num_augmented_patches=1)
    plain, flipped = (
        crops_lib.read_patch(source, whole, 7, 0, j, side=256) for j in (0, 1)
    )
    assert plain["count"][0].tolist() == [0, 0, 0, 5]
    assert flipped["count"][0].tolist() == [5, 0, 0, 0]
    np.testing.assert_array_equal(flipped["image"], plain["image"][:, ::-1])


def test_image_smaller_than_the_patch_is_enlarged():
    source = Stripes((128, 96))
    patch = crops_lib.read_patch(source, CROPS, 7, 0, 0, side=192)
    window = crops_lib._patch_window(7, 0, 0, (128, 96), CROPS, 192)
    assert window.shape == (256, 192)
    red = (np.arange(192) + 0.5) / 192
    np.testing.assert_allclose(patch["image"][0, :, 0], red, atol=3 / 255)


def test_stage_trains_on_the_labels_of_all_patches():
    experiment = tiny_experiment.get_config()
    experiment.model.lce_vgg_blocks, experiment.model.lce_input_size = 4, 128
    experiment.lce.batch_size, experiment.lce.first_trainable_layer = 4, "conv4_1"
    source = data.open_dataset(experiment.data, "train")
    model = cpcnn.build(experiment.model)
    context = stage_lib.StageContext(experiment, model, source, None)
    stage = classifier_stages.lce_stage(context, tiny_experiment.drawn(model))
    with contextlib.closing(stage.batches(0)) as batches:
        batch = next(batches)
    batch.pop("crop")
    assert batch["image"].shape == (4, 128, 128, 3)
    assert batch["label"].shape == (4, 2, 2)
    _, metrics = jax.jit(stage.step)(stage.state, batch)
    assert 0 < metrics["loss"] < np.inf
    order = {"batch_size": 4, "seed": experiment.seed, "side": 128}
    with contextlib.closing(
        input_pipeline.patch_batches(source, experiment.crops, **order)
    ) as batches:
        np.testing.assert_array_equal(next(batches)["image"], batch["image"])
