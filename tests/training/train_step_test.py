import functools

import jax
import jax.numpy as jnp
import jaxpr_products
import numpy as np
import optax
import pytest
from flax import linen as nn
from flax.traverse_util import flatten_dict

from cpcnn_jax.config import Model
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import (
    losses,
    mixed_precision,
    step_loop,
    train_state,
    train_step,
)
from cpcnn_jax.training.train_step import StepOptions

pytestmark = pytest.mark.quick_compile


@functools.cache
def _networks(fusion=False):
    """A narrow CP-CNN without its GCE, an adversary, and their weights in float64."""
    model = cpcnn.build(
        Model(
            use_gce=False,
            use_fcnn=fusion,
            lce_features=(4, 4, 8),
            lce_hidden_dims=(32, 32),
            dme_columns=(((4, 5), (4, 3), (3, 3)), ((4, 3), (4, 3), (2, 3))),
        )
    )
    tree = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 64, 64, 3)))
    judge = Discriminator(width_multiplier=0.125)
    judge_tree = jax.jit(judge.init)(jax.random.key(1), jnp.zeros((1, 64, 64, 1)))
    return model, _flat(tree), judge, _flat(judge_tree)


def _flat(tree):
    flat = flatten_dict(tree["params"], sep="/")
    return {name: np.asarray(value, np.float64) for name, value in flat.items()}


@pytest.fixture(autouse=True)
def double_precision():
    """Compares formulas without rounding, in float64."""
    with jax.enable_x64(True):
        yield


def _batch(size=8):
    draw = np.random.default_rng(0)
    density = draw.gamma(0.1, 0.05, (size, 64, 64, 1))
    image = draw.random((size, 64, 64, 3))
    model, flat, _, _ = _networks()
    context = jax.jit(functools.partial(model.apply, blocks=1, method="context"))(
        to_variables(flat), image
    )
    return {"image": image, "density": density, "context": context}


def _patches(size=8):
    """Patches with the brightness of their class."""
    label = np.arange(size, dtype=np.int32) % 5
    noise = np.random.default_rng(1).random((size, 64, 64, 3))
    return {"image": (noise + label[:, None, None, None]) / 5, "label": label}


def _weighted_error(density, target):
    return jnp.mean(jnp.square(density - target) * (1 + target), axis=(1, 2, 3))


@pytest.mark.parametrize("masked", [False, True])
def test_a_custom_loss_replaces_the_euclidean_loss(masked):
    model, flat, _, _ = _networks(fusion=True)
    tx, batch = optax.sgd(1.0), _batch()
    state = train_state.new_state(flat, tx, trains=_joint)
    step = train_step.density_step(model, tx, custom=_weighted_error)
    if masked:
        valid = np.zeros((8, 64, 64, 1))
        valid[:, :48, :32] = 1
        batch |= {"valid": valid, "density": batch["density"] * valid}

    def loss(params):
        inputs = {"context": batch["context"], "valid": batch.get("valid")}
        variables = to_variables(params, state.frozen)
        density, _ = model.apply(variables, batch["image"], **inputs)
        return _weighted_error(density * batch.get("valid", 1), batch["density"]).mean()

    value, grads = jax.jit(jax.value_and_grad(loss))(state.params)
    moved, metrics = jax.jit(step)(state, batch)
    assert metrics["loss"] == pytest.approx(float(value), rel=1e-9)
    for name, grad in grads.items():
        step_of_one = state.params[name] - moved.params[name]
        np.testing.assert_allclose(step_of_one, grad, rtol=1e-6, atol=1e-12)


def _joint(name):
    return name.startswith(("dme/", "fcnn/"))


def _density_setup(**options):
    model, flat, _, _ = _networks(fusion=True)
    tx = optax.adam(1e-3)
    state = train_state.new_state(flat, tx, trains=_joint)
    step = train_step.density_step(model, tx, options=StepOptions(**options))
    return step, state, _batch()


def _adversarial_setup(weight=0.5, **options):
    model, flat, judge, judge_flat = _networks()
    tx, judge_tx = optax.adam(1e-3), optax.sgd(1e-2)
    rivals = train_state.GANState(
        train_state.new_state(flat, tx, trains=_joint),
        train_state.new_state(judge_flat, judge_tx, trains=lambda name: True),
    )
    options = StepOptions(**options)
    step = train_step.adversarial_step(
        model, tx, judge, judge_tx, weight=weight, options=options
    )
    return step, rivals, _batch()


def _classifier_setup(**options):
    model, flat, _, _ = _networks()
    tx = optax.adam(3e-3)
    state = train_state.new_state(flat, tx, trains=lambda name: name.startswith("lce/"))
    step = train_step.classification_step(
        model.lce,
        tx,
        scope="lce/",
        class_weights=jnp.arange(1.0, 6.0),
        key=jax.random.key(7),
        options=StepOptions(**options),
    )
    return step, state, _patches()


