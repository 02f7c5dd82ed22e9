"""Scores of whole images against their definition."""

import csv
import dataclasses
import hashlib
import json
import shutil

import dataset_layouts
import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import config, data
from cpcnn_jax.data import splits
from cpcnn_jax.data.experiment_splits import open_splits
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.evaluation import evaluate, predictions
from cpcnn_jax.inference import counter
from cpcnn_jax.models import cpcnn
from cpcnn_jax.weights import serialization


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of the trained run's folder."""
    shutil.copytree(whole[0], tmp_path / "run")
    return tmp_path / "run"


def evaluated(experiment, folder, split="test", stop=tiny_experiment.never):
    splits = open_splits(experiment, split)
    return evaluate.evaluate(experiment, folder, splits, stop=stop)


def test_predictions_are_sums_of_maps_of_whole_images(folder):
    experiment = tiny_experiment.get_config()
    trained = serialization.load(folder / "weights.safetensors")
    estimate = tiny_experiment.in_one_piece(cpcnn.build(experiment.model), blocks=4)
    source = data.open_dataset(experiment.data, "test")
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, record in zip(rows, source, strict=True):
        found = estimate(trained, record["image"])
        assert found.shape == record["image"].shape[:2]
        np.testing.assert_allclose(float(row["predicted"]), found.sum(), rtol=1e-4)
        assert row["name"] == record["name"]
        assert int(row["count"]) == len(record["points"])


def test_the_constant_prediction_is_the_training_mean(folder):
    settings = tiny_experiment.get_config().data
    heads = [len(p) for p in data.open_dataset(settings, "train").points]
    true = [len(p) for p in data.open_dataset(settings, "test").points]
    scores = json.loads((folder / "metrics.json").read_text())
    assert scores["training_mean"] == np.mean(heads)
    error = np.abs(np.mean(heads) - np.array(true)).mean()
    np.testing.assert_allclose(scores["mae_of_training_mean"], error)


