import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax.traverse_util import flatten_dict

from cpcnn_jax import losses, parallel, steps
from cpcnn_jax.config import Model
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.discriminator import Discriminator


@functools.cache
def _networks(fusion=False):
    """A narrow CP-CNN without its GCE, an adversary, and their weights in float64."""
    model = cpcnn.build(
        Model(
            global_context=False,
            fusion=fusion,
            lce_features=(4, 4, 8),
            lce_head=(32, 32),
            columns=(((4, 5), (4, 3), (3, 3)), ((4, 3), (4, 3), (2, 3))),
        )
    )
    tree = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    judge = Discriminator(width=0.125)
    judge_tree = jax.jit(judge.init)(jax.random.key(1), jnp.zeros((1, 64, 64, 1)))
    return model, _flat(tree), judge, _flat(judge_tree)


def _flat(tree):
    flat = flatten_dict(tree["params"], sep="/")
    return {name: np.asarray(value, np.float64) for name, value in flat.items()}


@pytest.fixture(autouse=True)
def double_precision():
    """Equalities are then of formulas, not of rounding."""
    with jax.enable_x64(True):
        yield


def _batch(size=8):
    draw = np.random.default_rng(0)
    density = draw.gamma(0.1, 0.05, (size, 64, 64, 1))
    image = draw.random((size, 64, 64, 3))
    model, flat, _, _ = _networks()
    scores = model.apply(steps.variables(flat), image, blocks=1, method="scores")
    return {"image": image, "density": density, "scores": scores}


def _patches(size=8):
    """Patches as bright as their class."""
    label = np.arange(size, dtype=np.int32) % 5
    noise = np.random.default_rng(1).random((size, 64, 64, 3))
    return {"image": (noise + label[:, None, None, None]) / 5, "label": label}


def _joint(name):
    return name.startswith(("dme/", "fcnn/"))


def _density_setup(axis_name=None):
    model, flat, _, _ = _networks(fusion=True)
    tx = optax.adam(1e-3)
    state = steps.new_state(flat, tx, trains=_joint)
    return steps.density_step(model, tx, axis_name=axis_name), state, _batch()


def _adversarial_setup(axis_name=None, weight=0.5):
    model, flat, judge, judge_flat = _networks()
    tx, judge_tx = optax.adam(1e-3), optax.sgd(1e-2)
    rivals = steps.Rivals(
        steps.new_state(flat, tx, trains=_joint),
        steps.new_state(judge_flat, judge_tx, trains=lambda name: True),
    )
    step = steps.adversarial_step(
        model, tx, judge, judge_tx, weight=weight, axis_name=axis_name
    )
    return step, rivals, _batch()


def _classifier_setup(axis_name=None):
    model, flat, _, _ = _networks()
    tx = optax.adam(3e-3)
    state = steps.new_state(flat, tx, trains=lambda name: name.startswith("lce/"))
    step = steps.classification_step(
        model.lce,
        tx,
        scope="lce/",
        class_weights=jnp.arange(1.0, 6.0),
        key=jax.random.key(7),
        axis_name=axis_name,
    )
    return step, state, _patches()


SETUPS = [_density_setup, _adversarial_setup, _classifier_setup]


@pytest.mark.parametrize(
    ("setup", "learner"),
    [
        (_density_setup, "loss"),
        (_adversarial_setup, "discriminator"),
        (_classifier_setup, "loss"),
    ],
)
def test_twenty_steps_on_one_batch_teach(setup, learner):
    step, state, batch = setup()
    step = jax.jit(step)
    batch = jax.tree.map(lambda value: value[:4], batch)
    found = []
    for _ in range(20):
        state, metrics = step(state, batch)
        found.append(float(metrics[learner]))
    assert np.mean(found[-5:]) < 0.95 * np.mean(found[:5])


@pytest.mark.parametrize("setup", SETUPS)
def test_jit_mesh_and_pmap_equal_one_device(setup):
    """Adversary and dropout included: keys belong to examples, not to devices."""
    step, state, batch = setup()
    single = jax.jit(step)
    mesh, pmap = parallel.jit_strategy(), parallel.pmap_strategy()
    on_mesh, on_pmap = mesh.wrap(step), pmap.wrap(setup(pmap.axis_name)[0])
    a = state
    b = mesh.place_state(jax.tree.map(jnp.copy, state))
    c = pmap.place_state(state)
    for _ in range(3):
        a, _ = single(a, batch)
        b, _ = on_mesh(b, mesh.place_batch(batch))
        c, _ = on_pmap(c, pmap.place_batch(batch))
    for other in (b, c):
        gap = jax.tree.map(lambda x, y: float(jnp.max(jnp.abs(x - y))), a, other)
        assert max(jax.tree.leaves(gap)) < 1e-10


