"""The training loop without a process of its own: stops and refusals."""

import dataclasses
import json
import os
import re
import signal
import threading

import jax
import numpy as np
import pytest
import tiny_experiment
from mixed_sizes import Sizes
from safetensors.numpy import load_file

from cpcnn_jax import config, data
from cpcnn_jax.data import training_images
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed import data_parallel, preemption
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import density_stages, metric_writer, train, workdir
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.checkpoint import Checkpoints
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.weights import serialization


def trained(folder, experiment, stop=tiny_experiment.never):
    workdir.claim_workdir(folder, experiment)
    return train_with(data_parallel.jit_strategy(), folder, experiment, stop)


def train_with(strategy, folder, experiment, stop=tiny_experiment.never):
    """Opens the images and trains, as launch.py does."""
    with preemption.immediate_signals(stop, "before the training: images were read"):
        splits = open_splits(experiment)
    return train.train(experiment, folder, strategy, splits, stop=stop)


def after_line(folder, stage, step):
    """A `stop` that ends the run when metrics.jsonl has the loss of this step."""

    def stop():
        file = folder / "metrics.jsonl"
        lines = file.read_text().splitlines() if file.exists() else []
        for line in map(json.loads, lines):
            if (line["stage"], line["step"]) == (stage, step) and "loss" in line:
                return signal.SIGTERM
        return None

    return stop


def after_file(file):
    """A `stop` that ends the run when a file exists."""
    return lambda: signal.SIGTERM if file.exists() else None


def stopped(folder, experiment, stop):
    with pytest.raises(Interrupted) as error:
        trained(folder, experiment, stop)
    return str(error.value)


def test_stops_within_and_between_stages_do_not_change_the_result(whole, tmp_path):
    experiment = tiny_experiment.get_config()
    before = dataclasses.asdict(tiny_experiment.get_config())
    last_step = after_line(tmp_path, "gce", 2)
    words = stopped(tmp_path, experiment, last_step)
    assert words == "SIGTERM: stopped after step 2 of the stage gce"
    words = stopped(tmp_path, experiment, last_step)
    assert words == "SIGTERM: stopped before the training: images were read"
    image = after_file(tmp_path / "context" / "crops_000001.safetensors")
    words = stopped(tmp_path, experiment, image)
    assert re.fullmatch(r"SIGTERM: stopped in the context of image \d's crops", words)
    words = stopped(tmp_path, experiment, after_line(tmp_path, "density", 3))
    assert words == "SIGTERM: stopped after step 3 of the stage density"
    assert not (tmp_path / "weights.safetensors").exists()
    file = trained(tmp_path, experiment)
    assert file == tmp_path / "weights.safetensors"
    one, other = load_file(file), load_file(whole[0] / "weights.safetensors")
    assert one.keys() == other.keys()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)
    assert dataclasses.asdict(experiment) == before


class Watched:
    """A jitted function that notes its calls in a list."""

    def __init__(self, stages, events):
        self._stages, self._events = stages, events

    def lower(self, *args):
        return Watched(self._stages.lower(*args), self._events)

    def compile(self):
        return Watched(self._stages.compile(), self._events)

    def __call__(self, *args):
        self._events.append("call")
        return self._stages(*args)


def test_lines_are_written_while_the_next_step_runs(tmp_path, monkeypatch):
    """The device waits for them before a checkpoint only."""
    experiment, events = tiny_experiment.get_config(), []
    for name, settings in experiment.stages().items():
        settings.steps = 6 if name == "density" else 0
    experiment.model.use_gce = experiment.model.use_lce = False
    experiment.checkpoint_every = 4

    def note(writer, stage, step, values):
        if "loss" in values:
            events.append(step)

    monkeypatch.setattr(metric_writer.MetricWriter, "write_scalars", note)
    strategy = data_parallel.jit_strategy()
    watched = strategy._replace(wrap=lambda f: Watched(strategy.wrap(f), events))
    workdir.claim_workdir(tmp_path, experiment)
    train_with(watched, tmp_path, experiment)
    call = "call"
    assert events == [call, call, 1, call, 2, call, 3, 4, call, call, 5, 6]


@pytest.mark.nightly
def test_a_run_resumes_on_another_number_of_devices(whole, tmp_path):
    """Begins on two devices, resumes on one, ends on four; unbroken on eight."""
    experiment, devices = tiny_experiment.get_config(), jax.devices()
    legs = [
        (data_parallel.jit_strategy(devices[:2]), ("gce", 1)),
        (data_parallel.pmap_strategy(devices[:1]), ("density", 1)),
        (data_parallel.jit_strategy(devices[:4]), None),
    ]
    for strategy, place in legs:
        workdir.claim_workdir(tmp_path, experiment)
        if place is None:
            train_with(strategy, tmp_path, experiment)
        else:
            words = "after step {1} of the stage {0}".format(*place)
            with pytest.raises(Interrupted, match=words):
                stop = after_line(tmp_path, *place)
                train_with(strategy, tmp_path, experiment, stop)
    one, other = (load_file(f / "weights.safetensors") for f in (tmp_path, whole[0]))
    for name, value in one.items():
        gap = np.abs(value - other[name]).max() / (np.abs(other[name]).max() or 1)
        assert gap < 1e-4, name


