"""Scores against the definition, photograph by photograph."""

import csv
import dataclasses
import json
import shutil

import numpy as np
import pytest
import tiny

from cpcnn_jax import config, data, density, evaluate, predict, weights
from cpcnn_jax.interrupt import Interrupted
from cpcnn_jax.models import cpcnn


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of the trained run's folder."""
    shutil.copytree(whole[0], tmp_path / "run")
    return tmp_path / "run"


def test_predictions_are_sums_of_maps_of_whole_photographs(folder):
    experiment = tiny.get_config()
    trained = weights.load(folder / "weights.safetensors")
    estimate = predict.estimator(cpcnn.build(experiment.model), blocks=4)
    source = data.open_source(experiment.data, "test")
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, record in zip(rows, source, strict=True):
        found = estimate(trained, record["image"])
        assert found.shape == record["image"].shape[:2]
        np.testing.assert_allclose(float(row["predicted"]), found.sum(), rtol=1e-4)
        assert row["name"] == record["name"]
        assert int(row["count"]) == len(record["points"])


def test_the_constant_answer_is_the_training_mean(folder):
    settings = tiny.get_config().data
    heads = [len(p) for p in data.open_source(settings, "train").points]
    true = [len(p) for p in data.open_source(settings, "test").points]
    scores = json.loads((folder / "metrics.json").read_text())
    assert scores["training_mean"] == np.mean(heads)
    error = np.abs(np.mean(heads) - np.array(true)).mean()
    np.testing.assert_allclose(scores["mae_of_training_mean"], error)


def test_pictures_go_from_the_best_count_to_the_worst(folder):
    experiment = dataclasses.replace(tiny.get_config(), pictures=3)
    evaluate.evaluate(experiment, folder, stop=tiny.never)
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: abs(float(row["predicted"]) - float(row["count"])))
    expected = [f"{rank:03d}_{row['name']}.png" for rank, row in enumerate(rows, 1)]
    assert sorted(p.name for p in (folder / "pictures").iterdir()) == expected


def test_a_stop_leaves_earlier_results(folder):
    before = (folder / "metrics.json").read_text()
    text = "SIGTERM: stopped in the evaluation, after 2 photographs"
    with pytest.raises(Interrupted, match=text):
        evaluate.evaluate(tiny.get_config(), folder, stop=tiny.stop_at(2))
    assert (folder / "metrics.json").read_text() == before


def test_no_weights(tmp_path):
    with pytest.raises(ValueError, match="weights.safetensors does not exist: train"):
        evaluate.evaluate(tiny.get_config(), tmp_path, stop=tiny.never)


def test_photographs_too_small_are_named_before_the_training(monkeypatch):
    class Small:
        names, shapes = ["IMG_1", "IMG_2"], [(64, 64), (90, 63)]

    monkeypatch.setattr(data, "open_source", lambda settings, split: Small)
    with pytest.raises(ValueError, match="IMG_2 has 63x90 pixels; .* at least 64x64"):
        evaluate.photographs(config.Crowd())


def test_the_truth_holds_all_heads():
    experiment = tiny.get_config()
    record = data.open_source(experiment.data, "test")[0]
    true = evaluate._truth(record, experiment)
    np.testing.assert_allclose(true.sum(), len(record["points"]), rtol=1e-5)
    expected = density.density_map(record["points"], shape=true.shape, sigma=4.0)
    np.testing.assert_array_equal(true, expected)
