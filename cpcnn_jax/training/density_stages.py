"""The stages of DME and F-CNN, with GCE and LCE frozen.

The first stage has the Euclidean loss, the second one the discriminator.

Reference: Sindagi & Patel, ICCV 2017, sections 3.4 and 4.
"""

from typing import Any

import jax
import optax

from cpcnn_jax import config
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.models import flops
from cpcnn_jax.models.crop_context import crop_context_map
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.models.valid_area import valid_area
from cpcnn_jax.training import ema, optimizer, train_state, train_step
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.custom_loss import find_loss
from cpcnn_jax.training.init import params as init_params


def density_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the stage with the Euclidean loss.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    settings = context.config.density
    tx = ema.with_ema(optimizer.make_adam(settings), settings.ema_decay)
    step = train_step.density_step(
        context.model,
        tx,
        custom=find_loss(settings.loss, stage="density"),
        options=stage_lib.step_options(context, settings),
    )
    return stage_lib.Stage(
        name="density",
        steps=settings.steps,
        state=train_state.new_state(params, tx, trains=_is_trained),
        step=step,
        result=lambda state: {**ema.ema_params(state), **state.frozen},
        **_example_fields(context, params, settings),
    )


def adversarial_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the stage against the discriminator.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    settings = context.config.adversary
    discriminator = Discriminator(settings.discriminator_width_multiplier)
    tx = optimizer.make_adam(settings)
    discriminator_tx = optax.adam(
        settings.discriminator_learning_rate, b1=settings.discriminator_beta1
    )
    discriminator_params = init_params.random_params(
        discriminator, context.config.seed, "discriminator", channels=1
    )
    state = train_state.GANState(
        train_state.new_state(params, tx, trains=_is_trained),
        train_state.new_state(
            discriminator_params, discriminator_tx, trains=lambda name: True
        ),
    )
    step = train_step.adversarial_step(
        context.model,
        tx,
        discriminator,
        discriminator_tx,
        weight=settings.weight,
        options=stage_lib.step_options(context, settings),
    )
    return stage_lib.Stage(
        name="adversary",
        steps=settings.steps,
        state=state,
        step=step,
        result=lambda state: stage_lib.all_params(state.generator),
        **_example_fields(context, params, settings),
    )


def density_batch(
    context: stage_lib.StageContext, data: Any, pairs: jax.Array
) -> dict[str, jax.Array]:
    """Makes a batch of crops with target density maps and context maps.

    Args:
      context: the stages' common record.
      data: (image bank, scores of `crop_scores.make_crop_scorer`).
      pairs: int32 `[B, 2]`, place and window of each example.

    Returns:
      A batch of `train_step.density_step`.
    """
    (bank, scores), images = data, context.images
    crops = images.crop_batch(bank, pairs)
    of_crops = {name: values[tuple(pairs.T)] for name, values in scores.items()}
    stride = context.config.model.lce_stride
    spread = jax.vmap(crop_context_map, (0, 0, None, None))
    size = crops["size"]
    batch = {
        "image": crops["image"],
        "density": images.density_batch(bank, pairs),
        "context": spread(of_crops, size, images.canvas, stride),
    }
    if images.one_size:
        return batch
    return batch | {"valid": valid_area(size, images.canvas)}


def _example_fields(
    context: stage_lib.StageContext, params: dict, settings: config.Stage
) -> dict[str, Any]:
    """Fields of a stage of crops, with the scores of the frozen networks."""
    windows = crops_lib.crops_per_image(context.config.crops)
    order = stage_lib.example_order(context, settings, windows)
    assert context.crop_scores is not None
    scores = context.crop_scores(params, lambda: order.used_examples(settings.steps))

    def load(group, cancelled=lambda: False):
        return context.images.load(group, cancelled), scores[group]

    def batch(data, pairs):
        return density_batch(context, data, pairs)

    return {"batch": batch, "data": load, "order": order}


def example_flops(context: stage_lib.StageContext, name: str) -> int:
    """Counts the model FLOPs of a step for one crop of "density" or "adversary"."""
    height, width = context.images.canvas
    layers = flops.layer_flops(context.model, (1, height, width, 3))
    trained = {layer: work for layer, work in layers.items() if _is_trained(layer)}
    generator = flops.training_flops(trained, _is_trained)
    if name == "density":
        return generator
    factor = context.config.adversary.discriminator_width_multiplier
    layers = flops.layer_flops(Discriminator(factor), (1, height, width, 1))
    forward = sum(layers.values())
    # Its own step on true and predicted maps, then the generator's through it.
    return generator + 2 * 3 * forward + 2 * forward


def _is_trained(name):
    return name.startswith(("dme/", "fcnn/"))
