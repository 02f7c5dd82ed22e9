"""Adam with its learning rate schedule."""

import optax

from cpcnn_jax import config


def make_adam(settings: config.Stage) -> optax.GradientTransformation:
    """Makes Adam with a linear warmup and a cosine decay to 0."""
    rate = optax.warmup_cosine_decay_schedule(
        0.0, settings.learning_rate, settings.warmup_steps, settings.steps
    )
    return optax.adam(rate)
