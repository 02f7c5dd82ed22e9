"""FLOPs of layers against published numbers, XLA and sums by hand."""

import jax
import pytest
import tiny_experiment
from flax import linen as nn

from cpcnn_jax import config, data
from cpcnn_jax.data import training_images
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv
from cpcnn_jax.models import cpcnn, flops, gce
from cpcnn_jax.models.vgg import VGG16Features
from cpcnn_jax.training import classifier_stages, density_stages
from cpcnn_jax.training import stage as stage_lib


def test_vgg16_flops_equal_the_published_number():
    """torchvision prints 15.47 G multiply-adds for 224x224, 0.124 in FC layers."""
    layers = flops.layer_flops(VGG16Features(1.0), (1, 224, 224, 3))
    assert len(layers) == 13
    fc = 25088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert round((sum(layers.values()) / 2 + fc) / 1e9, 2) == 15.47


@pytest.mark.parametrize(
    "network",
    [
        nn.Conv(6, (3, 5), padding="VALID", use_bias=False),
        nn.Conv(6, (3, 3), padding="VALID", feature_group_count=2, use_bias=False),
        nn.Dense(7, use_bias=False),
        FractionallyStridedConv(5, kernel_size=2, padding=0, use_bias=False),
        FractionallyStridedConv(
            6, kernel_size=2, padding=0, feature_group_count=2, use_bias=False
        ),
    ],
)
def test_layers_without_border_equal_xla_flops(network):
    x = jax.ShapeDtypeStruct((2, 12, 9, 4), "float32")
    weights = jax.eval_shape(network.init, jax.random.key(0), x)
    program = jax.jit(network.apply).lower(weights, x)
    (layer,) = flops.layer_flops(network, x.shape).values()
    assert layer == program.cost_analysis()["flops"]


def test_shared_layer_counts_at_each_use():
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = nn.Dense(4, name="shared")
            return layer(layer(x))

    assert flops.layer_flops(Twice(), (3, 4)) == {"shared": 2 * 2 * 3 * 16}


@pytest.fixture(scope="module")
def context():
    """The record of the smallest experiment, whose crops have 64x64 pixels."""
    experiment = tiny_experiment.get_config()
    source = data.open_dataset(experiment.data, "train")
    images = training_images.prepare_images(source, experiment)
    assert images.canvas == (64, 64)
    model = cpcnn.build(experiment.model)
    return stage_lib.StageContext(experiment, model, images, None)


def test_step_counts_trained_layers_three_times(context):
    """A layer has side ** 2 * kernel ** 2 * C_in * C_out multiply-adds."""
    columns = (
        64**2 * 25 * 3 * 4 + 32**2 * 9 * 4 * 4 + 16**2 * 9 * 4 * 3,
        64**2 * 9 * 3 * 4 + 32**2 * 9 * 4 * 4 + 16**2 * 9 * 4 * 2,
    )
    fusion = 16**2 * (81 * 15 * 64 + 49 * 64 * 32 + 16 * 32 * 32)
    fusion += 32**2 * (25 * 32 * 16 + 16 * 16 * 16) + 64**2 * 16
    maps = 2 * (sum(columns) + fusion)
    assert density_stages.example_flops(context, "density") == 3 * maps
    discriminator = 64**2 * 9 * (1 * 8 + 8 * 16) + 32**2 * 9 * 16 * 32
    discriminator += 16**2 * 9 * (32 * 32 * 2) + 8**2 * 9 * 32
    step = 3 * maps + 3 * 2 * 2 * discriminator + 2 * 2 * discriminator
    assert density_stages.example_flops(context, "adversary") == step


def test_step_counts_frozen_layers_once(context):
    shape = (1, gce.SIDE, gce.SIDE, 3)
    network = cpcnn.build(tiny_experiment.get_config().model).gce
    layers = flops.layer_flops(network, shape)
    assert {"vgg16/conv1_1", "vgg16/conv5_3", "head/fc0"} < layers.keys()
    trained = ("vgg16/conv5_2", "vgg16/conv5_3", "head/fc0", "head/fc1", "head/logits")
    expected = sum(layers.values()) + 2 * sum(layers[name] for name in trained)
    assert classifier_stages.example_flops(context, "gce") == expected
    assert config.GCEStage().first_trainable_layer == "conv5_2"
