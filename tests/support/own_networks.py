"""Networks and losses as users write them, for experiments that name them."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.models.csrnet import CSRNet


class Small(nn.Module):
    """Two convolutions and a pooling: people per cell of 2x2 pixels."""

    @nn.compact
    def __call__(self, image):
        x = nn.relu(nn.Conv(8, (5, 5))(image))
        x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.softplus(nn.Conv(1, (3, 3))(x)) / 1000


class Chained(Small):
    """The same network, which says how far its outputs reach."""

    def chains(self):
        return [[Layer(5, p=2), Layer(2, s=2), Layer(3, p=1)]]


class Normalized(nn.Module):
    @nn.compact
    def __call__(self, image):
        return nn.Conv(1, (3, 3))(nn.BatchNorm(use_running_average=False)(image))


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, image):
        return nn.Dense(10)(image.mean((1, 2)))


class Unlearned(nn.Module):
    def __call__(self, image):
        return image[..., :1]


class Narrow(nn.Module):
    @nn.compact
    def __call__(self, image):
        return nn.Conv(1, (3, 3), param_dtype=jnp.bfloat16)(image)


class Dropping(nn.Module):
    @nn.compact
    def __call__(self, image):
        return nn.Dropout(0.5, deterministic=False)(nn.Conv(1, (3, 3))(image))


class Positional(nn.Module):
    @nn.compact
    def __call__(self, image):
        cells = nn.Conv(1, (3, 3))(image)
        place = self.param("place", nn.initializers.zeros_init(), (1, *cells.shape[1:]))
        return cells + place


class Pair(nn.Module):
    @nn.compact
    def __call__(self, image):
        return nn.Conv(1, (3, 3))(image), 1


def narrow_csrnet():
    return CSRNet(width_multiplier=1 / 32)


def not_a_network():
    return 3


def failing():
    raise RuntimeError("no such file: backbone.npz")


def absolute_loss(density, target):
    return jnp.mean(jnp.abs(density - target), axis=(1, 2, 3))


def mean_over_the_batch(density, target):
    return jnp.mean(jax.numpy.square(density - target))
