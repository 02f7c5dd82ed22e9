"""CP-CNN with one shared backbone: one VGG-16 pass for DME, GCE and LCE."""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax import config
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.layers.arithmetic import Layer
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models import vgg
from cpcnn_jax.models.classifier_head import ClassifierHead
from cpcnn_jax.models.fcnn import FusionCNN
from cpcnn_jax.models.feature_decoder import FeatureDecoder

BLOCK = 192  # pixels, the side of GCE's blocks; images are padded to multiples of it
CELL = 16  # pixels per cell of VGG-16's last features
HIDDEN_DIMS = (256,)  # of both heads
Logits = dict[str, jax.Array]


class ContextFeatures(nn.Module):
    """CR(256,3): features for GCE and LCE from those of VGG-16.

    Attributes:
      width_multiplier: multiplies the features.
    """

    width_multiplier: float = config.Model.vgg_width_multiplier

    @nn.compact
    def __call__(self, c5: jax.Array) -> jax.Array:
        """Convolves `[B, h, w, C]` to `[B, h, w, 256 * width_multiplier]`."""
        features = int(256 * self.width_multiplier)
        init = nn.initializers.he_normal()
        return nn.relu(nn.Conv(features, (3, 3), kernel_init=init, name="conv")(c5))


class SharedBackbone(nn.Module):
    """One VGG-16 gives the features of DME, GCE and LCE; the paper's F-CNN fuses them.

    Departs from the paper: its DME, GCE and LCE have separate convolutions, which take
    most of the time. One backbone serves all three and learns from all their losses.
    GCE classifies blocks of 192x192 pixels and not resized quarters of the image, so
    that its classes mean the same in images of any size. Images are padded with zeros
    to multiples of 192 pixels.

    Attributes:
      stem, pyramid: the backbone, VGG-16 in two parts.
      dme: decoder of the backbone's features to a quarter of the size.
      context_features: features that GCE and LCE share.
      gce: global context, the class of each block; None omits it.
      lce: local context, the class of each window; None omits it.
      fcnn: fusion of features and context into density.
      density_scale: ratio of fcnn's output to the density.

    Example:
      >>> model = build(config.Model(vgg_width_multiplier=0.125))
      >>> image = jnp.zeros((1, 70, 101, 3))
      >>> init = lambda key: model.init_with_output(key, image)[0]
      >>> density, aux = jax.eval_shape(init, jax.random.key(0))
      >>> density.shape, aux["context"].shape
      ((1, 70, 101, 1), (1, 48, 48, 18))

    Reference: Sindagi & Patel, ICCV 2017, section 3 for the four parts.
    """

    stem: vgg.VGG16Stem = dataclasses.field(default_factory=vgg.VGG16Stem)
    pyramid: vgg.VGG16Pyramid = dataclasses.field(default_factory=vgg.VGG16Pyramid)
    dme: FeatureDecoder = dataclasses.field(default_factory=FeatureDecoder)
    context_features: ContextFeatures = dataclasses.field(
        default_factory=ContextFeatures
    )
    gce: ClassifierHead | None = dataclasses.field(
        default_factory=lambda: _make_head(config.Model.gce_thresholds)
    )
    lce: ClassifierHead | None = dataclasses.field(
        default_factory=lambda: _make_head(config.Model.lce_thresholds)
    )
    fcnn: FusionCNN = dataclasses.field(default_factory=FusionCNN)
    density_scale: float = config.Model.density_scale

    def __call__(self, image: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Estimates density.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], H and W at least 64.

        Returns:
          Density `[B, H, W, 1]`, people per pixel (its sum is the count), and a dict of
          intermediates: `features` `[B, H' / 4, W' / 4, 64]`, `context` `[B, H' / 4,
          W' / 4, K]` and the logits of `classify`. H' and W' are H and W rounded up to
          multiples of 192.

        Raises:
          ValueError: the image is not `[B, H, W, 3]` or is smaller than 64 x 64.
        """
        height, width = image.shape[1:3]
        features, cells = self.encode(self.stem(pad_image(image)))
        logits = self.classify(cells)
        context = self.spread(logits, features.shape)
        density = self.fuse(features, context)[:, :height, :width]
        return density, {"features": features, "context": context, **logits}

    def encode(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Extracts features of DME and of the context.

        Args:
          x: `[B, h, w, 128]` from `stem`, h and w multiples of 4.

        Returns:
          DME's features `[B, h, w, 64]` and the context's `[B, h / 4, w / 4, C]`; C is
          256, or 0 without GCE and LCE.
        """
        c3, c4, c5 = self.pyramid(x)
        no_context = self.gce is None and self.lce is None
        cells = c5[..., :0] if no_context else self.context_features(c5)
        return self.dme(c3, c4, c5), cells

    def classify(self, cells: jax.Array) -> Logits:
        """Classifies each block with GCE and each window with LCE.

        Args:
          cells: `[B, 12 n, 12 m, C]`, the context's features from `encode`.

        Returns:
          Logits {"global": `[B, n, m, 8]`, "local": `[B, 3 n, 3 m, 10]`}, without
          omitted heads.
        """
        heads = {"global": (self.gce, BLOCK), "local": (self.lce, PATCH)}
        return {
            name: _classify_means(head, cells, side // CELL)
            for name, (head, side) in heads.items()
            if head is not None
        }

    def spread(self, logits: Logits, shape: Sequence[int]) -> jax.Array:
        """Writes softmax scores over their blocks and windows.

        Args:
          logits: result of `classify`.
          shape: (B, h, w, ...) of the quarter-size features.

        Returns:
          `[B, h, w, K]`, first the global scores; K = 18, 8, 10 or 0.
        """
        context = [jnp.zeros((*shape[:3], 0))]
        for name, side in (("global", BLOCK), ("local", PATCH)):
            if name in logits:
                scores = jax.nn.softmax(logits[name])
                context.append(maps.repeat_cells(scores, side // maps.POOLING))
        return jnp.concatenate(context, axis=-1)

    def fuse(self, features: jax.Array, context: jax.Array) -> jax.Array:
        """Fuses features and context into density.

        Args:
          features: `[B, h, w, 64]` from `encode`.
          context: `[B, h, w, K]` from `spread`.

        Returns:
          `[B, 4 h, 4 w, 1]`, people per pixel.
        """
        context = context.astype(features.dtype)  # the scores are float32
        scaled = self.fcnn(jnp.concatenate([features, context], axis=-1))
        return scaled / self.density_scale

    def chains(self) -> list[list[Layer]]:
        """Lists layers along one axis, from the image to the features of `encode`.

        The first chain ends at DME's features, the second at the context's. Their
        receptive fields contain those of the chains that skip layers.
        """
        backbone = vgg.chain()
        return [[*backbone, *self.dme.chain()], [*backbone, Layer(3, p=1)]]


def _make_head(thresholds):
    return ClassifierHead(HIDDEN_DIMS, len(thresholds) + 1)


def _classify_means(head, cells, side):
    """Classifies the mean of each side x side cells, `[B, n, m, C] to [B, ., ., K]`."""
    means = nn.avg_pool(cells, (side, side), (side, side))
    return head(means.reshape(-1, means.shape[-1])).reshape(*means.shape[:-1], -1)


def pad_image(image: jax.Array) -> jax.Array:
    """Normalizes images and pads them with zeros at the bottom and at the right.

    Args:
      image: `[B, H, W, 3]` RGB in [0, 1], H and W at least 64.

    Returns:
      `[B, H', W', 3]`, H' and W' multiples of 192.

    Raises:
      ValueError: the image is not `[B, H, W, 3]` or is smaller than 64 x 64.
    """
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"SharedBackbone needs images [B, H, W, 3], got {image.shape}")
    height, width = image.shape[1:3]
    if height < PATCH or width < PATCH:  # the sizes may be symbolic
        raise ValueError(
            "SharedBackbone needs images of at least 64x64 pixels, got "
            f"{height}x{width}"
        )
    down, right = (-(-side // BLOCK) * BLOCK - side for side in (height, width))
    return jnp.pad(vgg.normalize(image), ((0, 0), (0, down), (0, right), (0, 0)))


def build(model: config.Model) -> SharedBackbone:
    """Builds the network of a configuration.

    Example:
      >>> build(config.Model(use_gce=False)).gce is None
      True
    """
    width = model.vgg_width_multiplier
    return SharedBackbone(
        stem=vgg.VGG16Stem(width),
        pyramid=vgg.VGG16Pyramid(width),
        dme=FeatureDecoder(width),
        context_features=ContextFeatures(width),
        gce=_make_head(model.gce_thresholds) if model.use_gce else None,
        lce=_make_head(model.lce_thresholds) if model.use_lce else None,
        fcnn=FusionCNN(model.upsample_kernel_size),
        density_scale=model.density_scale,
    )