def test_frozen_weights_stay_and_the_others_move():
    step, state, batch = _density_setup()
    after, _ = jax.jit(step)(state, batch)
    assert int(after.step) == 1
    for name, value in state.frozen.items():
        np.testing.assert_array_equal(after.frozen[name], value)
    assert {name.split("/")[0] for name in state.frozen} == {"lce"}
    moved = [not np.array_equal(after.params[n], v) for n, v in state.params.items()]
    assert all(moved)


def test_euclidean_loss_is_of_scaled_maps_with_the_crop_as_one_block():
    step, state, batch = _density_setup()
    model, flat, _, _ = _networks(fusion=True)
    weights = steps.variables(flat)
    context = model.apply(weights, batch["image"], blocks=1, method="context")
    density, _ = model.apply(weights, batch["image"], context=context)
    expected = np.mean((100 * (density - batch["density"])) ** 2)
    people = (density - batch["density"]).sum((1, 2, 3))
    _, metrics = jax.jit(step)(state, batch)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-10)
    np.testing.assert_allclose(metrics["crop_mae"], np.abs(people).mean(), rtol=1e-10)


def test_without_weight_the_adversary_changes_nothing():
    model, flat, _, _ = _networks()
    tx, batch = optax.adam(1e-3), _batch(2)
    state = steps.new_state(flat, tx, trains=_joint)
    plain, _ = jax.jit(steps.density_step(model, tx))(state, batch)
    duel, rivals, _ = _adversarial_setup(weight=0.0)
    after, metrics = jax.jit(duel)(rivals, batch)
    for name, value in plain.params.items():
        np.testing.assert_allclose(after.generator.params[name], value, atol=1e-10)
    np.testing.assert_allclose(metrics["loss"], metrics["euclidean"])


def test_the_generator_s_gradient_is_of_the_updated_discriminator():
    """L_T after the discriminator's step, differentiated directly, not by pull-back."""
    model, flat, judge, judge_flat = _networks()
    tx, judge_tx, batch = optax.sgd(1.0), optax.sgd(0.1), _batch(2)
    rivals = steps.Rivals(
        steps.new_state(flat, tx, trains=_joint),
        steps.new_state(judge_flat, judge_tx, trains=lambda name: True),
    )
    step = steps.adversarial_step(model, tx, judge, judge_tx, weight=0.5)
    after, _ = jax.jit(step)(rivals, batch)
    judged = steps.variables(after.discriminator.params)

    @jax.jit
    @jax.grad
    def gradient(params):
        weights = steps.variables(params, rivals.generator.frozen)
        context = model.apply(weights, batch["image"], blocks=1, method="context")
        density, _ = model.apply(weights, batch["image"], context=context)
        fake, real = 100 * density, 100 * batch["density"]
        fooled = losses.adversarial_loss(judge.apply(judged, fake))
        return jnp.mean(losses.euclidean_loss(fake, real) + 0.5 * fooled)

    expected = gradient(rivals.generator.params)
    for name, before in rivals.generator.params.items():
        moved = before - after.generator.params[name]
        np.testing.assert_allclose(moved, expected[name], atol=1e-10)


def test_dropout_depends_on_seed_and_step_only():
    step, state, batch = _classifier_setup()
    step = jax.jit(step)
    again = [step(state, batch)[1]["loss"] for _ in range(2)]
    later = step(state._replace(step=state.step + 1), batch)[1]["loss"]
    assert again[0] == again[1] != later


def test_scores_computed_before_are_those_of_the_crop_as_one_block():
    """`frozen.py` asks all devices; what they say does not depend on their number."""
    model, flat, _, _ = _networks()
    batch = _batch()

    def look(weights, image):
        variables = steps.variables(weights)
        return model.apply(variables, image, blocks=1, method="scores")

    for strategy in (parallel.jit_strategy(), parallel.pmap_strategy()):
        found = strategy.answers(look, flat)(batch["image"])
        assert found.keys() == batch["scores"].keys() == {"local"}
        assert found["local"].shape == (8, 1, 1, 5)
        np.testing.assert_allclose(found["local"], batch["scores"]["local"], rtol=1e-10)


def test_batches_that_do_not_divide_are_refused_with_both_numbers():
    text = r"--config.density.batch_size=6 cannot be split over 4 devices"
    with pytest.raises(ValueError, match=text):
        parallel.check_batch(6, 4, name="density.batch_size")
    parallel.check_batch(8, 4, name="density.batch_size")
