"""VGG-16's thirteen convolutions and the normalization of their training."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.layers.fast_conv import max_pool

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0, 1]
STD = (0.229, 0.224, 0.225)


def normalize(image: jax.Array) -> jax.Array:
    """Normalizes colors by their mean and deviation over ImageNet.

    Args:
      image: `[B, H, W, 3]` RGB in [0, 1].

    Returns:
      `[B, H, W, 3]`, mean 0 and deviation 1 over ImageNet.

    Example:
      >>> normalize(jnp.array(MEAN).reshape(1, 1, 1, 3)).ravel().tolist()
      [0.0, 0.0, 0.0]
    """
    mean, std = (jnp.array(v, image.dtype).reshape(1, 1, 1, 3) for v in (MEAN, STD))
    return (image - mean) / std


class VGG16Features(nn.Module):
    """VGG-16 without its FC layers.

    Attributes:
      width_multiplier: multiplies every layer's features; 1 fits VGG-16's weights.

    Reference: Simonyan & Zisserman, ICLR 2015, configuration D.
    """

    width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """Extracts features of an image.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1].

        Returns:
          `[B, H // 32, W // 32, 512 * width_multiplier]`.
        """
        x = normalize(image)
        for block, (features, depth) in enumerate(VGG16_BLOCKS, start=1):
            for layer in range(1, depth + 1):
                x = nn.Conv(
                    int(features * self.width_multiplier),
                    (3, 3),
                    kernel_init=nn.initializers.he_normal(),
                    name=f"conv{block}_{layer}",
                )(x)
                x = nn.relu(x)
            x = max_pool(x)
        return x
