"""The stage of the network with a shared backbone."""

import dataclasses
import json
import signal

import jax
import jaxpr_products
import numpy as np
import pytest
import tiny_experiment

import cpcnn_jax as cp
from cpcnn_jax import config, data
from cpcnn_jax.data import training_images
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed import data_parallel, preemption
from cpcnn_jax.models import networks
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import cell_losses, joint_stage, losses, train, workdir
from cpcnn_jax.training import stage as stage_lib

pytestmark = pytest.mark.quick_compile


def experiment(**changes):
    model = config.Model("shared_backbone", vgg_width_multiplier=0.0625)
    stage = config.JointStage(3, 2, 1e-3, **changes)
    crops = config.Crops(fixed_side=192, num_plain=2, num_augmented=2, max_scale=1.5)
    return dataclasses.replace(
        tiny_experiment.get_config(), model=model, joint=stage, crops=crops
    )


def stage_of(settings):
    source = data.open_dataset(settings.data, "train")
    images = training_images.prepare_images(source, settings)
    model = networks.build(settings.model)
    context = stage_lib.StageContext(settings, model, images, None)
    return joint_stage.joint_stage(context, tiny_experiment.drawn(model)), context


def test_labels_are_the_classes_of_the_people_in_cells():
    model = config.Model(
        "shared_backbone", gce_thresholds=(3.5, 9), lce_thresholds=(1,)
    )
    density = np.zeros((1, 192, 256, 1), np.float32)
    density[0, 10, 20], density[0, 70, 20] = 1, 2.5
    density[0, 0, 200] = 12
    labels = joint_stage.density_labels(networks.build(model), model, density)
    assert labels["global"].tolist() == [[[0, 2]]]
    local = np.zeros((3, 6), int)
    local[1, 0] = local[0, 3] = 1
    np.testing.assert_array_equal(labels["local"], local[None])


def test_the_loss_is_the_sum_of_its_parts():
    settings = experiment(cell_losses=((16, 0.3), (64, 0.7)), overdispersion=0.1)
    stage, context = stage_of(settings)
    pairs = stage.order.examples(0, 0)
    batch = jax.jit(stage.batch)(jax.device_put(stage.data(0)), pairs)
    assert batch["image"].shape == (2, 192, 192, 3)
    params = {**stage.state.params, **stage.state.frozen}
    density, aux = context.model.apply(to_variables(params), batch["image"])
    target = batch["density"]
    expected = losses.euclidean_loss(100 * density, 100 * target)
    for side, weight in ((16, 0.3), (64, 0.7)):
        part = cell_losses.cell_loss(density, target, side, overdispersion=0.1)
        expected += weight * part
    for name in ("global", "local"):
        scores = np.asarray(jax.nn.log_softmax(aux[name]))
        labels = np.asarray(batch["labels"][name])
        chosen = np.take_along_axis(scores, labels[..., None], axis=-1)
        expected += 0.02 * -chosen.mean((1, 2, 3))
    _, metrics = jax.jit(stage.step)(stage.state, batch)
    assert metrics["loss"] == pytest.approx(float(expected.mean()), rel=1e-4)
    bias = np.sum(np.asarray(density - target), axis=(1, 2, 3)).mean()
    assert metrics["crop_bias"] == pytest.approx(bias, rel=1e-3)


def test_bfloat16_is_used_in_all_products_and_in_no_state():
    settings = experiment()
    settings.compute_dtype = "bfloat16"
    stage, _ = stage_of(settings)
    batch = jax.eval_shape(stage.batch, stage.data(0), stage.order.examples(0, 0))
    traced = jax.make_jaxpr(stage.step)(stage.state, batch)
    products = jaxpr_products.products(traced.jaxpr)
    assert set(products) == {("bfloat16", "bfloat16")}
    assert {str(x.dtype) for x in traced.out_avals} == {"float32", "int32"}


def test_a_frozen_backbone_does_not_move_and_the_rest_does():
    stage, _ = stage_of(experiment(vgg_lr_multiplier=0.0))
    frozen = {name.split("/")[0] for name in stage.state.frozen}
    assert frozen == {"stem", "pyramid"}
    batch = jax.jit(stage.batch)(stage.data(0), stage.order.examples(0, 0))
    state, _ = jax.jit(stage.step)(stage.state, batch)
    moved = stage.result(state)
    for name, value in stage.state.params.items():
        assert not np.array_equal(moved[name], value), name
    for name, value in stage.state.frozen.items():
        np.testing.assert_array_equal(moved[name], value)


def test_the_backbone_learns_at_its_own_rate():
    """The first step of Adam changes a parameter by the learning rate."""
    stage, _ = stage_of(experiment(vgg_lr_multiplier=0.25, weight_decay=0.0))
    batch = jax.jit(stage.batch)(stage.data(0), stage.order.examples(0, 0))
    state, _ = jax.jit(stage.step)(stage.state, batch)
    for name, value in stage.state.params.items():
        largest = np.max(np.abs(state.params[name] - value))
        rate = 0.25e-3 if name.startswith(("stem/", "pyramid/")) else 1e-3
        assert largest == pytest.approx(rate, rel=0.02), name


@pytest.mark.quick_compile(False)
def test_a_run_is_validated_resumed_and_counts_as_in_its_validation(tmp_path):
    """All of a training with its validation images, a stop and the weights."""
    settings = experiment()
    settings.validation = config.Validation(percent=40, eval_every=2)
    splits = open_splits(settings)
    strategy = data_parallel.jit_strategy(jax.devices()[:1])
    workdir.claim_workdir(tmp_path, settings)
    log = tmp_path / "metrics.jsonl"

    def stop():
        written = log.exists() and '"step": 2,' in log.read_text()
        return signal.SIGTERM if written else None

    with pytest.raises(preemption.Interrupted, match="after step 2 of the stage joint"):
        train.train(settings, tmp_path, strategy, splits, stop=stop)
    file = train.train(settings, tmp_path, strategy, splits, stop=lambda: None)
    lines = map(json.loads, log.read_text().splitlines())
    scores = {x["step"]: x for x in lines if "validation_mae" in x}
    assert sorted(scores) == [2, 3]
    best = min(scores.values(), key=lambda line: line["validation_mae"])
    counts = [
        cp.load(file).count(record["image"]).count for record in splits.validation
    ]
    true = [len(points) for points in splits.validation.points]
    error = np.subtract(counts, true)
    assert best["validation_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-4)
    expected = 100 * error.sum() / sum(true)
    assert best["validation_bias"] == pytest.approx(expected, rel=1e-3)
