"""The stages of DME and F-CNN, with GCE and LCE frozen.

The first stage has the Euclidean loss, the second one the discriminator.

Reference: Sindagi & Patel, ICCV 2017, sections 3.4 and 4.
"""

import functools
from collections.abc import Callable, Iterator

import jax
import numpy as np
import optax

from cpcnn_jax.data import input_pipeline
from cpcnn_jax.models import flops
from cpcnn_jax.models.discriminator import Discriminator
from cpcnn_jax.training import ema, optimizer, train_state, train_step
from cpcnn_jax.training import stage as stage_lib
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
        options=stage_lib.step_options(context, settings),
    )
    return stage_lib.Stage(
        name="density",
        steps=settings.steps,
        state=train_state.new_state(params, tx, trains=_is_trained),
        step=step,
        batches=_density_batches(context, params, settings),
        result=lambda state: {**ema.ema_params(state), **state.frozen},
        image_names=context.source.names,
        flops=functools.cache(functools.partial(_density_flops, context.model)),
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
        batches=_density_batches(context, params, settings),
        result=lambda state: stage_lib.all_params(state.generator),
        image_names=context.source.names,
        flops=functools.cache(
            functools.partial(_adversarial_flops, context.model, discriminator)
        ),
    )


def _density_flops(model, shape):
    """FLOPs of a step of DME and F-CNN; the frozen networks' scores are cached."""
    layers = flops.layer_flops(model, shape)
    trained = {name: work for name, work in layers.items() if _is_trained(name)}
    return flops.training_flops(trained, _is_trained)


def _adversarial_flops(model, discriminator, shape):
    layers = flops.layer_flops(discriminator, (*shape[:3], 1))
    forward = sum(layers.values())
    # Its own step on true and predicted maps, then the generator's through it.
    return _density_flops(model, shape) + 2 * 3 * forward + 2 * forward


def _is_trained(name):
    return name.startswith(("dme/", "fcnn/"))


def _density_batches(context, params, settings) -> Callable[[int], Iterator]:
    """Batches of crops with their density maps and the frozen networks' scores."""
    source, config = context.source, context.config
    options = {"batch_size": settings.batch_size, "seed": config.seed}
    used = input_pipeline.crops_used(
        source, config.crops, steps=settings.steps, **options
    )
    scores = context.crop_scores(params, used)

    def batches(start):
        for batch in input_pipeline.crop_batches(
            source,
            config.crops,
            config.target,
            start=start,
            reading=context.reading,
            **options,
        ):
            known = [scores[tuple(numbers)] for numbers in batch["crop"].tolist()]
            yield {
                "image": batch["image"],
                "density": batch["density"],
                "crop": batch["crop"],
                "scores": jax.tree.map(lambda *values: np.stack(values), *known),
            }

    return batches
