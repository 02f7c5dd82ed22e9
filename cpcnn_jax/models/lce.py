"""LCE, the local context estimator: classifies 64x64 patches by density."""

from collections.abc import Sequence

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.layers.fast_conv import max_pool, valid_conv
from cpcnn_jax.models.classifier_head import ClassifierHead
from cpcnn_jax.models.vgg import normalize


class LocalContextEstimator(nn.Module):
    """Convolutions with pooling, then three FC layers: a patch's density class.

    The convolutions are VALID (no padding), so a patch's scores do not depend on its
    place in the image.

    Attributes:
      features: features of each block of two 3x3 convolutions and a 2x2 pooling. The
        paper's are in a figure that we could not read.
      hidden_dims: widths of the first two FC layers.
      num_classes: density classes.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> lce, patch = LocalContextEstimator((8, 8, 8)), jnp.zeros((2, 64, 64, 3))
      >>> logits, _ = lce.init_with_output(jax.random.key(0), patch)
      >>> logits.shape
      (2, 5)

    Reference: Sindagi & Patel, ICCV 2017, section 3.2.
    """

    features: Sequence[int] = Model.lce_features
    hidden_dims: Sequence[int] = Model.lce_hidden_dims
    num_classes: int = Model.num_classes

    @nn.compact
    def __call__(
        self, patch: jax.Array, *, dropout_keys: jax.Array | None = None
    ) -> jax.Array:
        """Classifies patches by density.

        Args:
          patch: `[B, 64, 64, 3]` RGB in [0, 1].
          dropout_keys: PRNG keys `[B]` in training; None: no dropout.

        Returns:
          Logits `[B, num_classes]`.

        Raises:
          ValueError: the input has another size.
        """
        if patch.shape[1:3] != (PATCH, PATCH):
            raise ValueError(f"LCE needs patches of 64x64 pixels, got {patch.shape}")
        x = normalize(patch)
        for block, features in enumerate(self.features, start=1):
            for layer in (1, 2):
                x = nn.Conv(
                    features,
                    (3, 3),
                    padding="VALID",
                    conv_general_dilated=valid_conv,
                    kernel_init=nn.initializers.he_normal(),
                    name=f"conv{block}_{layer}",
                )(x)
                x = nn.relu(x)
            x = max_pool(x)
        head = ClassifierHead(self.hidden_dims, self.num_classes, name="head")
        return head(x, dropout_keys=dropout_keys)
