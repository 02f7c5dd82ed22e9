"""The equations of training: pure functions (state, batch) -> (state, metrics).

A factory closes over what is static (the network, the optimiser, numbers); the step it
returns takes arrays only, so that `parallel` can place it on any devices. `axis_name`
is the axis over which a step's batch is split, if each device runs it on its share. A
device may compute its share in `parts`, one after the other: the step is the same, in
less memory. Or in units of `unit` examples, whose gradients are added in one order: the
step is then the same to the last bit on any number of devices. Networks compute in
`dtype`, where it is given; their weights, the losses, the sums over parts and the
optimisers keep the weights' own.

Weights are flat dicts "gce/vgg16/conv1_1/kernel" -> array throughout, divided into
those that a stage trains and those that it leaves alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training import gradient_accumulation, losses, mixed_precision


class State(NamedTuple):
    """What a stage carries from step to step, and what a checkpoint holds."""

    step: jax.Array  # int32, steps done
    params: dict  # flat; being trained
    frozen: dict  # flat; as earlier stages left them
    opt_state: optax.OptState


class GANState(NamedTuple):
    """The state of the adversarial stage."""

    generator: State
    discriminator: State


def new_state(weights, tx, *, trains):
    """The state at step 0.

    Args:
      weights: flat dict of arrays.
      tx: the optimiser.
      trains: name -> bool, whether the weight of that name is trained.

    Returns:
      A `State`.
    """
    params = {name: value for name, value in weights.items() if trains(name)}
    frozen = {name: value for name, value in weights.items() if not trains(name)}
    return State(jnp.zeros((), jnp.int32), params, frozen, tx.init(params))


def example_keys(key, step, count, axis_name):
    """A key for each example, from its place in the whole batch and the step alone."""
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * count
    places = first + jnp.arange(count)
    return jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(key, step), places
    )


def _update(state, grads, tx):
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state)


def classification_step(
    network,
    tx,
    *,
    scope,
    class_weights,
    key,
    axis_name=None,
    dtype=None,
    parts=1,
    unit=0,
):
    """A step of the stages "GCE" and "LCE": learn the density class of an image.

    Args:
      network: GlobalContextEstimator or LocalContextEstimator.
      tx: the optimiser.
      scope: the prefix of the network's weights, "gce/" or "lce/".
      class_weights: `[K]`, the loss's weight of each class.
      key: of the dropout.
      axis_name: see above.
      dtype: see above.
      parts: see above.
      unit: see above.

    Returns:
      step(state, {"image": `[B, H, W, 3]`, "label": int32 `[B]`, or of
        each window `[B, n, m]`}) -> (state, metrics).
    """

    def loss(params, frozen, batch):
        weights = to_variables(
            *mixed_precision.cast_floats((params, frozen), dtype), scope=scope
        )
        image = mixed_precision.cast_floats(batch["image"], dtype)
        logits = mixed_precision.to_float32(
            network.apply(weights, image, dropout_keys=batch["key"])
        )
        right = jnp.argmax(logits, axis=-1) == batch["label"]
        per_example = losses.classification_loss(logits, batch["label"], class_weights)
        return jnp.mean(per_example), {"accuracy": jnp.mean(right)}

    def step(state, batch):
        keys = example_keys(key, state.step, len(batch["label"]), axis_name)
        (value, metrics), grads = gradient_accumulation.accumulated_gradients(
            lambda params, part: loss(params, state.frozen, part),
            state.params,
            {**batch, "key": keys},
            parts=parts,
            unit=unit,
            axis_name=axis_name,
        )
        return _update(state, grads, tx), {"loss": value, **metrics}

    return step


def _estimate(model, params, batch, dtype):
    """The joint stage's forward pass, with what the frozen networks had said."""
    weights = to_variables(mixed_precision.cast_floats(params, dtype))
    image = mixed_precision.cast_floats(batch["image"], dtype)
    context = model.apply(weights, batch["scores"], image, method="spread")
    density, _ = model.apply(
        weights, image, context=mixed_precision.cast_floats(context, dtype)
    )
    return mixed_precision.to_float32(density)


