"""Killed or told to stop at any moment: the resumed run ends with the same bytes."""

import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import signal
import time

import jax
import pytest
import tiny_experiment

from cpcnn_jax import config
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed import data_parallel, preemption
from cpcnn_jax.training import train, workdir

STAGES = {"lce": 4, "density": 5, "adversary": 4}


def numbers(long, nightly):
    marks = {long: pytest.mark.long, nightly: pytest.mark.nightly}
    return [pytest.param(n, marks=mark) for n, mark in marks.items()]


def experiment():
    """Dropout, both joint stages and a validation; a checkpoint after every step."""
    smallest = tiny_experiment.get_config()
    return dataclasses.replace(
        smallest,
        model=dataclasses.replace(smallest.model, use_gce=False),
        lce=config.LCEStage(STAGES["lce"], 2, 1e-3),
        density=config.DensityStage(STAGES["density"], 2, 1e-3),
        adversary=config.Adversary(
            STAGES["adversary"], 2, discriminator_width_multiplier=0.125
        ),
        validation=config.Validation(eval_every=2),
    )


def run(folder, cache):
    """Runs a training in a process that has imported everything and used no device."""
    jax.config.update("jax_num_cpu_devices", 2)
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    settings = experiment()
    with preemption.deferred_signals() as stop:
        workdir.claim_workdir(folder, settings)
        strategy, splits = data_parallel.jit_strategy(), open_splits(settings)
        try:
            train.train(settings, folder, strategy, splits, stop=stop)
        except preemption.Interrupted as error:
            os._exit(128 + error.signum)  # a forked process ends without its parent's


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """start(folder): a running process with all modules imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["cpcnn_jax.training.train", "cpcnn_jax.data.datasets.synthetic"]
    )
    cache = tmp_path_factory.mktemp("xla")

    def started(folder):
        process = context.Process(target=run, args=(folder, cache))
        process.start()
        return process

    return started


def ended(process):
    process.join()
    return process.exitcode


def results(folder):
    """Bytes of the weights, and the losses of every step."""
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    losses = {(x["stage"], x["step"]): x["loss"] for x in lines if "loss" in x}
    return (folder / "weights.safetensors").read_bytes(), losses


def half_written(folder):
    """Incomplete checkpoints; two of one name are different files."""
    found = set()
    for path in (folder / "checkpoints").glob("*/*.orbax-checkpoint-tmp*"):
        with contextlib.suppress(FileNotFoundError):
            found.add((path.name, path.stat().st_ino))
    return found


def wait(process, dice, folder, *, during_save, longest):
    """Waits until a random moment of the run, or of a save."""
    if during_save:
        before = half_written(folder)
        while process.is_alive() and half_written(folder) <= before:
            time.sleep(0.001)
        longest = 0.02
    process.join(dice.uniform(0, longest))


@pytest.mark.parametrize("number", numbers(long=6, nightly=20))
def test_a_run_killed_at_many_moments_ends_like_an_unbroken_one(
    start, tmp_path, number
):
    """Half of the moments are anywhere, half within a checkpoint's writing."""
    assert ended(start(tmp_path / "first")) == 0  # compiles
    began = time.monotonic()
    assert ended(start(tmp_path / "whole")) == 0
    longest = time.monotonic() - began
    expected = results(tmp_path / "whole")
    assert expected[1].keys() == {(s, n + 1) for s in STAGES for n in range(STAGES[s])}

    dice, kills, half, runs = random.Random(0), 0, 0, 0
    while kills < number or (half <= number / 10 and kills < 5 * number):
        folder = tmp_path / f"run{runs}"
        process = start(folder)
        wait(process, dice, folder, during_save=kills % 2, longest=longest)
        process.kill()
        if ended(process) == -signal.SIGKILL:
            kills += 1
            half += bool(half_written(folder))
        else:
            assert process.exitcode == 0
            assert results(folder) == expected
            runs += 1
    assert ended(start(folder)) == 0
    assert results(folder) == expected
    assert half > number / 10  # checkpoints were being written


@pytest.mark.parametrize("number", numbers(long=10, nightly=50))
def test_a_run_stopped_at_many_moments_ends_like_an_unbroken_one(
    start, tmp_path, number
):
    """SIGTERM in all stages, in compilation, validation, saving and reading."""
    assert ended(start(tmp_path / "first")) == 0  # compiles
    began = time.monotonic()
    assert ended(start(tmp_path / "whole")) == 0
    longest = time.monotonic() - began
    expected = results(tmp_path / "whole")

    dice, stops, runs, slowest = random.Random(1), 0, 0, 0.0
    while stops < number:
        folder = tmp_path / f"run{runs}"
        process = start(folder)
        wait(process, dice, folder, during_save=stops % 2, longest=longest)
        began = time.monotonic()
        process.terminate()
        status = ended(process)
        slowest = max(slowest, time.monotonic() - began)
        if status in (128 + signal.SIGTERM, -signal.SIGTERM):  # -: before it began
            stops += 1
        else:
            assert status == 0
            assert results(folder) == expected
            runs += 1
    assert slowest < 30
    assert ended(start(folder)) == 0
    assert results(folder) == expected
