"""DME, the density map estimator: features at a quarter of the image's size."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.layers.fast_conv import folded_conv, max_pool
from cpcnn_jax.models.valid_area import halve, keep_valid
from cpcnn_jax.models.vgg import normalize


class DensityMapEstimator(nn.Module):
    """Three columns of large, medium and small kernels, with two poolings each.

    The paper draws its columns in a figure that we could not read and calls them deeper
    than MCNN's. These are MCNN's with one more convolution, which is a guess.

    Attributes:
      columns: convolutions of each column as (features, kernel size); a 2x2 pooling
        follows the first and the second.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> dme, image = DensityMapEstimator(), jnp.zeros((1, 64, 96, 3))
      >>> features, _ = dme.init_with_output(jax.random.key(0), image)
      >>> features.shape
      (1, 16, 24, 30)

    Reference: Sindagi & Patel, ICCV 2017, section 3.3.
    """

    columns: Sequence[Sequence[tuple[int, int]]] = Model.dme_columns

    @nn.compact
    def __call__(self, image: jax.Array, valid: jax.Array | None = None) -> jax.Array:
        """Extracts features of an image.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], H and W multiples of 4.
          valid: `[B, H, W, 1]` mask of `valid_area`; None: the whole image.

        Returns:
          `[B, H / 4, W / 4, C]`, C the sum of the columns' last features (30).

        Raises:
          ValueError: H or W is not a multiple of 4.
        """
        return multi_column_features(normalize(image), self.columns, valid)

    def chains(self) -> list[list[Layer]]:
        """Lists each column's layers along one axis, from the image to the features."""
        return [_list_layers(column) for column in self.columns]


def multi_column_features(
    x: jax.Array,
    columns: Sequence[Sequence[tuple[int, int]]],
    valid: jax.Array | None = None,
) -> jax.Array:
    """Applies parallel columns; their weights belong to the calling module.

    Args:
      x: `[B, H, W, C]`, H and W multiples of 4.
      columns: convolutions of each column as (features, kernel size).
      valid: `[B, H, W, 1]` mask of `valid_area`; None: the whole input.

    Returns:
      `[B, H / 4, W / 4, C']`, C' the sum of the columns' last features.

    Raises:
      ValueError: H or W is not a multiple of 4.
    """
    height, width = x.shape[1:3]
    if height % 4 or width % 4:
        raise ValueError(
            f"columns need a height and width that are multiples of 4, got "
            f"{height}x{width}; CPCNN pads its images"
        )
    x = keep_valid(x, valid)
    features = [
        _apply_column(x, column, valid, name=f"column{number}")
        for number, column in enumerate(columns, start=1)
    ]
    return jnp.concatenate(features, axis=-1)


def _apply_column(x, convolutions, valid, name):
    for layer, (features, side) in enumerate(convolutions, start=1):
        x = nn.Conv(
            features,
            (side, side),
            conv_general_dilated=folded_conv,
            kernel_init=nn.initializers.he_normal(),
            name=f"{name}_conv{layer}",
        )(x)
        x = keep_valid(nn.relu(x), valid)
        if layer <= 2:
            x, valid = max_pool(x), halve(valid)
    return x


def _list_layers(convolutions):
    chain = []
    for layer, (_, side) in enumerate(convolutions, start=1):
        chain.append(Layer(side, p=((side - 1) // 2, side // 2)))  # "SAME"
        if layer <= 2:
            chain.append(Layer(2, s=2))
    return chain
