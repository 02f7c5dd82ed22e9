"""The classifiers' stages: how they begin, and which of their layers learn."""

import contextlib

import jax
import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import data
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import classifier_stages, train_step
from cpcnn_jax.training import stage as stage_lib


def test_of_an_lce_on_vgg16_the_asked_layers_learn():
    experiment = tiny_experiment.get_config()
    experiment.model.lce_vgg_blocks = 4
    experiment.lce.trainable_from = "conv4_2"
    model = cpcnn.build(experiment.model)
    source = data.open_source(experiment.data, "train")
    known = tiny_experiment.drawn(model)
    stage = classifier_stages.local_stage(
        stage_lib.Run(experiment, model, source, None), known
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


@pytest.mark.parametrize("name", ["gce", "lce"])
def test_a_classifier_begins_with_how_frequent_each_class_is(name):
    experiment = tiny_experiment.get_config()
    experiment.model.num_classes = 3
    source = data.open_source(experiment.data, "train")
    model = cpcnn.build(experiment.model)
    run, known = (
        stage_lib.Run(experiment, model, source, None),
        tiny_experiment.drawn(model),
    )
    getattr(experiment, name).prior = True
    build, seen = (
        (classifier_stages.global_stage, crops_lib.crop_counts)
        if name == "gce"
        else (classifier_stages.local_stage, crops_lib.patch_counts)
    )
    counts = seen(source, experiment.crops, experiment.seed)
    edges = counts.max() * np.array([1 / 3, 2 / 3], np.float32)
    number = np.histogram(counts, [-1, *np.nextafter(edges, 1e9), 1e9])[0]
    begun = build(run, known).state
    image = np.random.default_rng(0).random((4, 64, 64, 3), np.float32)
    variables = train_step.variables(begun.params, begun.frozen, scope=f"{name}/")
    said = jax.nn.softmax(getattr(model, name).apply(variables, image))
    share = (number + 0.5) / (number + 0.5).sum()
    assert len(set(share)) == 3
    np.testing.assert_allclose(said, np.tile(share, (4, 1)), rtol=1e-5)
