"""DME on a shared backbone: a decoder of VGG-16's features to a quarter of the size."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


class FeatureDecoder(nn.Module):
    """CR(256,3)-TR(128)-CR(256,3)-TR(128)-CR(64,3), from 1/16 to 1/4 of the size.

    C is a convolution of (features, kernel size), R a ReLU, T a fractionally-strided
    convolution of kernel size 4 that doubles the size. The backbone's features of the
    same size are concatenated before T's output.

    Departs from the paper: its DME has columns of its own, which are trained from
    random weights on a few hundred images. A decoder uses features that ImageNet has
    trained.

    Attributes:
      width_multiplier: multiplies every layer's features.

    Example:
      >>> c3, c4, c5 = (jnp.zeros((1, 48 // s, 96 // s, 8)) for s in (1, 2, 4))
      >>> decoder = FeatureDecoder(width_multiplier=0.125)
      >>> decoder.init_with_output(jax.random.key(0), c3, c4, c5)[0].shape
      (1, 48, 96, 8)
    """

    width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, c3: jax.Array, c4: jax.Array, c5: jax.Array) -> jax.Array:
        """Decodes the features of a backbone.

        Args:
          c3: `[B, h, w, C3]`, features at a quarter of the image's size; h and w are
            multiples of 4.
          c4: `[B, h / 2, w / 2, C4]`.
          c5: `[B, h / 4, w / 4, C5]`.

        Returns:
          `[B, h, w, 64 * width_multiplier]`.
        """
        x = self._convolve(c5, 256, "conv1")
        x = jnp.concatenate([c4, self._upsample(x, 128, "t1")], axis=-1)
        x = self._convolve(x, 256, "conv2")
        x = jnp.concatenate([c3, self._upsample(x, 128, "t2")], axis=-1)
        return self._convolve(x, 64, "conv3")

    def chain(self) -> list[Layer]:
        """Lists the layers along one axis, from c5 to the output."""
        conv, double = Layer(3, p=1), Layer(4, s=2, p=1, transposed=True)
        return [conv, double, conv, double, conv]

    def _convolve(self, x, features, name):
        init = nn.initializers.he_normal()
        features = int(features * self.width_multiplier)
        return nn.relu(nn.Conv(features, (3, 3), kernel_init=init, name=name)(x))

    def _upsample(self, x, features, name):
        features = int(features * self.width_multiplier)
        return nn.relu(FractionallyStridedConv(features, lowering="auto", name=name)(x))
