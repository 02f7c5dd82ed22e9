"""LCE, the local context estimator: classifies 64x64 patches by density."""

from collections.abc import Sequence

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.layers.fast_conv import max_pool, valid_conv
from cpcnn_jax.models.classifier_head import ClassifierHead
from cpcnn_jax.models.vgg import VGG16Features, normalize


class LocalContextEstimator(nn.Module):
    """Convolutions with pooling, then three FC layers: a patch's density class.

    The convolutions are VALID (no padding), so a patch's scores do not depend on its
    place in the image. VGG-16's convolutions are padded, as in its training. With them
    the input may be larger: each of its 64x64 patches is classified, and a patch's
    receptive field includes its neighbors.

    Attributes:
      features: features of each block of two 3x3 convolutions and a 2x2 pooling. The
        paper's are in a figure that we could not read.
      hidden_dims: widths of the first two FC layers.
      num_classes: density classes.
      vgg_blocks: VGG-16 blocks instead of the blocks of `features`; 0: none. Departs
        from the paper, whose LCE starts untrained as far as we could read.
      vgg_width_multiplier: multiplies VGG-16's features; 1 fits its weights.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> lce, patch = LocalContextEstimator((8, 8, 8)), jnp.zeros((2, 64, 64, 3))
      >>> logits, _ = lce.init_with_output(jax.random.key(0), patch)
      >>> logits.shape
      (2, 5)

    Reference: Sindagi & Patel, ICCV 2017, section 3.2.
    """

    features: Sequence[int] = Model.lce_features
    hidden_dims: Sequence[int] = Model.lce_hidden_dims
    num_classes: int = Model.num_classes
    vgg_blocks: int = Model.lce_vgg_blocks
    vgg_width_multiplier: float = Model.vgg_width_multiplier

    @nn.compact
    def __call__(
        self, patch: jax.Array, *, dropout_keys: jax.Array | None = None
    ) -> jax.Array:
        """Classifies patches by density.

        Args:
          patch: `[B, 64, 64, 3]` RGB in [0, 1]; with VGG-16's blocks `[B, H, W, 3]`, H
            and W multiples of 64.
          dropout_keys: PRNG keys `[B]` in training; None: no dropout.

        Returns:
          Logits `[B, num_classes]`, or `[B, H / 64, W / 64, num_classes]` for larger
          inputs.

        Raises:
          ValueError: the input has another size.
        """
        _check_size(patch.shape, allow_larger=self.vgg_blocks)
        rows, columns = (side // PATCH for side in patch.shape[1:3])
        if self.vgg_blocks:
            width = self.vgg_width_multiplier
            x = VGG16Features(width, self.vgg_blocks, name="vgg16")(patch)
        else:
            x = self._convolve(normalize(patch))
        head = ClassifierHead(self.hidden_dims, self.num_classes, name="head")
        if rows == columns == 1:
            return head(x, dropout_keys=dropout_keys)
        if dropout_keys is not None:
            split = jax.vmap(lambda key: jax.random.split(key, rows * columns))
            dropout_keys = split(dropout_keys).reshape(-1)
        logits = head(_split_patches(x, rows, columns), dropout_keys=dropout_keys)
        return logits.reshape(len(patch), rows, columns, -1)

    def _convolve(self, x):
        for block, features in enumerate(self.features, start=1):
            for layer in (1, 2):
                x = nn.Conv(
                    features,
                    (3, 3),
                    padding="VALID",
                    conv_general_dilated=valid_conv,
                    kernel_init=nn.initializers.he_normal(),
                    name=f"conv{block}_{layer}",
                )(x)
                x = nn.relu(x)
            x = max_pool(x)
        return x


def _check_size(shape, *, allow_larger):
    if allow_larger and not any(side % PATCH for side in shape[1:3]):
        return
    if shape[1:3] != (PATCH, PATCH):
        or_more = " or multiples of it" if allow_larger else ""
        raise ValueError(f"LCE needs patches of 64x64 pixels{or_more}, got {shape}")


def _split_patches(x, rows, columns):
    """Splits features into those of each patch, `[B * rows * columns, h, w, C]`."""
    batch, height, width, features = x.shape
    x = x.reshape(batch, rows, height // rows, columns, width // columns, features)
    return x.swapaxes(2, 3).reshape(-1, *x.shape[2:3], *x.shape[4:])