@pytest.mark.long
def test_with_microbatches_a_run_is_bit_equal_on_other_devices(tmp_path):
    """All stages, with the cached scores of the frozen networks."""
    experiment = tiny_experiment.get_config()
    experiment.deterministic_microbatch = 1
    devices, found = jax.devices(), []
    for strategy in (
        data_parallel.jit_strategy(devices, shares=True),
        data_parallel.pmap_strategy(devices[:2]),
    ):
        folder = tmp_path / str(strategy.num_devices)
        workdir.claim_workdir(folder, experiment)
        file = train_with(strategy, folder, experiment)
        found.append(load_file(file))
    for name, value in found[0].items():
        np.testing.assert_array_equal(value, found[1][name], err_msg=name)


def test_a_signal_during_compilation_does_not_wait_for_its_end(tmp_path):
    strategy, released = data_parallel.jit_strategy(), threading.Event()

    def wrap(steps):
        class Endless:
            def lower(self, *args):
                return self

            def compile(self):
                os.kill(os.getpid(), signal.SIGTERM)
                released.wait(60)

        return Endless()

    experiment = tiny_experiment.get_config()
    workdir.claim_workdir(tmp_path, experiment)
    with preemption.deferred_signals() as stop:
        with pytest.raises(Interrupted, match="after step 0 of the stage gce"):
            train_with(strategy._replace(wrap=wrap), tmp_path, experiment, stop)
    assert not released.is_set()
    released.set()
    assert os.listdir(tmp_path / "checkpoints" / "gce") == []


def test_a_stop_during_a_validation_is_made_good_on_resuming(whole, tmp_path):
    """The interrupted validation is computed before the next step; no line is lost."""
    experiment = tiny_experiment.get_config()
    third, calls = after_line(tmp_path, "density", 3), iter([None])

    def stop():  # the call after step 3; the next one is in the validation of step 4
        return next(calls, signal.SIGTERM) if third() else None

    words = stopped(tmp_path, experiment, stop)
    assert words == "SIGTERM: stopped after step 4 of the stage density"
    checkpoints = Checkpoints(tmp_path, "density")
    assert (checkpoints.latest(), checkpoints.score(4)) == (4, None)
    checkpoints.close()
    file = trained(tmp_path, experiment)
    assert file.read_bytes() == (whole[0] / "weights.safetensors").read_bytes()
    for name in ("loss", "validation_mae"):
        assert logged(tmp_path, name) == logged(whole[0], name)


def logged(folder, name):
    """Values of metrics.jsonl by stage and step."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return {(x["stage"], x["step"]): x[name] for x in lines if name in x}


def test_images_of_several_sizes_need_one_program_a_stage(tmp_path):
    """A compiled program refuses arrays of any other shape."""
    experiment = tiny_experiment.get_config()
    experiment.crops = config.Crops(
        side_divisor=1, size_multiple=4, num_plain=2, num_augmented=2, num_patches=4
    )
    splits = open_splits(experiment)
    splits = splits._replace(train=Sizes(splits.train))
    assert len(set(splits.train.shapes)) == 2
    workdir.claim_workdir(tmp_path, experiment)
    strategy = data_parallel.jit_strategy()
    never = tiny_experiment.never
    train.train(experiment, tmp_path, strategy, splits, stop=never)
    lines = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    compiled = [line["stage"] for line in lines if "compile_seconds" in line]
    assert compiled == ["gce", "lce", "density", "adversary"]


def test_images_that_exceed_the_memory_are_trained_on_in_rounds(tmp_path):
    """The rounds resume, too, and one image must fit."""
    experiment = tiny_experiment.get_config()
    experiment.model.use_gce = experiment.model.use_lce = False
    experiment.adversary.steps, experiment.density.steps = 0, 30
    experiment.image_memory_gib = 2.5 * 128 * 160 * 3 / 2**30
    expected = trained(tmp_path / "whole", experiment).read_bytes()
    stop = after_line(tmp_path / "parts", "density", 11)
    words = stopped(tmp_path / "parts", experiment, stop)
    assert words == "SIGTERM: stopped after step 11 of the stage density"
    assert trained(tmp_path / "parts", experiment).read_bytes() == expected
    experiment.image_memory_gib = 1e-6
    with pytest.raises(ValueError, match="128 pixels, more than --config.image_mem"):
        trained(tmp_path / "none", experiment)


def test_only_the_configured_layers_of_the_gce_train(whole):
    experiment = tiny_experiment.get_config()
    first = init_params.initial_params(cpcnn.build(experiment.model), experiment)
    last = load_file(whole[0] / "weights.safetensors")
    assert first.keys() == last.keys()
    moved = {name for name in first if not np.array_equal(first[name], last[name])}
    still = {name for name in first if name.startswith("gce/vgg16/")} - moved
    learning = {"gce/vgg16/conv5_2/kernel", "gce/vgg16/conv5_3/kernel"}
    assert learning <= moved
    assert all("conv5_2" not in name and "conv5_3" not in name for name in still)
    assert len(still) == 22  # eleven kernels and eleven biases


def test_init_from_loads_weights_of_the_same_networks(whole):
    """Fine-tuning on a user's images: a stage of 0 steps is left out."""
    experiment = tiny_experiment.get_config()
    experiment.init_from = str(whole[0])

    def first():
        return init_params.initial_params(cpcnn.build(experiment.model), experiment)

    found, expected = first(), load_file(whole[0] / "weights.safetensors")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    experiment.model.use_lce = False
    with pytest.raises(ValueError, match="holds other networks: fcnn/conv1/kernel is"):
        first()
    experiment.init_from = "nowhere"
    with pytest.raises(ValueError, match="no weights at nowhere"):
        first()


