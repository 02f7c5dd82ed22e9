"""CSRNet baseline: VGG-16's first ten convolutions and six dilated convolutions."""

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import VGG16_BLOCKS
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.models.vgg import conv_blocks, normalize

FRONT = VGG16_BLOCKS[:4]  # with a pooling between two blocks
BACK = (512, 512, 512, 256, 128, 64)
DILATION = 2  # of the back end's kernels
STRIDE = 8  # pixels per cell of the map


class CSRNet(nn.Module):
    """Density at an eighth of the image's size, without upsampling.

    No ReLU follows the last convolution, as in the public code whose trained weights
    this module takes (`cpcnn_jax.weights.importers.csrnet`), so cells can be negative.

    Attributes:
      width_multiplier: multiplies every layer's features; 1 fits the public weights.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> csrnet, image = CSRNet(width_multiplier=0.125), jnp.zeros((1, 64, 100, 3))
      >>> run = csrnet.init_with_output
      >>> density, _ = jax.eval_shape(run, jax.random.key(0), image)
      >>> density.shape
      (1, 8, 12, 1)

    Reference: Li, Zhang & Chen, CSRNet: Dilated Convolutional Neural Networks for
    Understanding the Highly Congested Scenes, CVPR 2018, back end B.
    """

    width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """Estimates density at an eighth of the size.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1].

        Returns:
          `[B, H // 8, W // 8, 1]` people per cell of 8x8 pixels; its sum is the count.
        """
        x = normalize(image)
        x = conv_blocks(x, self.width_multiplier, last=len(FRONT))[-1]
        for layer, features in enumerate(BACK, start=1):
            x = self._convolve(x, features, f"back{layer}", kernel_dilation=DILATION)
        return nn.Conv(1, (1, 1), name="output")(x)

    def chains(self) -> list[list[Layer]]:
        """Lists the layers along one axis, from the image to the map, in one chain."""
        same, pool = Layer(3, p=1), Layer(2, s=2)
        front = [layer for _, depth in FRONT for layer in [*[same] * depth, pool]][:-1]
        return [[*front, *[Layer(3, p=DILATION, d=DILATION)] * len(BACK)]]

    def _convolve(self, x, features, name, **options):
        features = int(features * self.width_multiplier)
        options["kernel_init"] = nn.initializers.he_normal()
        convolve = nn.Conv(features, (3, 3), name=name, **options)
        return nn.relu(convolve(x))
