"""Networks: shapes, parameter counts, compositions, and VGG-16 against PyTorch."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.models import (
    context_map,
    cpcnn,
    csrnet,
    dme,
    fcnn,
    feature_decoder,
    gce,
    lce,
    mcnn,
    shared_backbone,
    vgg,
)
from cpcnn_jax.models.classifier_head import ClassifierHead, dropout
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.discriminator import Discriminator

pytestmark = pytest.mark.quick_compile

IMAGE = (1, 64, 64, 3)
C3, C4, C5 = (1, 16, 16, 256), (1, 8, 8, 512), (1, 4, 4, 512)  # of VGG-16
CONTEXT = 1_179_904  # (9 * 512 + 1) * 256
# Computed by hand from the layers' strings; the paper prints no counts.
PARAMETERS = {
    vgg.VGG16Features: (vgg.VGG16Features(), IMAGE, 14_714_688),
    gce.GlobalContextEstimator: (gce.GlobalContextEstimator(), IMAGE, 27_692_869),
    lce.LocalContextEstimator: (lce.LocalContextEstimator(), IMAGE, 3_375_685),
    dme.DensityMapEstimator: (dme.DensityMapEstimator(), IMAGE, 244_706),
    csrnet.CSRNet: (csrnet.CSRNet(), IMAGE, 16_263_489),
    mcnn.MCNN: (mcnn.MCNN(), (1, 64, 64, 1), 127_953),
    fcnn.FusionCNN: (fcnn.FusionCNN(), (1, 16, 16, 40), 341_169),
    fcnn.PointwiseFusion: (fcnn.PointwiseFusion(), (1, 16, 16, 30), 31),
    Discriminator: (Discriminator(), (1, 64, 64, 1), 1_553_089),
    ClassifierHead: (ClassifierHead((8, 4), 3), (1, 10), 88 + 36 + 15),
    CPCNN: (CPCNN(), IMAGE, 27_692_869 + 3_375_685 + 244_706 + 341_169),
    vgg.VGG16Stem: (vgg.VGG16Stem(), IMAGE, 260_160),
    vgg.VGG16Pyramid: (vgg.VGG16Pyramid(), (1, 16, 16, 128), 14_454_528),
    feature_decoder.FeatureDecoder: (
        *(feature_decoder.FeatureDecoder(), [C3, C4, C5]),
        1_179_904 + 524_416 + 1_474_816 + 524_416 + 221_248,
    ),
    shared_backbone.ContextFeatures: (shared_backbone.ContextFeatures(), C5, CONTEXT),
    # The heads and F-CNN, which has 64 + 8 + 10 input features, are the last three.
    shared_backbone.SharedBackbone: (
        *(shared_backbone.SharedBackbone(), IMAGE),
        14_714_688 + 3_924_800 + CONTEXT + 67_848 + 68_362 + 558_897,
    ),
}


@functools.cache
def _small():
    """A narrow CP-CNN and its weights."""
    model = cpcnn.build(
        Model(
            vgg_width_multiplier=0.125,
            gce_hidden_dims=(8, 8),
            lce_features=(4, 4, 8),
            lce_hidden_dims=(8, 8),
            dme_columns=(((4, 5), (4, 3), (3, 3)), ((4, 3), (4, 3), (2, 3))),
        )
    )
    return model, jax.jit(model.init)(jax.random.key(0), jnp.zeros(IMAGE))


def _image(height, width, count=1, seed=0):
    shape = (count, height, width, 3)
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def test_table_of_parameters_holds_every_module():
    modules = (
        *(vgg, gce, lce, dme, fcnn, cpcnn, mcnn, csrnet),
        *(feature_decoder, shared_backbone),
    )
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, nn.Module)
        and value.__module__.startswith("cpcnn_jax.models")
    }
    assert classes | {Discriminator} == set(PARAMETERS)


@pytest.mark.parametrize("name", PARAMETERS, ids=lambda c: c.__name__)
def test_parameter_count(name):
    module, shape, expected = PARAMETERS[name]
    inputs = map(jnp.zeros, shape if isinstance(shape, list) else [shape])
    variables = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    assert sum(leaf.size for leaf in jax.tree.leaves(variables)) == expected


def test_default_networks_equal_those_of_the_default_configuration():
    assert cpcnn.build(Model()) == CPCNN()


@pytest.mark.parametrize("size", [(64, 64), (67, 101), (98, 65)])
def test_density_has_the_image_size(size):
    model, variables = _small()
    density, aux = jax.jit(model.apply)(variables, _image(*size))
    quarter = tuple(-(-side // 4) for side in size)
    assert density.shape == (1, *size, 1)
    assert aux["features"].shape == (1, *quarter, 5)
    assert aux["context"].shape == (1, *quarter, 10)
    np.testing.assert_allclose(aux["context"][..., :5].sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(aux["context"][..., 5:].sum(-1), 1, rtol=1e-5)


def test_density_is_the_fusion_output_divided_by_the_scale():
    model, variables = _small()
    image = _image(64, 72)
    density, aux = model.apply(variables, image)
    fused = jnp.concatenate([aux["features"], aux["context"]], axis=-1)
    scaled = model.fcnn.apply({"params": variables["params"]["fcnn"]}, fused)
    np.testing.assert_allclose(density * 100, scaled, rtol=1e-5, atol=1e-6)


def test_batch_equals_its_images_one_by_one():
    model, variables = _small()
    images = _image(64, 64, count=2)
    batched, _ = model.apply(variables, images)
    single = [model.apply(variables, image[None])[0][0] for image in images]
    np.testing.assert_allclose(batched, np.stack(single), atol=1e-6)


def test_global_context_of_a_crop_is_constant():
    model, variables = _small()
    context = model.apply(variables, _image(64, 96), blocks=1, method="context")
    scores = context[0, ..., :5]
    expected = np.broadcast_to(scores[0, 0], scores.shape)
    np.testing.assert_allclose(scores, expected, rtol=1e-6)


def test_global_context_of_an_image_is_gce_block_by_block():
    model, variables = _small()
    image = _image(128, 192)
    context = model.apply(variables, image, method="context")[0, ..., :5]
    block = image[:, 32:64, 96:144]  # row 1, column 2 of four by four
    logits = model.gce.apply({"params": variables["params"]["gce"]}, block)
    np.testing.assert_allclose(context[12, 30], jax.nn.softmax(logits)[0], rtol=1e-4)


def test_local_context_is_lce_window_by_window():
    model, variables = _small()
    image = _image(64, 128)
    context = model.apply(variables, image, method="context")[0, ..., 5:]
    logits = model.lce.apply({"params": variables["params"]["lce"]}, image[:, :, 64:])
    scores = jax.nn.softmax(logits)[0]
    np.testing.assert_allclose(
        context[:, 16:], jnp.broadcast_to(scores, (16, 16, 5)), rtol=1e-5
    )


def test_lce_scores_do_not_depend_on_the_place_of_a_patch():
    """VALID convolutions of the whole image equal those of each window."""
    model, variables = _small()
    params = variables["params"]["lce"]
    image = _image(80, 64)
    x = vgg.normalize(image)
    for block in (1, 2, 3):
        for layer in (1, 2):
            weights = params[f"conv{block}_{layer}"]
            x = jax.lax.conv_general_dilated(
                x,
                weights["kernel"],
                (1, 1),
                "VALID",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            x = jax.nn.relu(x + weights["bias"].reshape(1, 1, 1, -1))
        x = nn.max_pool(x, (2, 2), (2, 2))
    window = x[:, 2:6].reshape(1, -1)  # its top is at pixel 16
    logits = ClassifierHead((8, 8), 5).apply({"params": params["head"]}, window)
    expected = model.lce.apply({"params": params}, image[:, 16:80])
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_omitted_networks_have_no_parameters():
    model = cpcnn.build(Model(use_gce=False, use_lce=False, use_fcnn=False))
    (density, aux), variables = jax.jit(model.init_with_output)(
        jax.random.key(0), jnp.ones(IMAGE)
    )
    assert set(variables["params"]) == {"dme", "fcnn"}
    assert aux["context"].shape == (1, 16, 16, 0)
    np.testing.assert_array_equal(np.unique(density[0, :4, :4]), density[0, 0, 0])


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1, 63, 64, 3), "at least 64x64 pixels, got 63x64"),
        ((1, 64, 64, 1), r"images \[B, H, W, 3\], got \(1, 64, 64, 1\)"),
        ((64, 64, 3), r"images \[B, H, W, 3\], got \(64, 64, 3\)"),
    ],
)
def test_unsuitable_image_raises_value_error(shape, text):
    model, variables = _small()
    with pytest.raises(ValueError, match=text):
        model.apply(variables, jnp.zeros(shape))


def test_unsuitable_size_raises_value_error():
    with pytest.raises(ValueError, match="multiples of 4, got 66x64"):
        dme.DensityMapEstimator().init(jax.random.key(0), jnp.zeros((1, 66, 64, 3)))
    with pytest.raises(ValueError, match="64x64 pixels, got"):
        lce.LocalContextEstimator().init(jax.random.key(0), jnp.zeros((1, 32, 64, 3)))
    with pytest.raises(ValueError, match="even kernel size, got 3"):
        fcnn.FusionCNN(3).init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))


@pytest.mark.parametrize("kernel", [2, 6])
def test_t_doubles_the_size_with_every_even_kernel(kernel):
    net = fcnn.FusionCNN(upsample_kernel_size=kernel)
    out, _ = net.init_with_output(jax.random.key(0), jnp.zeros((1, 5, 7, 2)))
    assert out.shape == (1, 20, 28, 1)


def test_dropout_depends_on_the_key_not_on_the_batch():
    keys = jax.random.split(jax.random.key(0), 4)
    x = jnp.ones((4, 50))
    dropped = dropout(x, keys, rate=0.3)
    parts = [dropout(x[i : i + 2], keys[i : i + 2], rate=0.3) for i in (0, 2)]
    np.testing.assert_array_equal(dropped, jnp.concatenate(parts))
    positive = dropped[dropped > 0]
    np.testing.assert_allclose(positive, 1 / 0.7, rtol=1e-6)
    assert 0.5 < len(positive) / dropped.size < 0.9


def test_coverage_averages_overlapping_windows():
    spans = context_map.window_spans(148, window=64, stride=32)
    assert spans == [(0, 64), (32, 96), (64, 128), (84, 148)]
    cover = context_map.coverage(148, spans)
    np.testing.assert_allclose(cover.sum(axis=1), 1)
    by_hand = [(0 <= 40 < 64), (32 <= 40 < 96), False, False]  # pixels 40 to 43
    np.testing.assert_allclose(cover[10], np.array(by_hand) / 2)


def test_vgg16_equals_pytorch_with_the_same_weights():
    net = vgg.VGG16Features(width_multiplier=0.125)
    image = _image(64, 64)
    variables = net.init(jax.random.key(1), image)
    mean, std = np.float32(vgg.MEAN), np.float32(vgg.STD)
    x = torch.tensor(((image - mean) / std).transpose(0, 3, 1, 2))
    assert set(variables["params"]) == set(VGG16_LAYERS)
    for name in VGG16_LAYERS:
        weights = variables["params"][name]
        kernel = np.array(weights["kernel"]).transpose(3, 2, 0, 1)
        bias = torch.tensor(np.array(weights["bias"]))
        x = torch.conv2d(x, torch.tensor(kernel), bias, padding=1).relu()
        if name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"):
            x = torch.max_pool2d(x, 2)
    features = net.apply(variables, image)
    np.testing.assert_allclose(features, x.permute(0, 2, 3, 1), atol=1e-4)


def test_modules_are_plain_dataclasses():
    assert dataclasses.replace(CPCNN(), gce=None).gce is None
