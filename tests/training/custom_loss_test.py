"""Training of networks and losses that an experiment names by their import paths."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import own_networks
import pytest
import tiny_experiment
from flax.traverse_util import flatten_dict

import cpcnn_jax as cp
from cpcnn_jax import config, data
from cpcnn_jax.data import training_images
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models import networks
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import custom_loss, joint_stage, train, workdir
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.weights import serialization

pytestmark = pytest.mark.quick_compile

SMALL, LOSS = "own_networks:Small", "own_networks:absolute_loss"
CROPS = config.Crops(fixed_side=64, num_plain=2, num_augmented=2)


def experiment(path=SMALL, **changes):
    stage = config.JointStage(3, 2, 1e-3, cell_losses=((16, 0.1),), **changes)
    tiny = tiny_experiment.get_config()
    return dataclasses.replace(tiny, model=config.Model(path), joint=stage, crops=CROPS)


def first_step(settings):
    """(metrics of the first step, batch, density) of an experiment."""
    source = data.open_dataset(settings.data, "train")
    images = training_images.prepare_images(source, settings)
    model = networks.build(settings.model)
    context = stage_lib.StageContext(settings, model, images, None)
    drawn = init_params.initial_params(model, settings)
    stage = joint_stage.joint_stage(context, drawn)
    pairs = stage.order.examples(0, 0)
    batch = jax.jit(stage.batch)(jax.device_put(stage.data(0)), pairs)
    _, metrics = jax.jit(stage.step)(stage.state, batch)
    return metrics, batch, model.apply(to_variables(drawn), batch["image"])[0]


def test_the_named_loss_is_minimized():
    metrics, batch, density = first_step(experiment(loss=LOSS))
    expected = own_networks.absolute_loss(density, batch["density"]).mean()
    assert metrics["loss"] == pytest.approx(float(expected), rel=1e-4)
    without, _, _ = first_step(experiment())
    assert without["loss"] != pytest.approx(float(expected), rel=0.1)


def run(settings, folder):
    strategy = data_parallel.jit_strategy(jax.devices()[:1])
    workdir.claim_workdir(folder, settings)
    splits = open_splits(settings)
    never = tiny_experiment.never
    return train.train(settings, folder, strategy, splits, stop=never), splits


def test_a_network_is_trained_validated_and_counts(tmp_path):
    settings = experiment("own_networks:Chained")
    settings.validation = config.Validation(percent=40, eval_every=2)
    file, splits = run(settings, tmp_path)
    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    best = min(line["validation_mae"] for line in lines if "validation_mae" in line)
    counter = cp.load(file)
    counts = [counter.count(record["image"]).count for record in splits.validation]
    true = [len(points) for points in splits.validation.points]
    error = np.abs(np.subtract(counts, true)).mean()
    assert best == pytest.approx(error, rel=1e-4)
    assert serialization.load_model(file) == settings.model


def test_imagenet_weights_enter_layers_of_their_names(tmp_path):
    model = networks.build(config.Model("own_networks:narrow_csrnet"))
    zeros = jax.eval_shape(model.init, jax.random.key(0), np.zeros((1, 64, 64, 3)))
    shapes = flatten_dict(zeros["params"], sep="/")
    names = [name for name in shapes if name.startswith("network/conv")]
    assert len(names) == 20
    vgg = {
        name.removeprefix("network/"): np.full(shapes[name].shape, number, np.float32)
        for number, name in enumerate(names)
    }
    file = tmp_path / "vgg16.safetensors"
    serialization._write(file, vgg, {})
    settings = experiment("own_networks:narrow_csrnet", pretrained_vgg16=str(file))
    drawn = init_params.initial_params(model, settings)
    for name in names:
        np.testing.assert_array_equal(drawn[name], vgg[name.removeprefix("network/")])
    with pytest.raises(ValueError, match="the network has no layer conv1_1"):
        small = experiment(pretrained_vgg16=str(file))
        init_params.initial_params(networks.build(small.model), small)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("own_networks:hinge", "own_networks has no hinge"),
        ("own_networks:mean_over_the_batch", r"a loss per example, \[2\], got \(\)"),
        ("own_networks:failing", "takes 0 positional arguments but 2 were given"),
        ("own_networks:Small", "takes 1 positional argument"),
    ],
)
def test_objects_that_are_no_loss_are_explained(path, message):
    settings = experiment(loss=path)
    with pytest.raises(ValueError, match=message) as caught:
        custom_loss.check_losses(settings)
    assert str(caught.value).startswith(f"--config.joint.loss={path}: ")


EXPERIMENT = """
from cpcnn_jax import config

def get_config():
    return config.Experiment(
        data=config.SyntheticCrowd(num_train=4, num_test=2, height=96, width=128),
        crops=config.Crops(fixed_side=64, num_plain=2, num_augmented=2),
        model=config.Model("nets:Small"),
        joint=config.JointStage(2, 2, cell_losses=(), loss="nets:absolute_loss"),
        validation=config.Validation(percent=0),
    )
"""


def test_code_in_the_current_folder_is_trained_and_counts(tmp_path):
    """A user's module and experiment through the command line, from a folder of theirs.

    A wrong name ends the run before anything is written.
    """
    shutil.copy(own_networks.__file__, tmp_path / "nets.py")
    (tmp_path / "mine.py").write_text(EXPERIMENT)

    def command(*words):
        return subprocess.run(
            [sys.executable, "-P", "-m", "cpcnn_jax", *words],
            cwd=tmp_path,
            env=tiny_experiment.environment(1),
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )

    train = ("train", "--config=mine.py", "--workdir=run")
    wrong = command(*train, "--config.joint.loss=nets:hinge")
    assert wrong.returncode == 1 and not Path(tmp_path, "run").exists()
    assert wrong.stderr.strip().endswith(
        "--config.joint.loss=nets:hinge: nets has no hinge"
    )
    result = command(*train)
    assert result.returncode == 0, result.stderr
    crowd = Path(__file__).parents[2] / "docs" / "crowd.jpg"
    result = command("count", str(crowd), "--weights", "run", "--json", "-")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)[0]["count"] > 0
    refused = command("export", "--weights=run", "--format=onnx", "--out=x.onnx")
    assert (
        refused.returncode == 1 and "only cpcnn and shared_backbone" in refused.stderr
    )


def test_a_download_does_not_import_code(tmp_path):
    file = tmp_path / "weights.safetensors"
    serialization.save(file, {}, config.Model("antigravity:fly"))
    with pytest.raises(ValueError, match="code outside of this package: pass the path"):
        serialization.refuse_foreign_network(file)
    serialization.save(file, {}, config.Model("cpcnn_jax.models.mcnn:MCNN"))
    serialization.refuse_foreign_network(file)
