"""Scores of training crops on a canvas against the networks on the crop alone."""

import jax
import numpy as np
import pytest
import tiny_experiment
from mixed_sizes import Sizes

from cpcnn_jax import config, data
from cpcnn_jax.data import training_images
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import crop_scores
from cpcnn_jax.training import stage as stage_lib

pytestmark = pytest.mark.quick_compile

USED = np.array([[0, 0], [0, 3], [2, 1], [2, 2], [2, 3], [4, 0]], np.int32)


@pytest.fixture(scope="module")
def run():
    experiment = tiny_experiment.get_config()
    experiment.crops = config.Crops(
        side_divisor=1, size_multiple=4, num_plain=2, num_augmented=2, num_patches=4
    )
    source = Sizes(data.open_dataset(experiment.data, "train"))
    images = training_images.prepare_images(source, experiment)
    model = cpcnn.build(experiment.model)
    return stage_lib.StageContext(experiment, model, images, None)


@pytest.mark.parametrize("kind", ["jit", "pmap"])
def test_scores_are_those_of_the_crop_as_one_block(run, tmp_path, kind):
    strategies = {
        "jit": data_parallel.jit_strategy,
        "pmap": data_parallel.pmap_strategy,
    }
    params = tiny_experiment.drawn(run.model)
    score = crop_scores.make_crop_scorer(
        run, tmp_path, strategies[kind](), tiny_experiment.never
    )
    (found,) = score(params, lambda: [USED])
    images = run.images
    assert not images.one_size and found["global"].shape == (6, 4, 5)
    batch = jax.device_get(jax.jit(images.crop_batch)(images.load(0), USED))
    for n, (place, j) in enumerate(USED.tolist()):
        height, width = batch["size"][n]
        expected = run.model.apply(
            to_variables(params),
            batch["image"][n : n + 1, :height, :width],
            blocks=1,
            method="scores",
        )
        scores = found["global"][place, j], expected["global"][0, 0, 0]
        np.testing.assert_allclose(*scores, atol=1e-5)
        local = expected["local"][0]
        rows, columns = local.shape[:2]
        scores = found["local"][place, j, :rows, :columns]
        np.testing.assert_allclose(scores, local, atol=1e-5)
    assert not found["global"][1].any()  # not used


def test_without_context_networks_nothing_is_computed(run, tmp_path):
    alone = run._replace(model=cpcnn.CPCNN(gce=None, lce=None))
    strategy = data_parallel.jit_strategy()
    score = crop_scores.make_crop_scorer(
        alone, tmp_path, strategy, tiny_experiment.never
    )
    assert score({}, lambda: [USED]) == [{}]
    assert not list(tmp_path.iterdir())
