"""VGG-16's thirteen convolutions and the normalisation they were trained with."""

import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.layers.fast_conv import max_pool

MEAN = (0.485, 0.456, 0.406)  # of ImageNet, RGB in [0, 1]
STD = (0.229, 0.224, 0.225)


def normalize(image):
    """Colours with mean 0 and deviation 1 over ImageNet's photographs.

    Args:
      image: `[B, H, W, 3]` RGB in [0, 1].

    Returns:
      `[B, H, W, 3]`.

    Example:
      >>> normalize(jnp.array(MEAN).reshape(1, 1, 1, 3)).ravel().tolist()
      [0.0, 0.0, 0.0]
    """
    mean, std = (jnp.array(v, image.dtype).reshape(1, 1, 1, 3) for v in (MEAN, STD))
    return (image - mean) / std


class VGG16Features(nn.Module):
    """VGG-16 without its FC layers.

    Attributes:
      width: multiplies every layer's features; 1 is VGG-16 and fits its weights.
      blocks: how many of the five, from the first.

    Reference: Simonyan & Zisserman, ICLR 2015, configuration D.
    """

    width: float = Model.vgg_width_multiplier
    blocks: int = len(VGG16_BLOCKS)

    @nn.compact
    def __call__(self, image):
        """Features of an image.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1].

        Returns:
          `[B, H // 32, W // 32, 512 * width]`; of fewer blocks, before their last
          poolings and with their features.
        """
        x = normalize(image)
        for block, (features, depth) in enumerate(VGG16_BLOCKS[: self.blocks], start=1):
            for layer in range(1, depth + 1):
                x = nn.Conv(
                    int(features * self.width),
                    (3, 3),
                    kernel_init=nn.initializers.he_normal(),
                    name=f"conv{block}_{layer}",
                )(x)
                x = nn.relu(x)
            x = max_pool(x)
        return x
