"""F-CNN initialized to the LCE's expected density."""

import doctest

import jax
import numpy as np
import pytest
import tiny_experiment
from resize_oracle import doubled

from cpcnn_jax import config, data
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import density_stages
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import expected_density
from cpcnn_jax.training.init import params as init_params

SCALE = config.Model().density_scale


def test_docstrings():
    assert doctest.testmod(expected_density).failed == 0


@pytest.mark.parametrize("use_gce", [True, False])
def test_the_map_is_the_expected_density_of_the_lce(use_gce):
    settings = tiny_experiment.get_config().model
    settings.use_gce = use_gce
    model = cpcnn.build(settings)
    known = init_params.random_params(model, 0, "weights")
    rng = np.random.default_rng(0)
    counts, thresholds = np.array([0, 2, 6, 7, 20, 40, 60]), [1, 5, 10, 30]
    means = [0, 2, 6.5, 20, 50]
    image = rng.random((1, 128, 192, 3), np.float32)
    begun = known | expected_density.fcnn_from_lce(
        known, counts, thresholds, area=4096, density_scale=SCALE
    )
    density, found = model.apply(to_variables(begun), image)
    cells = np.asarray(found["context"])[..., -5:] @ np.array(means) / 4096
    want = doubled(doubled(cells[..., None]))
    inner = slice(8, -8)  # beyond the border T sees zeros, PyTorch the border again
    assert np.ptp(want) > 0
    np.testing.assert_allclose(
        density[:, inner, inner], want[:, inner, inner], rtol=1e-4
    )
    assert density.sum() == pytest.approx(16 * cells.sum(), rel=0.05)


def test_the_density_stage_starts_there_and_trains():
    experiment = tiny_experiment.get_config()
    experiment.density.fcnn_init_from_lce = True
    source = data.open_dataset(experiment.data, "train")
    model = cpcnn.build(experiment.model)
    run = stage_lib.StageContext(experiment, model, source, None)

    def scores(weights, crops):
        rng = np.random.default_rng(0)

        def draw():
            return rng.dirichlet(np.ones(5), (1, 1)).astype(np.float32)

        return {crop: {"global": draw(), "local": draw()} for crop in crops}

    known = init_params.random_params(model, 0, "weights")
    stage = density_stages.density_stage(run._replace(crop_scores=scores), known)
    before = stage.result(stage.state)
    changed = {n for n in known if not np.array_equal(known[n], before[n])}
    assert changed and all(name.startswith("fcnn/") for name in changed)
    batches = stage.batches(0)
    batch = next(batches)
    batches.close()
    density, _ = model.apply(
        to_variables(before),
        batch["image"],
        context=model.apply(
            to_variables(before),
            batch["scores"],
            batch["image"],
            method="spread",
        ),
    )
    people = float(batch["density"].sum())
    assert 0.2 * people < float(density.sum()) < 5 * people
    after, _ = jax.jit(stage.step)(stage.state, batch)
    after, _ = jax.jit(stage.step)(after, batch)
    moved = stage.result(after)
    dme = [n for n in before if n.startswith("dme/") and n.endswith("kernel")]
    assert all(not np.array_equal(before[n], moved[n]) for n in dme)
