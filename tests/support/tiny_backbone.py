"""A narrow network with a shared backbone, and references of its parts."""

import jax
import numpy as np

from cpcnn_jax import config
from cpcnn_jax.models import shared_backbone
from cpcnn_jax.models.params import param_shapes, to_variables

MODEL = config.Model(
    architecture="shared_backbone",
    vgg_width_multiplier=1 / 16,
    gce_thresholds=(0.5, 4.5),
    lce_thresholds=(0.5, 1.5, 2.5),
)


def networks(**fields):
    """The network and its parameters: He-normal kernels, and biases as large."""
    model = shared_backbone.build(MODEL).clone(**fields)
    rng = np.random.default_rng(0)
    drawn = {}
    for name, shape in param_shapes(model, channels=3).items():
        deviation = np.sqrt(2 / np.prod(shape[:-1])) if len(shape) > 1 else 0.2
        drawn[name] = np.float32(rng.normal(0, deviation, shape))
    for name in drawn.keys() & {"gce/logits/kernel", "lce/logits/kernel"}:
        drawn[name] *= 5  # scores that differ between windows
    return model, drawn


def in_one_piece(model):
    """density(weights, image): a flat dict and uint8 `[H, W, 3]`, to `[H, W]`, aux."""

    @jax.jit
    def apply(weights, image):
        return model.apply(to_variables(weights), image)

    def density(weights, image):
        values, aux = apply(weights, np.float32(image)[None] / 255)
        return np.asarray(values)[0, ..., 0], aux

    return density


def random_image(*size):
    rng = np.random.default_rng(size)
    return rng.integers(0, 256, (*size, 3), dtype=np.uint8)
