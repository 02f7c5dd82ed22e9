"""Adam with its learning rate schedule."""

import optax

from cpcnn_jax import config


def make_schedule(settings: config.Stage) -> optax.Schedule:
    """Makes the learning rate: a linear warmup and a cosine decay to 0."""
    return optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup_steps, settings.steps
    )


def make_adam(settings: config.Stage) -> optax.GradientTransformation:
    """Makes Adam with the schedule of a stage."""
    return optax.adam(make_schedule(settings))


def make_joint_adam(
    settings: config.JointStage, backbone: tuple[str, ...]
) -> optax.GradientTransformation:
    """Makes Adam with weight decay and clipped gradients, slower for the backbone.

    Args:
      settings: the stage's settings.
      backbone: prefixes of the names of the backbone's parameters.
    """

    def of_backbone(params):
        return {name: name.startswith(backbone) for name in params}

    return optax.chain(
        optax.clip_by_global_norm(settings.max_gradient_norm),
        optax.adamw(make_schedule(settings), weight_decay=settings.weight_decay),
        optax.masked(optax.scale(settings.vgg_lr_multiplier), of_backbone),
    )
