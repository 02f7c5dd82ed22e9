"""The validation's MAE against the evaluation's own estimator."""

import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import data
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training import validation as validation_lib
from cpcnn_jax.weights import serialization


@pytest.fixture(scope="module")
def run():
    experiment = tiny_experiment.get_config()
    source = data.open_dataset(experiment.data, "train")
    return stage_lib.StageContext(
        experiment, cpcnn.build(experiment.model), source, None
    )


def test_mae_is_that_of_whole_images_in_the_evaluation(run, whole, tmp_path):
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = data.open_dataset(run.config.data, "test")
    mae = validation_lib.make_validator(run, source, tmp_path)
    estimate = tiny_experiment.in_one_piece(run.model, blocks=4)
    counts = [estimate(trained, record["image"]).sum() for record in source]
    heads = [len(points) for points in source.points]
    expected = np.abs(np.subtract(counts, heads)).mean()
    assert mae(trained) == pytest.approx(expected, rel=1e-4)
    assert len(list(tmp_path.iterdir())) == 3
    assert mae(trained) == pytest.approx(expected, rel=1e-4)  # from kept scores


def test_cached_scores_are_reused_while_dme_and_fcnn_change(run, whole, tmp_path):
    """GCE and LCE are cached; DME and F-CNN are computed each time."""
    trained = serialization.load(whole[0] / "weights.safetensors")
    source = data.open_dataset(run.config.data, "test")
    mae = validation_lib.make_validator(run, source, tmp_path)
    first = mae(trained)
    louder = trained["fcnn/conv4/bias"] + 1
    assert mae({**trained, "fcnn/conv4/bias": louder}) > first + 100


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
    mae = validation_lib.make_validator(run, source, tmp_path)
    assert mae(trained) == pytest.approx(expected, rel=1e-4)


def test_a_preview_is_an_image(run, whole):
    trained = serialization.load(whole[0] / "weights.safetensors")
    batch = {
        "image": np.random.default_rng(0).random((2, 64, 96, 3), np.float32),
        "density": np.full((2, 64, 96, 1), 0.001, np.float32),
        "scores": {
            "global": np.full((2, 1, 1, 5), 0.2, np.float32),
            "local": np.full((2, 1, 2, 5), 0.2, np.float32),
        },
    }
    picture = validation_lib.make_preview(run)(trained, batch)
    assert picture.dtype == np.uint8 and picture.ndim == 3
    assert picture.shape[1] > 900 and picture.std() > 10
