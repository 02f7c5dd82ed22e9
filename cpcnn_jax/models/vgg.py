"""VGG-16's thirteen convolutions and the normalization of their training."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.layers.arithmetic import Layer
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


def conv_blocks(
    x: jax.Array, width_multiplier: float, *, first: int = 1, last: int
) -> list[jax.Array]:
    """Applies blocks of VGG-16; their weights belong to the calling module.

    Args:
      x: `[B, H, W, C]`, the input of the first block.
      width_multiplier: multiplies every layer's features; 1 fits VGG-16's weights.
      first, last: numbers of the blocks, 1 to 5, both included.

    Returns:
      The output of each block before the pooling that follows it. The block that is
      number i of them, from 0, has `[B, H // 2**i, W // 2**i, C * width_multiplier]`; C
      is 64, 128, 256, 512 and 512 for the five blocks.
    """
    outputs: list[jax.Array] = []
    for block in range(first, last + 1):
        features, depth = VGG16_BLOCKS[block - 1]
        x = max_pool(x) if outputs else x
        for layer in range(1, depth + 1):
            convolve = nn.Conv(
                int(features * width_multiplier),
                (3, 3),
                kernel_init=nn.initializers.he_normal(),
                name=f"conv{block}_{layer}",
            )
            x = nn.relu(convolve(x))
        outputs.append(x)
    return outputs


def chain() -> list[Layer]:
    """Lists the layers of `conv_blocks` along one axis, from the image to block 5."""
    conv, pool = Layer(3, p=1), Layer(2, s=2)
    layers = [layer for _, depth in VGG16_BLOCKS for layer in [pool, *[conv] * depth]]
    return layers[1:]


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
        return max_pool(conv_blocks(x, self.width_multiplier, last=5)[-1])


class VGG16Stem(nn.Module):
    """VGG-16's first two blocks, with the poolings that follow them.

    Attributes:
      width_multiplier: multiplies every layer's features; 1 fits VGG-16's weights.
    """

    width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Extracts features at a quarter of the size.

        Args:
          x: `[B, H, W, 3]` from `normalize`.

        Returns:
          `[B, H // 4, W // 4, 128 * width_multiplier]`.
        """
        return max_pool(conv_blocks(x, self.width_multiplier, last=2)[-1])


class VGG16Pyramid(nn.Module):
    """VGG-16's last three blocks: features at 1/4, 1/8 and 1/16 of the image's size.

    Attributes:
      width_multiplier: multiplies every layer's features; 1 fits VGG-16's weights.
    """

    width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, x: jax.Array) -> list[jax.Array]:
        """Extracts the features of three blocks.

        Args:
          x: `[B, h, w, 128 * width_multiplier]` from `VGG16Stem`, h and w multiples of
            4.

        Returns:
          The outputs of conv3_3 `[B, h, w, 256]`, conv4_3 `[B, h / 2, w / 2, 512]` and
          conv5_3 `[B, h / 4, w / 4, 512]`, after their ReLUs; each number of features
          is multiplied by `width_multiplier`.
        """
        return conv_blocks(x, self.width_multiplier, first=3, last=5)