def _crop_error(density, batch):
    """Mean absolute error of the crops' counts, in people."""
    people = jnp.sum(density - batch["density"], axis=(1, 2, 3))
    return jnp.mean(jnp.abs(people))


def density_step(model, tx, *, cells=(), axis_name=None, dtype=None, parts=1, unit=0):
    """A step of the joint stage with L_E: DME and F-CNN learn the density map.

    Args:
      model: CPCNN.
      tx: the optimiser.
      cells: sides in pixels of the cells over which `losses.multiscale_loss` is added.
      axis_name: see above.
      dtype: see above.
      parts: see above.
      unit: see above.

    Returns:
      step(state, {"image": `[B, H, W, 3]`, "density": `[B, H, W, 1]`, "scores": of
      `CPCNN.scores`}) -> (state, metrics).
    """

    def loss(params, batch):
        density = _estimate(model, params, batch, dtype)
        maps = [model.density_scale * x for x in (density, batch["density"])]
        per_example = losses.euclidean_loss(*maps)
        per_example += sum(losses.multiscale_loss(*maps, side) for side in cells)
        return jnp.mean(per_example), {"crop_mae": _crop_error(density, batch)}

    def step(state, batch):
        (value, metrics), grads = gradient_accumulation.accumulated_gradients(
            loss, state.params, batch, parts=parts, unit=unit, axis_name=axis_name
        )
        return _update(state, grads, tx), {"loss": value, **metrics}

    return step


def adversarial_step(
    model, tx, judge, judge_tx, *, weight, axis_name=None, dtype=None, parts=1, unit=0
):
    """A step of the joint stage with L_T: first the discriminator, then DME and F-CNN.

    Both ask for the same estimate; in one part the compiler computes it once.

    Args:
      model: CPCNN, the generator.
      tx: the generator's optimiser.
      judge: Discriminator.
      judge_tx: its optimiser.
      weight: lambda_a.
      axis_name: see above.
      dtype: see above.
      parts: see above.
      unit: see above.

    Returns:
      step(Rivals, batch as in `density_step`) -> (Rivals, metrics).

    Reference: Sindagi & Patel, ICCV 2017, section 3.4; one step each as in ID-CGAN.
    """
    scale = model.density_scale

    def judgement(params, density):
        weights = to_variables(mixed_precision.cast_floats(params, dtype))
        return mixed_precision.to_float32(
            judge.apply(weights, mixed_precision.cast_floats(density, dtype))
        )

    def judge_loss(params, generator_params, batch):
        fake = scale * _estimate(model, generator_params, batch, dtype)
        real_logits = judgement(params, scale * batch["density"])
        fake_logits = judgement(params, fake)
        return jnp.mean(losses.discriminator_loss(real_logits, fake_logits)), {}

    def generator_loss(params, judge_params, batch):
        density = _estimate(model, params, batch, dtype)
        fake_logits = judgement(judge_params, scale * density)
        per_example = losses.euclidean_loss(scale * density, scale * batch["density"])
        euclidean = jnp.mean(per_example)
        adversarial = jnp.mean(losses.adversarial_loss(fake_logits))
        total = losses.total_loss(euclidean, adversarial, weight=weight)
        metrics = {"euclidean": euclidean, "adversarial": adversarial}
        return total, metrics | {"crop_mae": _crop_error(density, batch)}

    def step(rivals, batch):
        generator, discriminator = rivals
        (judged, _), grads = gradient_accumulation.accumulated_gradients(
            lambda params, part: judge_loss(params, generator.params, part),
            discriminator.params,
            batch,
            parts=parts,
            unit=unit,
            axis_name=axis_name,
        )
        discriminator = _update(discriminator, grads, judge_tx)
        (total, metrics), grads = gradient_accumulation.accumulated_gradients(
            lambda params, part: generator_loss(params, discriminator.params, part),
            generator.params,
            batch,
            parts=parts,
            unit=unit,
            axis_name=axis_name,
        )
        generator = _update(generator, grads, tx)
        metrics = {"loss": total, **metrics, "discriminator": judged}
        return GANState(generator, discriminator), metrics

    return step
