"""GCE, the global context estimator: classifies a whole image by density."""

from collections.abc import Sequence

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.models.classifier_head import ClassifierHead
from cpcnn_jax.models.vgg import VGG16Features

SIDE = 224  # pixels, VGG-16's training size; every image is resized to it


class GlobalContextEstimator(nn.Module):
    """VGG-16's convolutions and a new FC head: an image's density class.

    The paper trains the last two convolutions and the head, and keeps ImageNet's
    weights in the others, as `training.classifier_stages` does. It does not print the
    widths of the head; 512-256 are those of the author's other network.

    Attributes:
      vgg_width_multiplier: multiplies VGG-16's features; 1 fits its weights.
      hidden_dims: widths of the first two FC layers.
      num_classes: density classes, from very low to very high.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> gce = GlobalContextEstimator(vgg_width_multiplier=0.125)
      >>> image = jnp.zeros((1, 96, 128, 3))
      >>> logits, _ = gce.init_with_output(jax.random.key(0), image)
      >>> logits.shape
      (1, 5)

    Reference: Sindagi & Patel, ICCV 2017, section 3.1.
    """

    vgg_width_multiplier: float = Model.vgg_width_multiplier
    hidden_dims: Sequence[int] = Model.gce_hidden_dims
    num_classes: int = Model.num_classes

    @nn.compact
    def __call__(
        self, image: jax.Array, *, dropout_keys: jax.Array | None = None
    ) -> jax.Array:
        """Classifies images by density.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], of any size; resized to 224 x 224 here.
          dropout_keys: PRNG keys `[B]` in training; None: no dropout.

        Returns:
          Logits `[B, num_classes]`.
        """
        shape = (len(image), SIDE, SIDE, image.shape[-1])
        x = jax.image.resize(image, shape, method="bilinear")
        x = VGG16Features(self.vgg_width_multiplier, name="vgg16")(x)
        head = ClassifierHead(self.hidden_dims, self.num_classes, name="head")
        return head(x, dropout_keys=dropout_keys)
