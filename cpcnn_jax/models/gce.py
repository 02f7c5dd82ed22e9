"""GCE, the global context estimator: how dense is this whole image?"""

from collections.abc import Sequence

import jax
from flax import linen as nn

from cpcnn_jax.config import Model
from cpcnn_jax.models.classifier_head import ClassifierHead
from cpcnn_jax.models.vgg import VGG16Features

SIDE = 224  # pixels: what VGG-16 was trained on; every image is resized to it


class GlobalContextEstimator(nn.Module):
    """VGG-16's convolutions and a new FC head: an image's density class.

    The paper trains the last two convolutions and the head, and leaves ImageNet's
    weights in the others (`context_stages.py` does so). It does not say the widths of
    the head; 512-256 are those of the author's other network.

    Attributes:
      width: of VGG-16, 1 for the real one.
      head: widths of the first two FC layers.
      num_classes: density classes, from very low to very high.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> gce, image = GlobalContextEstimator(width=0.125), jnp.zeros((1, 96, 128, 3))
      >>> logits, _ = gce.init_with_output(jax.random.key(0), image)
      >>> logits.shape
      (1, 5)

    Reference: Sindagi & Patel, ICCV 2017, section 3.1.
    """

    width: float = Model.vgg_width_multiplier
    head: Sequence[int] = Model.gce_hidden_dims
    num_classes: int = Model.num_classes

    @nn.compact
    def __call__(self, image, *, dropout_keys=None):
        """Classify images by density.

        Args:
          image: `[B, H, W, 3]` in [0, 1], any size: resized to 224 x 224 here.
          dropout_keys: `[B]` keys in training; None: no dropout.

        Returns:
          logits `[B, num_classes]`.
        """
        shape = (len(image), SIDE, SIDE, image.shape[-1])
        x = jax.image.resize(image, shape, method="bilinear")
        x = VGG16Features(self.width, name="vgg16")(x)
        head = ClassifierHead(self.head, self.num_classes, name="head")
        return head(x, dropout_keys=dropout_keys)
