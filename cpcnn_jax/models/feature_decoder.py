"""DME on a shared backbone: a decoder of VGG-16's features to a quarter of the size."""

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv


class FeatureDecoder(nn.Module):
    """CR(256,3)-TR(128)-CR(256,3)-TR(128)-CR(64,3), from 1/16 to 1/4 of the size.

    C is a convolution of (features, kernel size), R a ReLU, T a fractionally-strided
    convolution of kernel size 4 that doubles the size. The second and the third C also
    take the backbone's features of the same size. They compute the convolution of both
    inputs' concatenation as the sum of two convolutions, which needs less memory.

    Departs from the paper: its DME has columns of its own, which are trained from
    random weights on a few hundred images. A decoder uses features that ImageNet has
    trained.

    Attributes:
      width_multiplier: multiplies every layer's features.

    Example:
      >>> import jax, jax.numpy as jnp
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
        x = nn.relu(self._convolve(c5, 256, "conv1"))
        x = self._merge(self._upsample(x, 128, "t1"), c4, 256, "conv2")
        return self._merge(self._upsample(x, 128, "t2"), c3, 64, "conv3")

    def chain(self) -> list[Layer]:
        """Lists the layers along one axis, from c5 to the output."""
        conv, double = Layer(3, p=1), Layer(4, s=2, p=1, transposed=True)
        return [conv, double, conv, double, conv]

    def _convolve(self, x, features, name, *, share=1.0, use_bias=True):
        """Convolves inputs that are a share of all; initialized as He with all."""
        return nn.Conv(
            int(features * self.width_multiplier),
            (3, 3),
            use_bias=use_bias,
            kernel_init=nn.initializers.variance_scaling(2 * share, "fan_in", "normal"),
            name=name,
        )(x)

    def _merge(self, x, skip, features, name):
        share = x.shape[-1] / (x.shape[-1] + skip.shape[-1])
        y = self._convolve(x, features, name, share=share)
        skip_options = {"share": 1 - share, "use_bias": False}
        return nn.relu(
            y + self._convolve(skip, features, f"{name}_skip", **skip_options)
        )

    def _upsample(self, x, features, name):
        features = int(features * self.width_multiplier)
        return nn.relu(FractionallyStridedConv(features, lowering="auto", name=name)(x))
