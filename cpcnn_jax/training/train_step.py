"""The equations of training: pure functions (state, batch) -> (state, metrics).

A factory closes over what is static (the network, the optimizer, numbers). The step
that it returns takes arrays only, so that `data_parallel` can place it on any devices.
Parameters are flat dicts "gce/vgg16/conv1_1/kernel" -> array, divided into those that a
stage trains and those that are frozen.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.models.valid_area import halve
from cpcnn_jax.training import gradient_accumulation, losses
from cpcnn_jax.training.custom_loss import Loss
from cpcnn_jax.training.mixed_precision import cast_floats, to_float32
from cpcnn_jax.training.train_state import GANState, State

Batch = Mapping[str, Any]
Step = Callable[[Any, Batch], tuple[Any, dict[str, jax.Array]]]


class StepOptions(NamedTuple):
    """Choices that change how a step is computed, and not its equation."""

    axis_name: str | None = None  # device axis over which the batch is split
    dtype: Any = None  # of the networks' computation; None: the parameters' own
    accum_steps: int = 1  # parts of a device's share, computed one after the other
    microbatch: int = 0  # examples, in place of accum_steps; 0: none


DEFAULT = StepOptions()


def example_keys(
    key: jax.Array, step: jax.Array, count: int, axis_name: str | None
) -> jax.Array:
    """Derives a key per example from the step and its place in the whole batch.

    Args:
      key: key of the stage.
      step: int32 scalar.
      count: examples on this device.
      axis_name: device axis over which the batch is split, or None.

    Returns:
      `[count]` keys, equal for any number of devices.
    """
    first = 0 if axis_name is None else jax.lax.axis_index(axis_name) * count
    places = first + jnp.arange(count)
    step_key = jax.random.fold_in(key, step)
    return jax.vmap(jax.random.fold_in, (None, 0))(step_key, places)


def classification_step(
    network: nn.Module,
    tx: optax.GradientTransformation,
    *,
    scope: str,
    class_weights: jax.Array,
    key: jax.Array,
    options: StepOptions = DEFAULT,
) -> Step:
    """Makes the step of the GCE's and LCE's stages: the cross-entropy of a class.

    Args:
      network: GlobalContextEstimator or LocalContextEstimator.
      tx: the optimizer.
      scope: prefix of the network's parameters, "gce/" or "lce/".
      class_weights: `[K]`, the loss's weight of each density class.
      key: key of the dropout.
      options: how the step is computed.

    Returns:
      step(State, {"image": `[B, H, W, 3]`, "label": int32 `[B]`}) -> (State,
      metrics).
    """

    def loss(trained, frozen, batch):
        params = cast_floats((trained, frozen), options.dtype)
        image = cast_floats(batch["image"], options.dtype)
        variables = to_variables(*params, scope=scope)
        logits = network.apply(variables, image, dropout_keys=batch["key"])
        logits = to_float32(logits)
        correct = jnp.argmax(logits, axis=-1) == batch["label"]
        per_example = losses.classification_loss(logits, batch["label"], class_weights)
        return jnp.mean(per_example), {"accuracy": jnp.mean(correct)}

    def step(state, batch):
        count = len(batch["label"])
        keys = example_keys(key, state.step, count, options.axis_name)
        (value, metrics), grads = _gradients(
            lambda trained, part: loss(trained, state.frozen, part),
            state.params,
            {**batch, "key": keys},
            options,
        )
        return update_state(state, grads, tx), {"loss": value, **metrics}

    return step


def density_step(
    model: CPCNN,
    tx: optax.GradientTransformation,
    *,
    custom: Loss | None = None,
    options: StepOptions = DEFAULT,
) -> Step:
    """Makes the step of the density stage: L_E of DME's and F-CNN's density map.

    Args:
      model: the networks.
      tx: the optimizer.
      custom: replaces L_E; of `custom_loss.find_loss`.
      options: how the step is computed.

    Returns:
      step(State, {"image": `[B, H, W, 3]`, "density": `[B, H, W, 1]`, "context": of
      `CPCNN.context`, "valid": mask of `valid_area`, if crops are smaller than the
      canvas}) -> (State, metrics).
    """

    def loss(params, batch):
        density = _predict(model, params, batch, options.dtype)
        scale = model.density_scale
        predicted, true = scale * density, scale * batch["density"]
        per_example = losses.euclidean_loss(predicted, true, batch.get("valid"))
        if custom:
            per_example = custom(density * batch.get("valid", 1), batch["density"])
        return jnp.mean(per_example), {"crop_mae": _crop_mae(density, batch)}

    def step(state, batch):
        (value, metrics), grads = _gradients(loss, state.params, batch, options)
        return update_state(state, grads, tx), {"loss": value, **metrics}

    return step


def adversarial_step(
    model: CPCNN,
    tx: optax.GradientTransformation,
    discriminator: Discriminator,
    discriminator_tx: optax.GradientTransformation,
    *,
    weight: float,
    options: StepOptions = DEFAULT,
) -> Step:
    """Makes the step of the adversarial stage: the discriminator's, then L_T's.

    Both parts need the same prediction, which the compiler computes once.

    Args:
      model: the generator.
      tx: the generator's optimizer.
      discriminator: the discriminator.
      discriminator_tx: the discriminator's optimizer.
      weight: lambda_a.
      options: how the step is computed.

    Returns:
      step(GANState, batch of `density_step`) -> (GANState, metrics).

    Reference: Sindagi & Patel, ICCV 2017, section 3.4; one step each as in ID-CGAN.
    """
    scale, dtype = model.density_scale, options.dtype

    def logits(params, density, batch):
        variables = to_variables(cast_floats(params, dtype))
        density = cast_floats(density, dtype)
        return to_float32(discriminator.apply(variables, density, batch.get("valid")))

    def discriminator_loss(params, generator_params, batch):
        fake = scale * _predict(model, generator_params, batch, dtype)
        real_logits = logits(params, scale * batch["density"], batch)
        fake_logits = logits(params, fake, batch)
        per_example = losses.discriminator_loss(
            real_logits, fake_logits, _valid_logits(batch)
        )
        return jnp.mean(per_example), {}

    def generator_loss(params, discriminator_params, batch):
        density = _predict(model, params, batch, dtype)
        fake_logits = logits(discriminator_params, scale * density, batch)
        per_example = losses.euclidean_loss(
            scale * density, scale * batch["density"], batch.get("valid")
        )
        euclidean = jnp.mean(per_example)
        per_example = losses.adversarial_loss(fake_logits, _valid_logits(batch))
        adversarial = jnp.mean(per_example)
        total = losses.total_loss(euclidean, adversarial, weight=weight)
        metrics = {"euclidean": euclidean, "adversarial": adversarial}
        return total, metrics | {"crop_mae": _crop_mae(density, batch)}

    def step(state, batch):
        generator, critic = state
        (critic_loss, _), grads = _gradients(
            lambda params, part: discriminator_loss(params, generator.params, part),
            critic.params,
            batch,
            options,
        )
        critic = update_state(critic, grads, discriminator_tx)
        (total, metrics), grads = _gradients(
            lambda params, part: generator_loss(params, critic.params, part),
            generator.params,
            batch,
            options,
        )
        metrics = {"loss": total, **metrics, "discriminator": critic_loss}
        return GANState(update_state(generator, grads, tx), critic), metrics

    return step


def _gradients(loss, params, batch, options):
    return gradient_accumulation.accumulated_gradients(
        loss,
        params,
        batch,
        accum_steps=options.accum_steps,
        microbatch=options.microbatch,
        axis_name=options.axis_name,
    )


def update_state(state: State, grads: Any, tx: optax.GradientTransformation) -> State:
    """Takes one step of an optimizer."""
    updates, opt_state = tx.update(grads, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state)


def _predict(model, params, batch, dtype):
    """Density of a batch, with the context of the frozen networks."""
    variables = to_variables(cast_floats(params, dtype))
    image, context = cast_floats((batch["image"], batch["context"]), dtype)
    valid = batch.get("valid")
    density, _ = model.apply(variables, image, context=context, valid=valid)
    return to_float32(density)


def _valid_logits(batch):
    """Mask of the discriminator's logits, each of 8x8 pixels."""
    return halve(halve(halve(batch.get("valid"))))


def _crop_mae(density, batch):
    """Mean absolute error of the crops' counts, people."""
    people = jnp.sum(density - batch["density"], axis=(1, 2, 3))
    return jnp.mean(jnp.abs(people))
