"""The validation's MAE against the evaluation's own estimator."""

import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import data
from cpcnn_jax.data import training_images
from cpcnn_jax.distributed.preemption import Interrupted
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training import validation as validation_lib
from cpcnn_jax.weights import serialization


@pytest.fixture(scope="module")
def run():
    experiment = tiny_experiment.get_config()
    source = data.open_dataset(experiment.data, "train")
    images = training_images.prepare_images(source, experiment)
    return stage_lib.StageContext(
        experiment, cpcnn.build(experiment.model), images, None
    )


def never():
    return None


def mae_of(scores):
    return lambda params, stop: scores(params, stop)["validation_mae"]


def test_mae_is_that_of_whole_images_in_the_evaluation(run, whole, tmp_path):
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = data.open_dataset(run.config.data, "test")
    mae = mae_of(validation_lib.make_validator(run, source, tmp_path))
    estimate = tiny_experiment.in_one_piece(run.model, blocks=4)
    counts = [estimate(trained, record["image"]).sum() for record in source]
    heads = [len(points) for points in source.points]
    expected = np.abs(np.subtract(counts, heads)).mean()
    assert mae(trained, never) == pytest.approx(expected, rel=1e-4)
    assert len(list(tmp_path.iterdir())) == 3
    assert mae(trained, never) == pytest.approx(expected, rel=1e-4)  # from kept scores


def test_cached_scores_are_reused_while_dme_and_fcnn_change(run, whole, tmp_path):
    """GCE and LCE are cached; DME and F-CNN are computed each time."""
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = data.open_dataset(run.config.data, "test")
    mae = mae_of(validation_lib.make_validator(run, source, tmp_path))
    first = mae(trained, never)
    louder = trained["fcnn/conv4/bias"] + 1
    assert mae({**trained, "fcnn/conv4/bias": louder}, never) > first + 100


class Regions:
    """The first images of a data set, with a region of interest and its heads."""

    def __init__(self, source):
        self._source = source
        self.points = [points[points[:, 0] < 80] for points in source.points[:2]]

    def __len__(self):
        return 2

    def __getitem__(self, i):
        record = dict(self._source[i])
        roi = np.zeros(record["image"].shape[:2], np.uint8)
        roi[:, :80] = 1
        return record | {"roi": roi, "points": self.points[i]}


def test_density_outside_a_region_of_interest_is_ignored(run, whole, tmp_path):
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = Regions(data.open_dataset(run.config.data, "test"))
    estimate = tiny_experiment.in_one_piece(run.model, blocks=4)
    maps = [estimate(trained, source[i]["image"])[:, :80] for i in range(2)]
    heads = [len(points) for points in source.points]
    expected = np.abs(np.subtract([m.sum() for m in maps], heads)).mean()
    mae = mae_of(validation_lib.make_validator(run, source, tmp_path))
    assert mae(trained, never) == pytest.approx(expected, rel=1e-4)


def test_a_preview_is_an_image(run, whole):
    trained = serialization.load(whole[0] / "weights.safetensors")
    batch = {
        "image": np.random.default_rng(0).random((2, 64, 96, 3), np.float32),
        "density": np.full((2, 64, 96, 1), 0.001, np.float32),
        "context": np.full((2, 16, 24, 10), 0.2, np.float32),
    }
    picture = validation_lib.make_preview(run)(trained, batch)
    assert picture.dtype == np.uint8 and picture.ndim == 3
    assert picture.shape[1] > 900 and picture.std() > 10


def test_a_signal_ends_a_validation_between_images(run, whole, tmp_path):
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = data.open_dataset(run.config.data, "test")
    mae = mae_of(validation_lib.make_validator(run, source, tmp_path))
    with pytest.raises(Interrupted, match="SIGTERM: stopped in a validation"):
        mae(trained, tiny_experiment.stop_at(3))
    assert len(list(tmp_path.iterdir())) == 2


def test_bias_of_parts_and_levels_is_not_hidden_in_the_sum():
    """Part B is a tenth too low where part A is too high by as many people."""
    true = np.array([100, 200, 300, 10, 20, 30, 40, 50, 50])
    predicted = true.astype(float)
    predicted[:3] += 20 / 3
    predicted[3:] *= 0.9
    scores = validation_lib.count_scores(predicted, true, [*"AAABBBBBB"])
    assert scores["validation_bias"] == pytest.approx(0)
    assert scores["validation_bias_A"] == pytest.approx(100 * 20 / 600)
    assert scores["validation_bias_B"] == pytest.approx(-10)
    assert scores["validation_mae_B"] == pytest.approx(20 / 6)
    assert scores["validation_bias_sparse"] == pytest.approx(-10)
    assert scores["validation_mae_dense"] == pytest.approx(20 / 3)
    assert scores["validation_mae"] == pytest.approx(40 / 9)


def test_images_without_people_have_a_bias_in_percent_of_one():
    scores = validation_lib.count_scores(np.array([0.5]), np.array([0]))
    assert scores == {"validation_mae": 0.5, "validation_bias": 50}
