"""The stage of a network with a shared backbone: all parts are trained together.

Networks of one's own have this stage, too.

Departs from the paper, which trains GCE and LCE first and freezes them.
"""

from typing import Any

import jax
import jax.numpy as jnp

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.models import flops
from cpcnn_jax.models.custom_network import CustomNetwork
from cpcnn_jax.models.networks import vgg16_prefixes
from cpcnn_jax.models.shared_backbone import BLOCK, SharedBackbone
from cpcnn_jax.training import ema, optimizer, train_state
from cpcnn_jax.training import stage as stage_lib
from cpcnn_jax.training.cell_losses import cell_counts
from cpcnn_jax.training.joint_step import joint_step


def joint_stage(context: stage_lib.StageContext, params: dict) -> stage_lib.Stage:
    """Builds the stage.

    Args:
      context: the stages' common record.
      params: flat dict of all parameters.
    """
    settings = context.config.joint
    adam = optimizer.make_joint_adam(settings, vgg16_prefixes(context.model))
    tx, trains = ema.with_ema(adam, settings.ema_decay), _trained_names(context)
    windows = crops_lib.crops_per_image(context.config.crops)
    options = stage_lib.step_options(context, settings)
    return stage_lib.Stage(
        name="joint",
        steps=settings.steps,
        state=train_state.new_state(params, tx, trains=trains),
        step=joint_step(context.model, tx, settings, options),
        batch=lambda bank, pairs: joint_batch(context, bank, pairs),
        data=context.images.load,
        order=stage_lib.example_order(context, settings, windows),
        result=lambda state: {**ema.ema_params(state), **state.frozen},
    )


def joint_batch(
    context: stage_lib.StageContext, bank: Any, pairs: jax.Array
) -> dict[str, Any]:
    """Makes a batch of crops with their density maps and density classes.

    Args:
      context: the stages' common record.
      bank: an `ImageBank`.
      pairs: int32 `[B, 2]`, place and window of each example.

    Returns:
      A batch of `joint_step`.
    """
    density = context.images.density_batch(bank, pairs)
    labels = density_labels(context.model, context.config.model, density)
    image = context.images.crop_batch(bank, pairs)["image"]
    return {"image": image, "density": density, "labels": labels}


def density_labels(
    network: SharedBackbone | CustomNetwork, model: Model, density: jax.Array
) -> dict[str, jax.Array]:
    """Classifies the people in blocks and windows of density maps.

    The crop is padded with zeros to multiples of a block, as the network pads it.

    Args:
      network: omitted heads have no labels, and neither has a network of one's own.
      model: the thresholds.
      density: `[B, H, W, 1]` people per pixel.

    Returns:
      {"global": int32 `[B, n, m]`, "local": int32 `[B, 3 n, 3 m]`}.
    """
    if isinstance(network, CustomNetwork):
        return {}
    down, right = (-side % BLOCK for side in density.shape[1:3])
    padded = jnp.pad(density, ((0, 0), (0, down), (0, right), (0, 0)))
    heads = {
        "global": (network.gce, BLOCK, model.gce_thresholds),
        "local": (network.lce, PATCH, model.lce_thresholds),
    }
    return {
        name: jnp.searchsorted(jnp.array(thresholds), cell_counts(padded, side))
        for name, (head, side, thresholds) in heads.items()
        if head is not None
    }


def example_flops(context: stage_lib.StageContext) -> int:
    """Counts the model FLOPs of a step for one crop."""
    height, width = context.images.canvas
    layers = flops.layer_flops(context.model, (1, height, width, 3))
    trains = _trained_names(context)
    return flops.training_flops(layers, lambda layer: trains(f"{layer}/"))


def _trained_names(context):
    backbone_learns = context.config.joint.vgg_lr_multiplier > 0
    frozen = vgg16_prefixes(context.model)
    return lambda name: backbone_learns or not name.startswith(frozen)
