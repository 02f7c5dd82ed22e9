"""Cached scores of crops: values, resuming and damaged files."""

import numpy as np
import pytest
import tiny_experiment
from safetensors.numpy import load_file

from cpcnn_jax import data
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import context_cache
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params

CROPS = {(0, 0), (0, 3), (2, 1), (2, 2), (2, 3), (4, 0)}


@pytest.fixture(scope="module")
def run():
    experiment = tiny_experiment.get_config()
    source = data.open_dataset(experiment.data, "train")
    return stage_lib.StageContext(
        experiment, cpcnn.build(experiment.model), source, None
    )


@pytest.fixture(scope="module")
def found(run):
    return init_params.initial_params(run.model, run.config)


def scores(run, found, folder, stop=tiny_experiment.never, crops=CROPS):
    strategy = data_parallel.jit_strategy()
    return context_cache.make_crop_scorer(run, folder, strategy, stop)(found, crops)


def test_scores_are_those_of_the_crop_as_one_block(run, found, tmp_path):
    experiment = run.config
    kept = scores(run, found, tmp_path)
    assert kept.keys() == CROPS
    for i, j in CROPS:
        crop = crops_lib.read_crop(
            run.source, experiment.crops, experiment.target, experiment.seed, i, j
        )
        expected = run.model.apply(
            to_variables(found), crop["image"][None], blocks=1, method="scores"
        )
        assert kept[i, j].keys() == expected.keys() == {"global", "local"}
        for name, value in expected.items():
            np.testing.assert_allclose(kept[i, j][name], value[0], rtol=1e-4)


def test_a_stopped_run_resumes_after_the_last_complete_file(run, found, tmp_path):
    text = "SIGTERM: stopped in the context of image 2's crops"
    with pytest.raises(Interrupted, match=text):
        scores(run, found, tmp_path, tiny_experiment.stop_at(2))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["crops_000000.safetensors", "crops_000002.safetensors"]
    times = [(tmp_path / name).stat().st_mtime_ns for name in written]
    kept = scores(run, found, tmp_path)
    assert times == [(tmp_path / name).stat().st_mtime_ns for name in written]
    stored = load_file(tmp_path / "crops_000002.safetensors")
    for place, j in enumerate((1, 2, 3)):
        np.testing.assert_array_equal(kept[2, j]["local"], stored["local"][place])


def test_a_damaged_file_is_computed_again(run, found, tmp_path):
    first = scores(run, found, tmp_path)
    file = tmp_path / "crops_000004.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    again = scores(run, found, tmp_path)
    np.testing.assert_array_equal(first[4, 0]["global"], again[4, 0]["global"])
    assert load_file(file)["global"].shape == (1, 1, 1, 5)


def test_new_crops_are_added_to_the_cached_ones(run, found, tmp_path):
    """The adversarial stage uses other crops than the stage before, or fewer."""
    few = {(2, 3), (4, 0)}
    first = scores(run, found, tmp_path, crops=few)
    kept = scores(run, found, tmp_path)
    stored = load_file(tmp_path / "crops_000002.safetensors")
    assert stored["numbers"].tolist() == [3, 1, 2]
    again = scores(run, found, tmp_path, crops=few)
    for crop in few:
        for name, value in first[crop].items():
            np.testing.assert_array_equal(value, kept[crop][name])
            np.testing.assert_array_equal(value, again[crop][name])


def test_without_context_networks_nothing_is_computed(run, tmp_path):
    alone = run._replace(model=cpcnn.CPCNN(gce=None, lce=None))
    kept = scores(alone, {}, tmp_path)
    assert kept == dict.fromkeys(CROPS, {})
    assert not list(tmp_path.iterdir())
