"""The stages of GCE and LCE, each trained alone to classify density.

Reference: Sindagi & Patel, ICCV 2017, sections 3.1, 3.2 and 4.
"""

import functools
from collections.abc import Callable

import jax.numpy as jnp

from cpcnn_jax.config import Experiment
from cpcnn_jax.config.constants import VGG16_LAYERS
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import density_classes, input_pipeline
from cpcnn_jax.models import flops
from cpcnn_jax.training import optimizer, train_state, train_step
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params


def gce_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the GCE's stage on crops; only its head and VGG-16's last layers train.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    return _classifier_stage(
        context,
        params,
        name="gce",
        counts_of=crops_lib.crop_counts,
        batches_of=functools.partial(
            input_pipeline.crop_batches, target=context.config.target
        ),
    )


def lce_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the LCE's stage on patches.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    return _classifier_stage(
        context,
        params,
        name="lce",
        counts_of=crops_lib.patch_counts,
        batches_of=input_pipeline.patch_batches,
    )


def _classifier_stage(
    context: stage_lib.StageContext,
    params: dict,
    *,
    name: str,
    counts_of: Callable,
    batches_of: Callable,
) -> stage_lib.Stage:
    network, settings = getattr(context.model, name), getattr(context.config, name)
    crops, seed = context.config.crops, context.config.seed
    counts = counts_of(context.source, crops, seed=seed)
    thresholds = stage_lib.fit_class_thresholds(context, counts)
    weights = density_classes.class_weights(counts, thresholds)
    tx, trains = optimizer.make_adam(settings), _trained_names(context.config, name)
    step = train_step.classification_step(
        network,
        tx,
        scope=f"{name}/",
        class_weights=jnp.asarray(weights),
        key=init_params.purpose_key(seed, f"{name} dropout"),
        options=stage_lib.step_options(context, settings),
    )

    def batches(start):
        options = {"batch_size": settings.batch_size, "seed": seed, "start": start}
        options["reading"] = context.reading
        for batch in batches_of(context.source, crops, **options):
            label = density_classes.density_class(batch["count"], thresholds)
            yield {"image": batch["image"], "label": label, "crop": batch["crop"]}

    @functools.cache
    def step_flops(shape):
        layers = flops.layer_flops(network, shape)
        return flops.training_flops(layers, lambda layer: trains(f"{name}/{layer}/"))

    return stage_lib.Stage(
        name=name,
        steps=settings.steps,
        state=train_state.new_state(params, tx, trains=trains),
        step=step,
        batches=batches,
        result=stage_lib.all_params,
        image_names=context.source.names,
        flops=step_flops,
        maps=False,
    )


def _trained_names(config: Experiment, network: str) -> Callable[[str], bool]:
    """Selects a network's parameters, without the VGG-16 layers that stay frozen."""
    first = VGG16_LAYERS.index(config.gce.first_trainable_layer)
    frozen = tuple(f"gce/vgg16/{layer}/" for layer in VGG16_LAYERS[:first])
    return lambda name: name.startswith(f"{network}/") and not name.startswith(frozen)
