"""Networks on a canvas give the values of the crop alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cpcnn_jax import config
from cpcnn_jax.models import context_map, cpcnn
from cpcnn_jax.models.crop_context import crop_context_map, cut_windows, window_starts
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.dme import DensityMapEstimator
from cpcnn_jax.models.fcnn import FusionCNN, PointwiseFusion
from cpcnn_jax.models.valid_area import valid_area

pytestmark = pytest.mark.quick_compile

CANVAS = (96, 128)
SIZES = [(96, 128), (64, 64), (68, 100), (92, 84)]  # multiples of 4


def canvas_of(x, scale):
    """The crops of [96, 128] inputs, with other values outside, and the masks."""
    sizes = np.array(SIZES)
    valid = valid_area(jnp.asarray(sizes), CANVAS)
    small = np.asarray(valid)[:, scale - 1 :: scale, scale - 1 :: scale]
    return x * small, valid


@pytest.mark.parametrize(
    "network, channels, scale",
    [
        (DensityMapEstimator(columns=(((4, 9), (4, 7), (3, 5)),)), 3, 1),
        (FusionCNN(), 5, 4),
        (PointwiseFusion(), 5, 4),
        (Discriminator(0.125), 1, 1),
    ],
    ids=["DME", "F-CNN", "1x1", "discriminator"],
)
def test_values_and_gradients_are_those_of_the_crop(network, channels, scale):
    rng = np.random.default_rng(0)
    height, width = (side // scale for side in CANVAS)
    x = rng.normal(0, 1, (len(SIZES), height, width, channels)).astype(np.float32)
    x, valid = canvas_of(x, scale)
    params = network.init(jax.random.key(0), x[:1])
    params = jax.tree.map(  # biases make the outside differ from zero
        lambda leaf: np.float32(leaf + rng.normal(0, 0.1, leaf.shape)), params
    )

    def total(params, x, valid):
        y = network.apply(params, x, valid)
        return jnp.sum(jnp.sin(y)), y

    gradient = jax.jit(jax.grad(total, has_aux=True))
    for n, size in enumerate(SIZES):
        crop = x[n : n + 1, : size[0] // scale, : size[1] // scale]
        alone, expected = gradient(params, crop, None)
        whole, y = gradient(params, x[n : n + 1], valid[n : n + 1])
        height, width = expected.shape[1:3]
        np.testing.assert_allclose(y[:, :height, :width], expected, atol=2e-5)
        if isinstance(network, Discriminator):
            continue  # logits outside are left out by the loss
        assert not np.asarray(y)[:, height:].any()
        for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(whole), strict=True):
            np.testing.assert_allclose(a, b, atol=2e-4 * np.abs(a).max() + 1e-6)


@pytest.mark.parametrize("size", [(192, 256), (64, 64), (128, 192), (100, 224)])
@pytest.mark.parametrize("stride", [64, 48])
def test_context_maps_are_those_of_the_crop(size, stride):
    """Against `CPCNN.spread`, with random scores of GCE and LCE."""
    canvas, rng = (192, 256), np.random.default_rng(0)
    model = cpcnn.build(config.Model(lce_stride=stride))
    axes = zip(size, canvas, strict=True)
    placed = [window_starts(jnp.int32(s), c, stride) for s, c in axes]
    starts, used = zip(*placed, strict=True)
    spans = [context_map.window_spans(s, window=64, stride=stride) for s in size]
    for found, mask, expected in zip(starts, used, spans, strict=True):
        assert found[mask].tolist() == [start for start, _ in expected]
    local = rng.random((len(starts[0]), len(starts[1]), 5)).astype(np.float32)
    scores = {"global": rng.random(5).astype(np.float32), "local": local}
    spread = jax.jit(crop_context_map, static_argnums=(2, 3))
    found = np.asarray(spread(scores, jnp.array(size), canvas, stride))
    n, m = (len(s) for s in spans)
    own = {"global": scores["global"][None, None, None], "local": local[None, :n, :m]}
    expected = model.spread(own, jnp.zeros((1, *size, 3)))[0]
    height, width = size[0] // 4, size[1] // 4
    np.testing.assert_allclose(found[:height, :width], expected, atol=1e-6)
    assert not found[height:].any() and not found[:, width:].any()


def test_windows_are_those_of_the_crop():
    image = np.random.default_rng(0).random((128, 192, 3), np.float32)
    size = (100, 192)
    found = cut_windows(image, jnp.array(size), 64)
    spans = [context_map.window_spans(s, window=64, stride=64) for s in size]
    expected = context_map.cut_windows(image[None, :100], *spans)
    np.testing.assert_array_equal(found.reshape(expected.shape), expected)
