"""Cached scores of crops: resuming, damaged files and further crops."""

import numpy as np
import pytest
import tiny_experiment
from safetensors.numpy import load_file

from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.training import context_cache

CROPS = {0: [0, 3], 2: [1, 2, 3], 4: [0]}


def score(i, windows):
    """Scores that name their crop."""
    return {"global": np.float32([[i, j] for j in windows])}


def scores(folder, stop=tiny_experiment.never, crops=None):
    return context_cache.score_all(folder, crops or CROPS, score, stop)


def assert_right(found, crops=CROPS):
    assert found.keys() == crops.keys()
    for i, windows in crops.items():
        np.testing.assert_array_equal(found[i]["global"], [[i, j] for j in windows])


def test_a_stopped_run_resumes_after_the_last_complete_file(tmp_path):
    text = "SIGTERM: stopped in the context of image 2's crops"
    with pytest.raises(Interrupted, match=text):
        scores(tmp_path, tiny_experiment.stop_at(2))
    written = sorted(path.name for path in tmp_path.iterdir())
    assert written == ["crops_000000.safetensors", "crops_000002.safetensors"]
    times = [(tmp_path / name).stat().st_mtime_ns for name in written]
    assert_right(scores(tmp_path))
    assert times == [(tmp_path / name).stat().st_mtime_ns for name in written]


def test_a_damaged_file_is_computed_again(tmp_path):
    scores(tmp_path)
    file = tmp_path / "crops_000004.safetensors"
    file.write_bytes(file.read_bytes()[:-7])
    assert_right(scores(tmp_path))
    assert load_file(file)["global"].shape == (1, 2)


def test_new_crops_are_added_to_the_cached_ones(tmp_path):
    """The adversarial stage uses other crops than the stage before, or fewer."""
    few = {2: [3], 4: [0]}
    assert_right(scores(tmp_path, crops=few), few)
    assert_right(scores(tmp_path))
    stored = load_file(tmp_path / "crops_000002.safetensors")
    assert stored["numbers"].tolist() == [3, 1, 2]
    assert_right(scores(tmp_path, crops=few), few)


def test_batches_have_one_size_and_repeats_are_dropped():
    sizes = []

    def predict(numbers):
        sizes.append(len(numbers))
        return {"square": np.square(numbers)}

    found = context_cache.in_batches(predict, [3, 1, 4, 1, 5], batch_size=2)
    assert found["square"].tolist() == [9, 1, 16, 1, 25]
    assert sizes == [2, 2, 2]