def _wrapped(strategy, step, batch):
    """The step on a batch that the strategy divides: state -> (state, metrics)."""

    def rows(data, pairs):
        return jax.tree.map(lambda x: x[pairs[:, 0]], data)

    wrapped = strategy.wrap(step_loop.make_steps(step, rows, 1))
    data = strategy.place_data(batch)
    pairs = np.arange(len(batch["image"]), dtype=np.int32)[None, :, None]
    examples = strategy.place_examples(pairs)
    return lambda state: wrapped(state, data, examples, np.int32(1))


SETUPS = [_density_setup, _adversarial_setup, _classifier_setup]


@pytest.mark.parametrize(
    ("setup", "learner"),
    [
        (_density_setup, "loss"),
        (_adversarial_setup, "discriminator"),
        (_classifier_setup, "loss"),
    ],
)
def test_twenty_steps_on_one_batch_reduce_the_loss(setup, learner):
    step, state, batch = setup()
    step = jax.jit(step)
    batch = jax.tree.map(lambda value: value[:4], batch)
    found = []
    for _ in range(20):
        state, metrics = step(state, batch)
        found.append(float(metrics[learner]))
    assert np.mean(found[-5:]) < 0.95 * np.mean(found[:5])


@pytest.mark.long
@pytest.mark.parametrize("setup", SETUPS)
@pytest.mark.quick_compile(False)
def test_jit_mesh_and_pmap_equal_one_device(setup):
    """With adversary and dropout, whose keys depend on examples, not on devices."""
    step, state, batch = setup()
    single = jax.jit(step)
    mesh, pmap = data_parallel.jit_strategy(), data_parallel.pmap_strategy()
    on_mesh = _wrapped(mesh, step, batch)
    on_pmap = _wrapped(pmap, setup(axis_name=pmap.axis_name)[0], batch)
    a = state
    b = mesh.place_state(jax.tree.map(jnp.copy, state))
    c = pmap.place_state(state)
    for _ in range(3):
        a, _ = single(a, batch)
        b, _ = on_mesh(b)
        c, _ = on_pmap(c)
    for other in (b, c):
        gap = jax.tree.map(lambda x, y: float(jnp.max(jnp.abs(x - y))), a, other)
        assert max(jax.tree.leaves(gap)) < 1e-10


def test_frozen_parameters_stay_and_the_others_change():
    step, state, batch = _density_setup()
    after, _ = jax.jit(step)(state, batch)
    assert int(after.step) == 1
    for name, value in state.frozen.items():
        np.testing.assert_array_equal(after.frozen[name], value)
    assert {name.split("/")[0] for name in state.frozen} == {"lce"}
    moved = [not np.array_equal(after.params[n], v) for n, v in state.params.items()]
    assert all(moved)


def test_the_loss_is_that_of_scaled_maps_with_the_crop_as_one_block():
    step, state, batch = _density_setup()
    model, flat, _, _ = _networks(fusion=True)
    weights = to_variables(flat)
    context = model.apply(weights, batch["image"], blocks=1, method="context")
    density, _ = model.apply(weights, batch["image"], context=context)
    expected = np.mean((100 * (density - batch["density"])) ** 2)
    people = (density - batch["density"]).sum((1, 2, 3))
    _, metrics = jax.jit(step)(state, batch)
    np.testing.assert_allclose(metrics["loss"], expected, rtol=1e-10)
    np.testing.assert_allclose(metrics["crop_mae"], np.abs(people).mean(), rtol=1e-10)


def test_weight_zero_disables_the_adversary():
    model, flat, _, _ = _networks()
    tx, batch = optax.adam(1e-3), _batch(2)
    state = train_state.new_state(flat, tx, trains=_joint)
    plain, _ = jax.jit(train_step.density_step(model, tx))(state, batch)
    duel, rivals, _ = _adversarial_setup(weight=0.0)
    after, metrics = jax.jit(duel)(rivals, batch)
    for name, value in plain.params.items():
        np.testing.assert_allclose(after.generator.params[name], value, atol=1e-10)
    np.testing.assert_allclose(metrics["loss"], metrics["euclidean"])


