"""The equations of training: pure functions (state, batch) -> (state, metrics).

A factory closes over what is static (the network, the optimiser, numbers); the step it
returns takes arrays only, so that `parallel` can place it on any devices. `axis_name`
is the axis over which a step's batch is split, if it is split by hand (pmap).

Weights are flat dicts "gce/vgg16/conv1_1/kernel" -> array throughout, divided into
those that a stage trains and those that it leaves alone.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import unflatten_dict

from cpcnn_jax import losses


class State(NamedTuple):
    """What a stage carries from step to step, and what a checkpoint holds."""

    step: jax.Array  # int32, steps done
    params: dict  # flat; being trained
    frozen: dict  # flat; as earlier stages left them
    opt_state: optax.OptState


class Rivals(NamedTuple):
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


def variables(*weights, scope=""):
    """Flat dicts as the variables that a Flax module of that scope takes."""
    flat = {name: value for part in weights for name, value in part.items()}
    inner = {
        name.removeprefix(scope): value
        for name, value in flat.items()
        if name.startswith(scope)
    }
    return {"params": unflatten_dict(inner, sep="/")}


def example_keys(key, step, count, axis_name):
    """A key for each example, from its place in the whole batch and the step alone."""
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * count
    places = first + jnp.arange(count)
    return jax.vmap(jax.random.fold_in, (None, 0))(
        jax.random.fold_in(key, step), places
    )


def _mean(tree, axis_name):
    return tree if axis_name is None else jax.lax.pmean(tree, axis_name)


def _update(state, grads, tx):
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state)


def classification_step(network, tx, *, scope, class_weights, key, axis_name=None):
    """A step of the stages "GCE" and "LCE": learn the density class of an image.

    Args:
      network: GlobalContextEstimator or LocalContextEstimator.
      tx: the optimiser.
      scope: the prefix of the network's weights, "gce/" or "lce/".
      class_weights: `[K]`, the loss's weight of each class.
      key: of the dropout.
      axis_name: see above.

    Returns:
      step(state, {"image": `[B, H, W, 3]`, "label": int32 `[B]`}) -> (state, metrics).
    """

    def loss(params, state, batch):
        keys = example_keys(key, state.step, len(batch["label"]), axis_name)
        weights = variables(params, state.frozen, scope=scope)
        logits = network.apply(weights, batch["image"], dropout_keys=keys)
        right = jnp.argmax(logits, axis=-1) == batch["label"]
        per_example = losses.classification_loss(logits, batch["label"], class_weights)
        return jnp.mean(per_example), {"accuracy": jnp.mean(right)}

    def step(state, batch):
        (value, metrics), grads = jax.value_and_grad(loss, has_aux=True)(
            state.params, state, batch
        )
        grads, metrics = _mean((grads, {"loss": value, **metrics}), axis_name)
        return _update(state, grads, tx), metrics

    return step


def _estimate(model, params, batch):
    """The joint stage's forward pass, with what the frozen networks had said."""
    weights = variables(params)
    context = model.apply(weights, batch["scores"], batch["image"], method="spread")
    density, _ = model.apply(weights, batch["image"], context=context)
    return density


def _crop_error(density, batch):
    """Mean absolute error of the crops' counts, in people."""
    people = jnp.sum(density - batch["density"], axis=(1, 2, 3))
    return jnp.mean(jnp.abs(people))


def density_step(model, tx, *, axis_name=None):
    """A step of the joint stage with L_E: DME and F-CNN learn the density map.

    Args:
      model: CPCNN.
      tx: the optimiser.
      axis_name: see above.

    Returns:
      step(state, {"image": `[B, H, W, 3]`, "density": `[B, H, W, 1]`, "scores": of
      `CPCNN.scores`}) -> (state, metrics).
    """

    def loss(params, batch):
        density = _estimate(model, params, batch)
        scale = model.density_scale
        per_example = losses.euclidean_loss(scale * density, scale * batch["density"])
        return jnp.mean(per_example), {"crop_mae": _crop_error(density, batch)}

    def step(state, batch):
        (value, metrics), grads = jax.value_and_grad(loss, has_aux=True)(
            state.params, batch
        )
        grads, metrics = _mean((grads, {"loss": value, **metrics}), axis_name)
        return _update(state, grads, tx), metrics

    return step


def adversarial_step(model, tx, judge, judge_tx, *, weight, axis_name=None):
    """A step of the joint stage with L_T: first the discriminator, then DME and F-CNN.

    The estimate is computed once: the discriminator learns from it, and then its
    judgement is pulled back through the networks that made it.

    Args:
      model: CPCNN, the generator.
      tx: the generator's optimiser.
      judge: Discriminator.
      judge_tx: its optimiser.
      weight: lambda_a.
      axis_name: see above.

    Returns:
      step(Rivals, batch as in `density_step`) -> (Rivals, metrics).

    Reference: Sindagi & Patel, ICCV 2017, section 3.4; one step each as in ID-CGAN.
    """
    scale = model.density_scale

    def judge_loss(params, real, fake):
        weights = variables(params)
        real_logits, fake_logits = (judge.apply(weights, x) for x in (real, fake))
        return jnp.mean(losses.discriminator_loss(real_logits, fake_logits))

    def generator_loss(fake, real, judge_params):
        fake_logits = judge.apply(variables(judge_params), fake)
        euclidean = jnp.mean(losses.euclidean_loss(fake, real))
        adversarial = jnp.mean(losses.adversarial_loss(fake_logits))
        total = losses.total_loss(euclidean, adversarial, weight=weight)
        return total, {"euclidean": euclidean, "adversarial": adversarial}

    def step(rivals, batch):
        generator, discriminator = rivals
        real = scale * batch["density"]
        fake, pull_back = jax.vjp(
            lambda params: scale * _estimate(model, params, batch), generator.params
        )
        judged, judge_grads = jax.value_and_grad(judge_loss)(
            discriminator.params, real, fake
        )
        discriminator = _update(discriminator, _mean(judge_grads, axis_name), judge_tx)
        (total, parts), fake_grads = jax.value_and_grad(generator_loss, has_aux=True)(
            fake, real, discriminator.params
        )
        (grads,) = pull_back(fake_grads)
        generator = _update(generator, _mean(grads, axis_name), tx)
        metrics = {"loss": total, **parts, "discriminator": judged}
        metrics["crop_mae"] = _crop_error(fake / scale, batch)
        return Rivals(generator, discriminator), _mean(metrics, axis_name)

    return step
