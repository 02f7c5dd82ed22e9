"""The classifiers' end, shared by GCE and LCE: three FC layers with dropout between."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn


def dropout(x, keys, *, rate):
    """Drop features of each example by the example's own key.

    A key per example, not per batch, so that training gives the same result however the
    batch is split over devices.

    Args:
      x: `[B, F]`.
      keys: `[B]` typed PRNG keys.
      rate: the share of features set to zero, 0 to 1; the rest grow by 1 / (1 - rate).

    Returns:
      `[B, F]`.

    Example:
      >>> keys = jax.random.split(jax.random.key(0), 2)
      >>> sorted(set(dropout(jnp.ones((2, 99)), keys, rate=0.5).ravel().tolist()))
      [0.0, 2.0]
    """
    draw = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))
    return jnp.where(draw(keys), x / (1 - rate), 0)


class ClassifierHead(nn.Module):
    """FC, ReLU, dropout, FC, ReLU, dropout, FC: features to density-class logits.

    Attributes:
      features: widths of the first two layers.
      num_classes: density classes.
      dropout_rate: after each of the first two layers.
    """

    features: Sequence[int]
    num_classes: int
    dropout_rate: float = 0.5

    @nn.compact
    def __call__(self, x, *, dropout_keys=None):
        """Classify.

        Args:
          x: `[B, ...]`, flattened here.
          dropout_keys: `[B]` keys in training; None: no dropout.

        Returns:
          logits `[B, num_classes]`.
        """
        x = x.reshape(len(x), -1)
        for i, width in enumerate(self.features):
            init = nn.initializers.he_normal()
            x = nn.relu(nn.Dense(width, kernel_init=init, name=f"fc{i}")(x))
            if dropout_keys is not None:
                keys = jax.vmap(jax.random.fold_in, (0, None))(dropout_keys, i)
                x = dropout(x, keys, rate=self.dropout_rate)
        return nn.Dense(self.num_classes, name="logits")(x)