def test_the_generator_uses_the_updated_discriminator():
    """L_T after the discriminator's step, differentiated numerically."""
    model, flat, judge, judge_flat = _networks()
    tx, judge_tx, batch = optax.sgd(1.0), optax.sgd(0.1), _batch(2)
    rivals = train_state.GANState(
        train_state.new_state(flat, tx, trains=_joint),
        train_state.new_state(judge_flat, judge_tx, trains=lambda name: True),
    )
    step = train_step.adversarial_step(model, tx, judge, judge_tx, weight=0.5)
    after, _ = jax.jit(step)(rivals, batch)
    judged = to_variables(after.discriminator.params)

    @jax.jit
    @jax.grad
    def gradient(params):
        weights = to_variables(params, rivals.generator.frozen)
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


def _single(tree):
    """Restores float32, the dtype of a run."""
    floats = jax.tree.map(lambda x: x.dtype == np.float64, tree)
    return jax.tree.map(lambda x, f: np.float32(x) if f else x, tree, floats)


def _params(state):
    return [
        s.params
        for s in (state if isinstance(state, train_state.GANState) else (state,))
    ]


def _gap(one, other):
    """The largest difference of any array, relative to the array's largest value."""

    def gap(x, y):
        x, y = np.asarray(x), np.asarray(y)
        return np.abs(x - y).max() / (np.abs(x).max() or 1)

    return max(jax.tree.leaves(jax.tree.map(gap, one, other)))


def _jit_on_shares(devices):
    return data_parallel.jit_strategy(devices, shares=True)


def _learned(setup, strategy, count, *, steps=20, **way):
    """Parameters after some steps on one batch on `count` devices."""
    devices = jax.devices()[:count]
    strategy = strategy(devices)
    step, state, batch = setup(axis_name=strategy.axis_name, **way)
    if not jax.config.jax_enable_x64:
        state, batch = _single(state), _single(batch)
    step = _wrapped(strategy, step, batch)
    state = strategy.place_state(state)
    for _ in range(steps):
        state, metrics = step(state)
    assert len(metrics["loss"].sharding.device_set) == count
    return jax.device_get(_params(state))


@functools.cache
def _learned_on_one(setup, strategy, **way):
    """The same for one device, of each setup once."""
    return _learned(setup, strategy, 1, **way)


COUNTS = [
    8,
    pytest.param(2, marks=pytest.mark.long),
    *(pytest.param(n, marks=pytest.mark.nightly) for n in (1, 4)),
]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("setup", "double"),
    [
        pytest.param(_adversarial_setup, True, marks=pytest.mark.long),
        (_classifier_setup, False),
    ],
)
@pytest.mark.quick_compile(False)
def test_twenty_steps_agree_on_any_number_of_devices(setup, double, count):
    """Compares jit and pmap with jit on one device, with dropout.

    Two players and Adam let the adversary's roundings of float32 grow to 3e-4 on eight
    devices: it is in float64 here, and in units below.
    """
    with jax.enable_x64(double):
        one = _learned_on_one(setup, data_parallel.jit_strategy)
        for strategy in (data_parallel.jit_strategy, data_parallel.pmap_strategy):
            assert _gap(one, _learned(setup, strategy, count)) < 1e-5


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    "setup",
    [
        _adversarial_setup,
        pytest.param(_density_setup, marks=pytest.mark.long),
        pytest.param(_classifier_setup, marks=pytest.mark.long),
    ],
)
@pytest.mark.quick_compile(False)
def test_with_microbatches_twenty_steps_are_equal_to_the_last_bit(setup, count):
    """Compares jit and pmap with jit on one device, in float32."""
    with jax.enable_x64(False):
        one = _learned_on_one(setup, _jit_on_shares, microbatch=1)
        for strategy in (_jit_on_shares, data_parallel.pmap_strategy):
            other = _learned(setup, strategy, count, microbatch=1)
            jax.tree.map(np.testing.assert_array_equal, one, other)


@pytest.mark.parametrize(
    "setup",
    [
        _density_setup,
        pytest.param(_adversarial_setup, marks=pytest.mark.long),
        pytest.param(_classifier_setup, marks=pytest.mark.long),
    ],
)
def test_a_step_with_microbatches_is_that_of_the_whole_batch(setup):
    step, state, batch = setup()
    expected = _params(jax.jit(step)(state, batch)[0])
    found = _learned(setup, _jit_on_shares, 2, steps=1, microbatch=2)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11)
    jax.tree.map(close, found, expected)


@pytest.mark.long
@pytest.mark.parametrize("setup", SETUPS)
def test_accumulation_does_not_change_a_step(setup):
    """Four parts on one device by jit, two on two by pmap and on four by jit."""
    step, state, batch = setup()
    expected = jax.jit(step)(state, batch)
    for strategy, count, parts in [
        (data_parallel.jit_strategy, 1, 4),
        (data_parallel.pmap_strategy, 2, 2),
        (data_parallel.jit_strategy, 4, 2),
    ]:
        strategy = strategy(jax.devices()[:count])
        step, _, _ = setup(axis_name=strategy.axis_name, accum_steps=parts)
        start = strategy.place_state(jax.tree.map(jnp.copy, state))
        after, metrics = _wrapped(strategy, step, batch)(start)
        found = after, jax.tree.map(lambda x: x[0], metrics)
        close = functools.partial(np.testing.assert_allclose, rtol=1e-9, atol=1e-11)
        jax.tree.map(close, found, expected)