def test_pictures_are_ranked_by_count_error(folder):
    experiment = dataclasses.replace(tiny_experiment.get_config(), num_eval_images=3)
    scores = evaluated(experiment, folder)
    assert scores["test_evaluations"] == 2  # the first was the run's own
    with open(folder / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    rows.sort(key=lambda row: abs(float(row["predicted"]) - float(row["count"])))
    expected = [f"{rank:03d}_{row['name']}.png" for rank, row in enumerate(rows, 1)]
    assert sorted(p.name for p in (folder / "pictures").iterdir()) == expected


def test_an_evaluation_survives_its_pictures(scenes, tmp_path, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("no font")

    (tmp_path / "run" / "pictures").mkdir(parents=True)
    (tmp_path / "run" / "pictures" / "mine.png").touch()
    monkeypatch.setattr(evaluate.figures, "comparison_figure", fail)
    assert scenes()["num_images"] == 5
    assert "cannot be drawn and is left out: no font" in caplog.text
    assert (tmp_path / "run" / "report.html").exists()
    assert [p.name for p in (tmp_path / "run" / "pictures").iterdir()] == ["mine.png"]


def test_a_stop_keeps_earlier_results(folder):
    before = (folder / "metrics.json").read_text()
    text = "SIGTERM: stopped in the evaluation, after 2 images"
    with pytest.raises(Interrupted, match=text):
        evaluated(tiny_experiment.get_config(), folder, stop=tiny_experiment.stop_at(2))
    assert (folder / "metrics.json").read_text() == before


def test_weights_can_be_evaluated_without_training(folder, tmp_path):
    """`init_from` names them; their intervals are checked, too."""
    experiment = tiny_experiment.get_config()
    file, ranges = tmp_path / "other.safetensors", {"thresholds": []}
    ranges |= {"log_ratios": [0.3], "num_images": 10}
    trained = serialization.load(folder / "weights.safetensors")
    serialization.save(file, trained, experiment.model, intervals=ranges)
    experiment.init_from = str(file)
    other = tmp_path / "other"
    other.mkdir()
    evaluated(experiment, other)
    scores, run = (
        json.loads((run / "metrics.json").read_text()) for run in (other, folder)
    )
    for name in ("mae", "psnr", "ssim", "localization"):
        assert scores[name] == run[name]
    rows = predictions.read(other)
    inside = [float(r["low"]) <= r["count"] <= float(r["high"]) for r in rows]
    assert scores["interval_coverage"] == np.mean(inside)
    assert "It holds the true count of" in (other / "report.html").read_text()
    (other / "metrics.jsonl").touch()  # a training has begun
    with pytest.raises(ValueError, match="weights.safetensors does not exist: train"):
        evaluated(experiment, other)


def test_missing_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match="weights.safetensors does not exist: train"):
        evaluated(tiny_experiment.get_config(), tmp_path)


def test_a_validation_evaluation_does_not_open_the_test_images(folder, monkeypatch):
    experiment, opened = tiny_experiment.get_config(), []
    open_source = data.open_dataset

    def watched(settings, split):
        opened.append(split)
        return open_source(settings, split)

    monkeypatch.setattr(data, "open_dataset", watched)
    scores_of_test = (folder / "metrics.json").read_text()
    found = evaluated(experiment, folder, "validation")
    assert (folder / "metrics.json").read_text() == scores_of_test
    assert set(opened) == {"train"}
    assert (found["split"], found["num_images"]) == ("validation", 1)
    assert found["test_evaluations"] == 1  # the run's own
    _, kept = splits.split(open_source(experiment.data, "train"), 10)
    (row,) = predictions.read(folder / "validation")
    assert [row["name"]] == kept.names
    text = (folder / "metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    last = [x for x in lines if x["stage"] == "adversary" and "validation_mae" in x]
    best = min(line["validation_mae"] for line in last)
    assert found["mae"] == pytest.approx(best, rel=1e-4)
    text = (folder / "validation" / "report.html").read_text()
    assert "over 1 validation image" in text
    assert "These are validation images" in text


def test_a_validation_evaluation_needs_validation_images():
    experiment = tiny_experiment.get_config()
    experiment.validation.percent = 0
    text = "--config.validation.percent=0 holds out no images, which --eval_split"
    with pytest.raises(ValueError, match=text):
        open_splits(experiment, "validation")


def test_images_too_small_are_named_before_the_training(monkeypatch):
    class Small:
        names, shapes = ["IMG_1", "IMG_2"], [(64, 64), (90, 63)]

    opened = data.open_dataset
    monkeypatch.setattr(
        data,
        "open_dataset",
        lambda d, split: Small if split == "test" else opened(d, split),
    )
    with pytest.raises(ValueError, match="IMG_2 has 63x90 pixels; .* at least 64x64"):
        open_splits(config.Experiment())


# --- what is written, for five scenes with a region and an answer that needs no network


class Flat:
    """A counter that predicts 0.01 people on every pixel."""

    intervals = None

    def __init__(self, file):
        assert file.name == "weights.safetensors"

    def count(self, image):
        self.density = np.full(image.shape[:2], 0.01, np.float32)
        return self


@pytest.fixture
def scenes(tmp_path, monkeypatch):
    """evaluate(**fields) of an experiment on WorldExpo'10: its metrics.json."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    monkeypatch.setattr(counter, "load", Flat)
    dataset_layouts.write_world_expo(tmp_path / "data")
    settings = config.WorldExpo(root=str(tmp_path / "data"))
    run = tmp_path / "run"
    run.mkdir()
    serialization.save(run / "weights.safetensors", {"a": np.zeros(1)}, config.Model())

    def scored(**fields):
        experiment = config.Experiment(data=settings, num_eval_images=1, **fields)
        evaluated(experiment, run)
        return json.loads(
            (run / "metrics.json").read_text(), parse_constant=pytest.fail
        )

    return scored


REGION = 51 * 46 * 0.01  # people that `Flat` sees within the corners


def test_scenes_are_scored_in_their_regions_of_interest(scenes, tmp_path):
    found = scenes()
    with open(tmp_path / "run" / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        *("name", "count", "predicted", "psnr", "ssim"),
        *("game1", "game2", "game3", "level"),
        *("width", "height", "peaks", "matched", "scene"),
    ]
    true = [len(dataset_layouts.heads(row["name"])) for row in rows]
    assert [int(row["count"]) for row in rows] == true
    np.testing.assert_allclose([float(row["predicted"]) for row in rows], REGION, 1e-5)
    errors = {r["scene"]: abs(REGION - n) for r, n in zip(rows, true, strict=True)}
    assert tuple(errors) == dataset_layouts.SCENES
    assert found["mae_per_scene"] == pytest.approx(errors, abs=1e-4)
    assert found["mae_of_scenes"] == pytest.approx(found["mae"], abs=1e-9)  # one each
    assert found["num_images"] == 5 and found["count_reference"] == "points"


def test_undefined_scores_are_null(scenes):
    """A level has no image, and the highest no upper end."""
    levels = scenes()["mae_per_level"]
    assert [level["to"] is None for level in levels] == [False] * 4 + [True]
    without = [level["num_images"] == 0 for level in levels]
    assert [level["mae"] is None for level in levels] == without
    assert any(without)
    assert [level["level"] for level in levels] == "ex-lo lo med hi ex-hi".split()
    assert sum(level["num_images"] for level in levels) == 5


def test_count_reference_maps_compares_with_true_maps(scenes, tmp_path):
    points, maps = scenes(), scenes(count_reference="maps")
    assert maps["count_reference"] == "maps"
    assert maps["training_mean"] == points["training_mean"]
    rows = predictions.read(tmp_path / "run")
    for row in rows:  # the region's border cuts some Gaussians
        assert (
            row["count"] <= len(dataset_layouts.heads(row["name"])) < row["count"] + 1
        )
    assert {row["count"] % 1 for row in rows} != {0}


def test_evaluations_of_the_same_weights_are_counted(scenes, tmp_path):
    assert [scenes()["test_evaluations"] for _ in range(3)] == [1, 2, 3]
    file = tmp_path / "run" / "weights.safetensors"
    serialization.save(file, {"a": np.ones(1)}, config.Model())
    again = scenes()
    assert again["test_evaluations"] == 1
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert again["weights_sha256"] == digest
    (tmp_path / "run" / "metrics.json").write_text('{"mae": 3.0, ')
    assert scenes()["test_evaluations"] == 1
