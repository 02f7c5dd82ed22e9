"""Operations of layers against what others printed, XLA and the sum by hand."""

import jax
import pytest
import tiny_experiment
from flax import linen as nn

from cpcnn_jax import config, data
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv
from cpcnn_jax.models import cpcnn, flops
from cpcnn_jax.models.vgg import VGG16Features
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training import train


def test_vgg_16_is_as_heavy_as_everybody_says():
    """torchvision: 15.47 G multiply-adds for 224x224, of which 0.124 in FC layers."""
    found = flops.layer_flops(VGG16Features(1.0), (1, 224, 224, 3))
    assert len(found) == 13
    fc = 25088 * 4096 + 4096 * 4096 + 4096 * 1000
    assert round((sum(found.values()) / 2 + fc) / 1e9, 2) == 15.47


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
def test_layers_without_border_are_what_xla_counts(network):
    x = jax.ShapeDtypeStruct((2, 12, 9, 4), "float32")
    weights = jax.eval_shape(network.init, jax.random.key(0), x)
    program = jax.jit(network.apply).lower(weights, x)
    (counted,) = flops.layer_flops(network, x.shape).values()
    assert counted == program.cost_analysis()["flops"]


def test_shared_layers_count_each_time():
    class Twice(nn.Module):
        @nn.compact
        def __call__(self, x):
            layer = nn.Dense(4, name="shared")
            return layer(layer(x))

    assert flops.layer_flops(Twice(), (3, 4)) == {"shared": 2 * 2 * 3 * 16}


@pytest.fixture(scope="module")
def plans():
    """{name: Stage} of the smallest experiment."""
    experiment = tiny_experiment.get_config()
    source = data.open_dataset(experiment.data, "train")
    model, weights = tiny_experiment.networks()
    run = stage_lib.StageContext(experiment, model, source, None)
    run = run._replace(crop_scores=lambda weights, crops: {})
    return {
        stage.name: stage for stage in (f(run, weights) for f in train.plan_stages(run))
    }


def test_a_stage_s_step_counts_what_it_learns_three_times(plans):
    """Layer by layer, for a crop of 64x64: side ** 2 * kernel ** 2 * C_in * C_out."""
    columns = (
        64**2 * 25 * 3 * 4 + 32**2 * 9 * 4 * 4 + 16**2 * 9 * 4 * 3,
        64**2 * 9 * 3 * 4 + 32**2 * 9 * 4 * 4 + 16**2 * 9 * 4 * 2,
    )
    fusion = 16**2 * (81 * 15 * 64 + 49 * 64 * 32 + 16 * 32 * 32)
    fusion += 32**2 * (25 * 32 * 16 + 16 * 16 * 16) + 64**2 * 16
    maps = 2 * (sum(columns) + fusion)
    assert plans["density"].flops((8, 64, 64, 3)) == 8 * 3 * maps
    judge = 64**2 * 9 * (1 * 8 + 8 * 16) + 32**2 * 9 * 16 * 32
    judge += 16**2 * 9 * (32 * 32 * 2) + 8**2 * 9 * 32
    step = 3 * maps + 3 * 2 * 2 * judge + 2 * 2 * judge
    assert plans["adversary"].flops((8, 64, 64, 3)) == 8 * step


def test_frozen_layers_are_evaluated_once(plans):
    shape = (8, 64, 64, 3)
    network = cpcnn.build(tiny_experiment.get_config().model).gce
    layers = flops.layer_flops(network, shape)
    assert {"vgg16/conv1_1", "vgg16/conv5_3", "head/fc0"} < layers.keys()
    learning = ("vgg16/conv5_2", "vgg16/conv5_3", "head/fc0", "head/fc1", "head/logits")
    expected = sum(layers.values()) + 2 * sum(layers[name] for name in learning)
    assert plans["gce"].flops(shape) == expected
    assert config.GCEStage().first_trainable_layer == "conv5_2"