def test_accumulation_reduces_the_memory_of_a_step():
    def memory(parts):
        step, state, batch = _density_setup(accum_steps=parts)
        program = jax.jit(step).lower(state, batch).compile()
        return program.memory_analysis().temp_size_in_bytes

    assert memory(4) < memory(1) / 2


def test_the_adversarial_step_computes_the_prediction_once():
    """FLOPs of the compiled program: one density step and the discriminator."""

    def work(step, *args):
        return jax.jit(step).lower(*args).compile().cost_analysis()["flops"]

    model, flat, judge, _ = _networks()
    duel, rivals, batch = _adversarial_setup()
    tx = optax.adam(1e-3)
    maps = work(train_step.density_step(model, tx), rivals.generator, batch)
    alone = work(
        lambda weights, x: judge.apply(to_variables(weights), x),
        rivals.discriminator.params,
        batch["density"],
    )
    estimate = maps / 3
    assert work(duel, rivals, batch) < maps + 8.5 * alone + estimate / 2


# --- bfloat16


@pytest.mark.parametrize("setup", SETUPS)
def test_bfloat16_is_used_in_all_products_and_in_no_state(setup):
    with jax.enable_x64(False):
        step, state, batch = setup(dtype=jnp.bfloat16)
        jaxpr = jax.make_jaxpr(step)(_single(state), _single(batch))
        kept = {str(aval.dtype) for aval in jaxpr.out_avals}
    assert set(jaxpr_products.products(jaxpr.jaxpr)) == {("bfloat16", "bfloat16")}
    assert kept == {"float32", "int32"}


@pytest.mark.parametrize(
    ("setup", "bound"),
    [
        (_density_setup, 0.2),
        pytest.param(_adversarial_setup, 0.5, marks=pytest.mark.long),
        pytest.param(_classifier_setup, 0.4, marks=pytest.mark.long),
    ],
)
def test_bfloat16_gradients_equal_float32_up_to_rounding(setup, bound):
    """Includes biases, whose sums over all pixels are in float32. Half was measured of
    the maps' when they were not. Adam's first moment is a tenth of the first gradient.
    """

    def gradients(dtype):
        step, state, batch = setup(dtype=dtype)
        after, _ = jax.jit(step)(_single(state), _single(batch))
        first = after.generator if isinstance(after, train_state.GANState) else after
        return first.opt_state[0].mu

    with jax.enable_x64(False):
        exact, found = gradients(None), gradients(jnp.bfloat16)
        assert 1e-4 < _gap(exact, found) < bound


def test_bfloat16_sums_gradients_of_biases_and_slopes_in_float32():
    """Uses the discriminator on an empty map, whose outputs differ only at borders."""
    _, _, judge, flat = _networks()

    def gradients(dtype):
        @jax.jit
        @jax.grad
        def gradient(params):
            weights = to_variables(mixed_precision.cast_floats(params, dtype))
            image = mixed_precision.cast_floats(
                jnp.ones((1, 256, 256, 1), jnp.float32), dtype
            )
            with nn.intercept_methods(mixed_precision.biases_apart):
                return jnp.mean(mixed_precision.to_float32(judge.apply(weights, image)))

        return gradient(_single(flat))

    with jax.enable_x64(False):
        exact, found = gradients(None), gradients(jnp.bfloat16)
    vectors = [name for name, value in flat.items() if value.ndim == 1]
    gap = {name: _gap(exact[name], found[name]) for name in vectors}
    assert max(gap.values()) < 0.05, gap


def test_indivisible_batches_are_refused_with_both_numbers():
    text = r"--config.density.batch_size=6 cannot be split over 4 devices"
    with pytest.raises(ValueError, match=text):
        data_parallel.check_batch(6, 4, name="density")
    data_parallel.check_batch(8, 4, name="density")
    text += " in 3 parts each: choose a multiple of 12"
    with pytest.raises(ValueError, match=text.replace("=6", "=8")):
        data_parallel.check_batch(8, 4, name="density", parts=3)
    with pytest.raises(
        ValueError, match="4 devices in microbatches of 3: choose a multiple"
    ):
        data_parallel.check_batch(8, 4, name="density", microbatch=3)
    data_parallel.check_batch(24, 4, name="density", parts=3)
