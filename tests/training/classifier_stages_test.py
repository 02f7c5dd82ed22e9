"""The classifiers' stages: their initial state and their trained layers."""

import contextlib

import jax
import numpy as np
import tiny_experiment

from cpcnn_jax import data
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import classifier_stages
from cpcnn_jax.training import stage as stage_lib


def test_an_lce_on_vgg16_trains_the_configured_layers():
    experiment = tiny_experiment.get_config()
    experiment.model.lce_vgg_blocks = 4
    experiment.lce.first_trainable_layer = "conv4_2"
    model = cpcnn.build(experiment.model)
    source = data.open_dataset(experiment.data, "train")
    known = tiny_experiment.drawn(model)
    stage = classifier_stages.lce_stage(
        stage_lib.StageContext(experiment, model, source, None), known
    )
    with contextlib.closing(stage.batches(0)) as batches:
        batch = next(batches)
    batch.pop("crop")
    after, _ = jax.jit(stage.step)(stage.state, batch)
    found = stage.result(after)
    moved = {n for n in known if not np.array_equal(known[n], found[n])}
    kernels = {n for n in moved if n.endswith("kernel")}
    assert {n for n in kernels if "vgg16" in n} == {
        "lce/vgg16/conv4_2/kernel",
        "lce/vgg16/conv4_3/kernel",
    }
    assert all(name.startswith("lce/") for name in moved)
