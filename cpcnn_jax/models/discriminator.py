"""Discriminator of true and estimated density maps, for the adversarial loss."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Adversary
from cpcnn_jax.layers.banded_conv import banded_conv
from cpcnn_jax.layers.fast_conv import max_pool
from cpcnn_jax.models.valid_area import halve, keep_valid


class Discriminator(nn.Module):
    """CP(64)-CP(128)-M-CP(256)-M-CP(256)-CP(256)-M-C(1)-Sigmoid, as in the paper.

    C is a convolution, P a PReLU with a slope per feature, M a 2x2 max-pooling. The
    paper does not print the kernel sizes; they are 3. The image is not an input.

    Attributes:
      width_multiplier: multiplies every layer's features; 1 is the paper's.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> discriminator, density = Discriminator(), jnp.zeros((1, 64, 96, 1))
      >>> logits, _ = discriminator.init_with_output(jax.random.key(0), density)
      >>> logits.shape
      (1, 8, 12, 1)

    Reference: Sindagi & Patel, ICCV 2017, section 3.4.
    """

    width_multiplier: float = Adversary.discriminator_width_multiplier

    @nn.compact
    def __call__(self, density: jax.Array, valid: jax.Array | None = None) -> jax.Array:
        """Classifies each region of density maps as true or estimated.

        Args:
          density: `[B, H, W, 1]`, in the unit of the training.
          valid: `[B, H, W, 1]` mask of `valid_area`; None: the whole map.

        Returns:
          Logits `[B, H // 8, W // 8, 1]`; their sigmoid is the probability that the map
          is true in that region. The losses take logits because log(sigmoid(x))
          computed in two steps overflows.
        """
        x = keep_valid(self._convolve(density, 64, "conv1"), valid)
        for name, features in (("conv2", 128), ("conv3", 256)):
            x = max_pool(self._convolve(x, features, name, large=True))
            valid = halve(valid)
            x = keep_valid(x, valid)
        x = keep_valid(self._convolve(x, 256, "conv4"), valid)
        x = max_pool(self._convolve(x, 256, "conv5"))
        return nn.Conv(1, (3, 3), name="conv6")(keep_valid(x, halve(valid)))

    def _convolve(self, x, features, name, *, large=False):
        features = int(features * self.width_multiplier)
        x = nn.Conv(
            features,
            (3, 3),
            conv_general_dilated=banded_conv if large else None,
            kernel_init=nn.initializers.he_normal(),
            name=name,
        )(x)
        quarter = nn.initializers.constant(0.25)
        slope = self.param(f"{name}_slope", quarter, (features,))
        return jnp.where(x > 0, x, (slope[None, None, None] * x).astype(x.dtype))
