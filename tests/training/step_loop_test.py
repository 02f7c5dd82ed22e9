"""Several steps in one program equal single steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny_experiment

from cpcnn_jax import data
from cpcnn_jax.data import training_images
from cpcnn_jax.models import cpcnn
from cpcnn_jax.training import classifier_stages, density_stages, step_loop
from cpcnn_jax.training import stage as stage_lib


@pytest.fixture(scope="module")
def stages():
    experiment = tiny_experiment.get_config()
    experiment.model.use_gce = False
    source = data.open_dataset(experiment.data, "train")
    images = training_images.prepare_images(source, experiment)
    model = cpcnn.build(experiment.model)
    context = stage_lib.StageContext(experiment, model, images, None)

    def no_scores(params, used):
        shape = (images.size.images, 4, 1, 1, 5)
        return [{"local": np.full(shape, 0.2, np.float32)} for _ in images.groups]

    context = context._replace(crop_scores=no_scores)
    params = tiny_experiment.drawn(model)
    return {
        "lce": classifier_stages.lce_stage(context, params),
        "density": density_stages.density_stage(context, params),
    }


@pytest.mark.parametrize("name", ["lce", "density"])
def test_calls_of_any_length_give_the_same_bits(stages, name):
    """A stop between two steps of a loop does not change the result.

    The program of single steps rounds differently on a CPU, where XLA compiles
    convolutions inside of loops to other code.
    """
    stage, bank = stages[name], stages[name].data(0)
    examples = np.stack([stage.order.examples(0, step) for step in range(3)])
    loop = jax.jit(step_loop.make_steps(stage.step, stage.batch, 3))

    def padded(first):
        return np.pad(examples[first:], ((0, first), (0, 0), (0, 0)))

    whole, metrics = loop(stage.state, bank, examples, 3)
    parts, first = loop(stage.state, bank, padded(0), 1)
    parts, rest = loop(parts, bank, padded(1), 2)
    jax.tree.map(np.testing.assert_array_equal, parts, whole)
    losses = [first["loss"][0], *rest["loss"][:2]]
    np.testing.assert_array_equal(metrics["loss"], losses)
    single = jax.jit(step_loop.make_steps(stage.step, stage.batch, 1))
    state = stage.state
    for step in range(3):
        state, metrics = single(state, bank, examples[step : step + 1], 1)
        np.testing.assert_allclose(metrics["loss"], losses[step], rtol=1e-5)
    assert int(state.step) == int(whole.step) == 3


def test_the_number_of_steps_is_no_new_program():
    traced = []

    def step(state, batch):
        traced.append(1)
        return state + batch, {"loss": state}

    steps = jax.jit(step_loop.make_steps(step, lambda data, pairs: data, 4))
    pairs = np.zeros((4, 1, 2), np.int32)
    steps(jnp.float32(0), jnp.float32(2), pairs, 4)
    number = len(traced)
    for count in range(4):
        state, metrics = steps(jnp.float32(0), jnp.float32(2), pairs, count)
        assert state == 2 * count
        assert metrics["loss"].tolist() == [2 * n if n < count else 0 for n in range(4)]
    assert len(traced) == number


def test_a_cpu_takes_one_step_in_a_call():
    assert step_loop.steps_per_call() == 1
