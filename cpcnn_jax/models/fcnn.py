"""F-CNN: fuses features and context into density at the image's resolution."""

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.fast_conv import folded_conv
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv
from cpcnn_jax.models.valid_area import halve, keep_valid


class FusionCNN(nn.Module):
    """CR(64,9)-CR(32,7)-TR(32)-CR(16,5)-TR(16)-C(1,1), as the paper prints it.

    C is a convolution of (features, kernel size), R a ReLU, T a fractionally-strided
    convolution that doubles the size. The paper does not print T's kernel; size 4 with
    stride 2 and padding 1 is the author's in his other network. No ReLU follows the
    last layer.

    Attributes:
      upsample_kernel_size: kernel size k of T, even; padding (k - 2) / 2.
      lowering: lowering of T; "zero_insertion" is the definition, all are equal.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> fcnn, features = FusionCNN(), jnp.zeros((1, 16, 24, 40))
      >>> density, _ = fcnn.init_with_output(jax.random.key(0), features)
      >>> density.shape
      (1, 64, 96, 1)

    Reference: Sindagi & Patel, ICCV 2017, section 3.4; Dumoulin & Visin,
    arXiv:1603.07285, relationship 14 for T.
    """

    upsample_kernel_size: int = Model.upsample_kernel_size
    lowering: str = "auto"

    @nn.compact
    def __call__(self, x: jax.Array, valid: jax.Array | None = None) -> jax.Array:
        """Fuses features and context maps.

        Args:
          x: `[B, h, w, C]`, DME's features and the context maps.
          valid: `[B, 4 h, 4 w, 1]` mask of `valid_area`; None: everything.

        Returns:
          `[B, 4 h, 4 w, 1]`, density in the unit of the training.

        Raises:
          ValueError: the kernel size of T is odd.
        """
        half = halve(valid)
        quarter = halve(half)
        x = keep_valid(x, quarter)
        x = keep_valid(self._convolve(x, 64, 9, "conv1"), quarter)
        x = keep_valid(self._convolve(x, 32, 7, "conv2"), quarter)
        x = keep_valid(self._upsample(x, 32, "t1"), half)
        x = keep_valid(self._convolve(x, 16, 5, "conv3"), half)
        x = self._upsample(x, 16, "t2")
        # Initial maps are nearly empty, as most of an image is: a large first error
        # would switch whole columns of ReLUs off for good.
        init = nn.initializers.normal(0.01)
        density = nn.Conv(1, (1, 1), kernel_init=init, name="conv4")(x)
        return keep_valid(density, valid)

    def chain(self) -> list[Layer]:
        """Lists the layers along one axis, from the features to the density."""
        k = self.upsample_kernel_size
        first, second, third, last = (Layer(n, p=n // 2) for n in (9, 7, 5, 1))
        double = Layer(k, s=2, p=(k - 2) // 2, transposed=True)
        return [first, second, double, third, double, last]

    def _convolve(self, x, features, side, name):
        convolve = nn.Conv(
            features,
            (side, side),
            conv_general_dilated=folded_conv,
            kernel_init=nn.initializers.he_normal(),
            name=name,
        )
        return nn.relu(convolve(x))

    def _upsample(self, x, features, name):
        k = self.upsample_kernel_size
        if k % 2:
            raise ValueError(f"T doubles with an even kernel size, got {k}")
        upsample = FractionallyStridedConv(
            features,
            kernel_size=k,
            strides=2,
            padding=(k - 2) // 2,
            lowering=self.lowering,
            name=name,
        )
        return nn.relu(upsample(x))


class PointwiseFusion(nn.Module):
    """One 1x1 convolution instead of F-CNN: the first row of the paper's ablation.

    Its map has a quarter of the resolution; each cell is repeated for its 16 pixels.
    """

    @nn.compact
    def __call__(self, x: jax.Array, valid: jax.Array | None = None) -> jax.Array:
        """Fuses features and context `[B, h, w, C]` into density `[B, 4 h, 4 w, 1]`."""
        x = nn.Conv(1, (1, 1), name="conv1")(x)
        return keep_valid(jnp.repeat(jnp.repeat(x, 4, axis=1), 4, axis=2), valid)

    def chain(self) -> list[Layer]:
        """Lists the layers along one axis; repeating is a transposed kernel of ones."""
        return [Layer(1), Layer(4, s=4, transposed=True)]
