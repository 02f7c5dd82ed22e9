"""The stages of GCE and LCE, each trained alone to classify density.

Reference: Sindagi & Patel, ICCV 2017, sections 3.1, 3.2 and 4.
"""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np

from cpcnn_jax.config import Experiment
from cpcnn_jax.config.constants import PATCH, VGG16_LAYERS
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import density_classes, device_batches
from cpcnn_jax.models import flops, gce
from cpcnn_jax.training import crop_scores, optimizer, train_state, train_step
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.init import params as init_params


def gce_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the GCE's stage on crops; only its head and VGG-16's last layers train.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    images, config = context.images, context.config

    def example_images(bank, pairs):
        batch = images.crop_batch(bank, pairs)
        return crop_scores.gce_input(batch), batch["count"]

    return _classifier_stage(
        context,
        params,
        name="gce",
        counts=device_batches.crop_counts(images.heads(), config.crops, config.seed),
        windows=crops_lib.crops_per_image(config.crops),
        example_images=example_images,
    )


def lce_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the LCE's stage on patches.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    images, config = context.images, context.config

    def example_images(bank, pairs):
        batch = images.patch_batch(bank, pairs)
        return batch["image"], batch["count"]

    return _classifier_stage(
        context,
        params,
        name="lce",
        counts=device_batches.patch_counts(images.heads(), config.crops, config.seed),
        windows=config.crops.num_patches,
        example_images=example_images,
    )


def _classifier_stage(
    context: stage_lib.StageContext,
    params: dict,
    *,
    name: str,
    counts: np.ndarray,
    windows: int,
    example_images: Callable,
) -> stage_lib.Stage:
    network, settings = getattr(context.model, name), getattr(context.config, name)
    thresholds = stage_lib.fit_class_thresholds(context, counts)
    weights = density_classes.class_weights(counts, thresholds)
    tx, trains = optimizer.make_adam(settings), _trained_names(context.config, name)
    step = train_step.classification_step(
        network,
        tx,
        scope=f"{name}/",
        class_weights=jnp.asarray(weights),
        key=init_params.purpose_key(context.config.seed, f"{name} dropout"),
        options=stage_lib.step_options(context, settings),
    )

    def batch(bank, pairs):
        image, count = example_images(bank, pairs)
        return {"image": image, "label": jnp.searchsorted(thresholds, count)}

    return stage_lib.Stage(
        name=name,
        steps=settings.steps,
        state=train_state.new_state(params, tx, trains=trains),
        step=step,
        batch=batch,
        data=context.images.load,
        order=stage_lib.example_order(context, settings, windows),
        result=stage_lib.all_params,
        maps=False,
    )


def example_flops(context: stage_lib.StageContext, name: str) -> int:
    """Counts the model FLOPs of a step for one example of the stage "gce" or "lce"."""
    side = {"gce": gce.SIDE, "lce": PATCH}[name]
    network = getattr(context.model, name)
    layers = flops.layer_flops(network, (1, side, side, 3))
    trains = _trained_names(context.config, name)
    return flops.training_flops(layers, lambda layer: trains(f"{name}/{layer}/"))


def _trained_names(config: Experiment, network: str) -> Callable[[str], bool]:
    """Selects a network's parameters, without the VGG-16 layers that stay frozen."""
    first = VGG16_LAYERS.index(config.gce.first_trainable_layer)
    frozen = tuple(f"gce/vgg16/{layer}/" for layer in VGG16_LAYERS[:first])
    return lambda name: name.startswith(f"{network}/") and not name.startswith(frozen)
