"""Classifier head of GCE and LCE: three FC layers with dropout between them."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn


def dropout(x: jax.Array, keys: jax.Array, *, rate: float) -> jax.Array:
    """Drops features of each example with the example's own key.

    One key per example, not per batch, makes the result independent of how the batch
    is split over devices.

    Args:
      x: features `[B, F]`.
      keys: typed PRNG keys `[B]`.
      rate: share of features set to zero, in [0, 1); the rest grow by 1 / (1 - rate).

    Returns:
      Features `[B, F]`.

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
      hidden_dims: widths of the first two layers.
      num_classes: density classes.
      dropout_rate: share dropped after each of the first two layers, in [0, 1).
    """

    hidden_dims: Sequence[int]
    num_classes: int
    dropout_rate: float = 0.5

    @nn.compact
    def __call__(
        self, x: jax.Array, *, dropout_keys: jax.Array | None = None
    ) -> jax.Array:
        """Classifies features by density.

        Args:
          x: features `[B, ...]`, flattened here.
          dropout_keys: PRNG keys `[B]` in training; None: no dropout.

        Returns:
          Logits `[B, num_classes]`.
        """
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.hidden_dims):
            init = nn.initializers.he_normal()
            x = nn.relu(nn.Dense(width, kernel_init=init, name=f"fc{i}")(x))
            if dropout_keys is not None:
                keys = jax.vmap(jax.random.fold_in, (0, None))(dropout_keys, i)
                x = dropout(x, keys, rate=self.dropout_rate)
        return nn.Dense(self.num_classes, name="logits")(x)
