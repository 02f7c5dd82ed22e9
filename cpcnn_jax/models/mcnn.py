"""MCNN baseline, the origin of DME's columns: three columns and a 1x1 convolution."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.models.dme import DensityMapEstimator, multi_column_features

COLUMNS = (
    ((16, 9), (32, 7), (16, 7), (8, 7)),
    ((20, 7), (40, 5), (20, 5), (10, 5)),
    ((24, 5), (48, 3), (24, 3), (12, 3)),
)
GRAY = ((0.299,), (0.587,), (0.114,))  # of ITU-R BT.601, as in PIL


class MCNN(nn.Module):
    """DME's columns with one convolution less on a gray image, then a 1x1 convolution.

    Departs from the paper: a ReLU follows the last convolution, as in the public code
    whose trained weights this module takes (`cpcnn_jax.weights.importers.mcnn`).

    Attributes:
      columns: convolutions of each column as (features, kernel size); a 2x2 pooling
        follows the first and the second.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> mcnn, image = MCNN(), jnp.zeros((1, 64, 96, 1))
      >>> density, _ = mcnn.init_with_output(jax.random.key(0), image)
      >>> density.shape
      (1, 16, 24, 1)

    Reference: Zhang et al., Single-Image Crowd Counting via Multi-Column CNN, CVPR
    2016; the widths are those of github.com/svishwa/crowdcount-mcnn.
    """

    columns: Sequence[Sequence[tuple[int, int]]] = COLUMNS

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """Estimates density at a quarter of the size.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], which becomes gray, or `[B, H, W, 1]`
            gray levels, 0 to 255; H and W multiples of 4.

        Returns:
          `[B, H / 4, W / 4, 1]` people per cell of 4x4 pixels; its sum is the count.

        Raises:
          ValueError: H or W is not a multiple of 4.
        """
        if image.shape[-1] == 3:
            image = 255 * (image @ jnp.array(GRAY, image.dtype))
        features = multi_column_features(image, self.columns)
        return nn.relu(nn.Conv(1, (1, 1), name="fuse")(features))

    def chains(self) -> list[list[Layer]]:
        """Lists each column's layers along one axis, from the image to the map."""
        return DensityMapEstimator(self.columns, parent=None).chains()
