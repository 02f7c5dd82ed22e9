"""The network with a shared backbone: against PyTorch, its padding and its parts."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import shared_twin
import tiny_backbone
import torch
import torch_twins

from cpcnn_jax import config
from cpcnn_jax.models import cpcnn, networks, shared_backbone, vgg
from cpcnn_jax.models.params import to_variables

pytestmark = pytest.mark.quick_compile


@functools.cache
def trained():
    return tiny_backbone.networks()


@functools.cache
def apply():
    model, weights = trained()
    return jax.jit(functools.partial(model.apply, to_variables(weights)))


def image(*size):
    return np.float32(tiny_backbone.random_image(*size))[None] / 255


@pytest.mark.parametrize("size", [(64, 64), (70, 197)])
def test_network_equals_pytorch_with_the_same_weights(size):
    parameters = torch_twins.parameters_of(trained()[1], torch.contiguous_format)
    network = shared_twin.twin(parameters)
    pixels = torch.tensor(image(*size).transpose(0, 3, 1, 2))
    expected = network(pixels).detach().numpy()[0, 0]
    density, _ = apply()(image(*size))
    largest = np.abs(expected).max()
    assert np.ptp(expected) > 0.5 * largest > 0  # no constant map
    np.testing.assert_allclose(density[0, ..., 0], expected, atol=1e-5 * largest)


def test_parts_beyond_the_image_equal_the_mean_color():
    """Zeros after the normalization are the mean of ImageNet before it."""
    pixels = image(70, 130)
    extended = np.tile(np.float32(vgg.MEAN), (1, 192, 192, 1))
    extended[:, :70, :130] = pixels
    density, expected = apply()(pixels)[0], apply()(extended)[0][:, :70, :130]
    np.testing.assert_allclose(density, expected, atol=1e-6)


def test_context_holds_the_scores_of_blocks_and_windows():
    _, aux = apply()(image(200, 380))
    assert aux["global"].shape == (1, 2, 2, 3) and aux["local"].shape == (1, 6, 6, 4)
    assert aux["features"].shape == (1, 96, 96, 4)
    context = np.asarray(aux["context"])
    assert context.shape == (1, 96, 96, 7)
    scores = jax.nn.softmax(aux["global"][0, 1, 0])
    assert np.ptp(scores) > 0.01
    block = np.broadcast_to(scores, (48, 48, 3))
    np.testing.assert_allclose(context[0, 48:, :48, :3], block, rtol=1e-6)
    window = np.broadcast_to(jax.nn.softmax(aux["local"][0, 2, 5]), (16, 16, 4))
    np.testing.assert_allclose(context[0, 32:48, 80:, 3:], window, rtol=1e-6)


def test_logits_are_those_of_the_means_of_cells():
    model, weights = trained()
    variables = to_variables(weights)
    cells = np.random.default_rng(0).random((1, 12, 24, 16), np.float32)
    logits = model.apply(variables, cells, method="classify")
    for name, head, side in (("global", "gce", 12), ("local", "lce", 4)):
        mean = cells[0, :side, -side:].mean((0, 1))
        hidden = mean @ weights[f"{head}/fc0/kernel"] + weights[f"{head}/fc0/bias"]
        expected = np.maximum(hidden, 0) @ weights[f"{head}/logits/kernel"]
        expected += weights[f"{head}/logits/bias"]
        np.testing.assert_allclose(logits[name][0, 0, -1], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("omitted", "features"), [(["gce"], 4), (["lce"], 3), (["gce", "lce"], 0)]
)
def test_omitted_heads_have_no_parameters(omitted, features):
    fields = {f"use_{name}": False for name in omitted}
    settings = config.Model(**{**vars(tiny_backbone.MODEL), **fields})
    model = networks.build(settings)
    (density, aux), variables = jax.eval_shape(
        lambda key: model.init_with_output(key, jnp.zeros((1, 64, 64, 3))),
        jax.random.key(0),
    )
    heads = {"gce", "lce"} - set(omitted)
    context = heads | {"context_features"} if heads else set()
    assert set(variables["params"]) == {"stem", "pyramid", "dme", "fcnn"} | context
    assert aux["context"].shape == (1, 48, 48, features)
    assert density.shape == (1, 64, 64, 1)


def test_density_is_the_fusion_output_divided_by_the_scale():
    pixels, (model, weights) = image(64, 64), trained()
    density, aux = apply()(pixels)
    fused = jnp.concatenate([aux["features"], aux["context"]], axis=-1)
    scaled = model.fcnn.apply(to_variables(weights, scope="fcnn/"), fused)
    np.testing.assert_allclose(density * 100, scaled[:, :64, :64], rtol=1e-5, atol=1e-6)


def test_batch_equals_its_images_one_by_one():
    images = np.concatenate([image(64, 65), image(64, 65)[:, ::-1]])
    batched = apply()(images)[0]
    single = [apply()(pixels[None])[0][0] for pixels in images]
    assert np.abs(batched[0] - batched[1]).max() > 1e-3
    np.testing.assert_allclose(batched, np.stack(single), atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((1, 63, 64, 3), "at least 64x64 pixels, got 63x64"),
        ((1, 64, 64, 1), r"images \[B, H, W, 3\], got \(1, 64, 64, 1\)"),
        ((64, 64, 3), r"images \[B, H, W, 3\], got \(64, 64, 3\)"),
    ],
)
def test_unsuitable_image_raises_value_error(shape, text):
    with pytest.raises(ValueError, match=text):
        shared_backbone.pad_image(jnp.zeros(shape))


def test_configuration_chooses_the_architecture():
    assert networks.build(config.Model()) == cpcnn.CPCNN()
    settings = config.Model(architecture="shared_backbone")
    assert networks.build(settings) == shared_backbone.SharedBackbone()
