"""The training step of all parts of a network together, a pure function."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from cpcnn_jax.config import JointStage
from cpcnn_jax.models.custom_network import CustomNetwork
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.models.shared_backbone import SharedBackbone
from cpcnn_jax.training import cell_losses, gradient_accumulation, losses
from cpcnn_jax.training.custom_loss import Loss, find_loss
from cpcnn_jax.training.mixed_precision import cast_floats, to_float32
from cpcnn_jax.training.train_step import Step, StepOptions, update_state


def joint_loss(
    model: SharedBackbone | CustomNetwork,
    settings: JointStage,
    density: jax.Array,
    logits: Mapping[str, jax.Array],
    batch: Mapping[str, Any],
    custom: Loss | None = None,
) -> jax.Array:
    """Computes the loss of all parts: density, people in cells, density classes.

    Args:
      model: the network.
      settings: the weights of the parts.
      density: `[B, H, W, 1]` people per pixel, predicted.
      logits: of `SharedBackbone.classify`; empty for other networks.
      batch: {"density": `[B, H, W, 1]`, "labels": as `logits`, int32 classes}.
      custom: replaces the losses of density and people in cells.

    Returns:
      `[B]`.
    """
    density_loss = custom or _density_loss(model, settings)
    total = density_loss(density, batch["density"])
    for name, values in logits.items():
        labels = batch["labels"][name]
        cross_entropy = optax.softmax_cross_entropy_with_integer_labels(values, labels)
        total += settings.class_loss_weight * jnp.mean(cross_entropy, axis=(1, 2))
    return total


def _density_loss(model, settings):
    """Makes the loss of density and people in cells."""
    scale = model.density_scale

    def loss(density, target):
        total = losses.euclidean_loss(scale * density, scale * target)
        for side, weight in settings.cell_losses:
            total += weight * cell_losses.cell_loss(
                density, target, side, overdispersion=settings.overdispersion
            )
        return total

    return loss


def joint_step(
    model: SharedBackbone | CustomNetwork,
    tx: optax.GradientTransformation,
    settings: JointStage,
    options: StepOptions,
) -> Step:
    """Makes the step of the joint stage.

    Args:
      model: the network.
      tx: the optimizer.
      settings: the stage's settings.
      options: how the step is computed.

    Returns:
      step(State, {"image": `[B, H, W, 3]`, "density": `[B, H, W, 1]`, "labels": of
      `joint_loss`}) -> (State, metrics). The metric crop_bias is the mean signed error
      of the crops' counts, people.

    Raises:
      ValueError: the settings name a loss that cannot be used.
    """
    custom = find_loss(settings.loss, stage="joint")

    def loss(params, frozen, batch):
        variables = to_variables(*cast_floats((params, frozen), options.dtype))
        image = cast_floats(batch["image"], options.dtype)
        density, aux = model.apply(variables, image)
        density = to_float32(density)
        logits = {name: to_float32(aux[name]) for name in batch["labels"]}
        people = jnp.sum(density - batch["density"], axis=(1, 2, 3))
        metrics = {
            "crop_mae": jnp.mean(jnp.abs(people)),
            "crop_bias": jnp.mean(people),
        }
        total = joint_loss(model, settings, density, logits, batch, custom)
        return jnp.mean(total), metrics

    def step(state, batch):
        (value, metrics), grads = gradient_accumulation.accumulated_gradients(
            lambda params, part: loss(params, state.frozen, part),
            state.params,
            batch,
            accum_steps=options.accum_steps,
            microbatch=options.microbatch,
            axis_name=options.axis_name,
        )
        return update_state(state, grads, tx), {"loss": value, **metrics}

    return step