def test_init_from_brings_the_networks_of_its_file(whole, tmp_path):
    other = tiny_experiment.get_config()
    other.model = config.Model(num_classes=7)
    assert init_params.adopt_model(other) is other
    other.init_from = str(whole[0])
    adopted = init_params.adopt_model(other)
    assert adopted.model == tiny_experiment.get_config().model
    assert dataclasses.replace(adopted, model=other.model) == other
    other.init_from = str(tmp_path / "mcnn.safetensors")
    serialization.save_baseline(other.init_from, {}, "mcnn")
    assert init_params.adopt_model(other) is other
    other.init_from = "nowhere"
    with pytest.raises(ValueError, match="no weights at nowhere"):
        init_params.adopt_model(other)


def test_stages_follow_the_configuration():
    def plan(**changes):
        model = config.Model(**changes.pop("model", {}))
        experiment = config.Experiment(model=model, **changes)
        run = stage_lib.StageContext(experiment, cpcnn.build(model), None, None)
        return list(train.plan_stages(run))

    assert plan() == ["gce", "lce", "density", "adversary"]
    assert plan(adversary=config.Adversary(0)) == ["gce", "lce", "density"]
    known = {"gce": config.GCEStage(0), "lce": config.LCEStage(0)}
    assert plan(init_from="run", **known) == ["density", "adversary"]
    alone = {"use_gce": False, "use_lce": False}
    assert plan(model=alone, adversary=config.Adversary(0)) == ["density"]


def density_stage_of(experiment):
    """A density stage of a model without context networks."""
    source = data.open_dataset(experiment.data, "train")
    model = cpcnn.build(experiment.model)
    images = training_images.prepare_images(source, experiment)
    run = stage_lib.StageContext(experiment, model, images, None)
    run = run._replace(crop_scores=lambda weights, used: [{} for _ in images.groups])
    return density_stages.density_stage(run, tiny_experiment.drawn(model))


def test_a_stage_returns_the_averaged_parameters():
    """The definition: the sum of decay^(n - k) w_k over that of decay^(n - k)."""
    experiment = tiny_experiment.get_config()
    experiment.model.use_gce = experiment.model.use_lce = False
    found = {}
    for average in (0.0, 0.75):
        experiment.density.ema_decay = average
        stage = density_stage_of(experiment)
        state, seen, bank = stage.state, [], stage.data(0)
        for step in range(3):
            batch = jax.jit(stage.batch)(bank, stage.order.examples(0, step))
            state, _ = jax.jit(stage.step)(state, batch)
            seen.append(state.params)
        found[average] = seen, stage.result(state)
    (plain, last), (seen, mean) = found[0.0], found[0.75]
    for name, values in plain[-1].items():
        np.testing.assert_array_equal(values, seen[-1][name])  # the same training
        np.testing.assert_array_equal(values, last[name])
        shares = 0.75 ** np.arange(2, -1, -1)
        expected = sum(w * p[name] for w, p in zip(shares, seen, strict=True))
        np.testing.assert_allclose(
            mean[name], expected / shares.sum(), rtol=2e-5, atol=1e-7
        )


def test_untrainable_configurations_are_refused_before_writing(tmp_path):
    experiment = dataclasses.replace(
        tiny_experiment.get_config(), lce=config.LCEStage(2, 12)
    )
    with pytest.raises(ValueError, match="--config.lce.batch_size=12 cannot be split"):
        trained(tmp_path, experiment)
    experiment = tiny_experiment.get_config()
    experiment.gce.pretrained_vgg16 = str(tmp_path / "none")
    with pytest.raises(
        ValueError, match="--config.gce.pretrained_vgg16=.* does not exist"
    ):
        trained(tmp_path, experiment)
    names = {path.name for path in tmp_path.iterdir()}
    assert names - {workdir.LOCK} == {"config.json", "environment.json"}
