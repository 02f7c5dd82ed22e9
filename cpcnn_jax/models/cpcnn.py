"""CP-CNN, the four networks composed: a photograph in, a density map out."""

import dataclasses

import jax
import jax.numpy as jnp
from flax import linen as nn

from cpcnn_jax import config
from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.models import context_map as maps
from cpcnn_jax.models.dme import DensityMapEstimator
from cpcnn_jax.models.fcnn import FusionCNN, PointwiseFusion
from cpcnn_jax.models.gce import GlobalContextEstimator
from cpcnn_jax.models.lce import LocalContextEstimator


class CPCNN(nn.Module):
    """GCE and LCE give context, DME gives features, F-CNN fuses them into a map.

    Attributes:
      gce: global context; None leaves it out (a row of the paper's ablation).
      lce: local context; None leaves it out.
      dme: features at a quarter of the size.
      fcnn: the fusion.
      blocks: the photograph is cut into blocks x blocks for the GCE; 4 as in the paper,
        so that it sees what it was trained on: quarters of each side.
      lce_input_size: pixels, the side of what LCE looks at; less in smaller images.
      lce_stride: pixels between its looks.
      density_scale: fcnn's output is the density times this.

    Example:
      >>> model = CPCNN(gce=None, lce=None)
      >>> image = jnp.zeros((1, 70, 101, 3))
      >>> (density, aux), _ = model.init_with_output(jax.random.key(0), image)
      >>> density.shape, aux["features"].shape
      ((1, 70, 101, 1), (1, 18, 26, 30))

    Reference: Sindagi & Patel, ICCV 2017, section 3 and figure 2.
    """

    gce: GlobalContextEstimator | None = dataclasses.field(
        default_factory=GlobalContextEstimator
    )
    lce: LocalContextEstimator | None = dataclasses.field(
        default_factory=LocalContextEstimator
    )
    dme: nn.Module = dataclasses.field(default_factory=DensityMapEstimator)
    fcnn: nn.Module = dataclasses.field(default_factory=FusionCNN)
    blocks: int = 4
    lce_input_size: int = config.Model.lce_input_size
    lce_stride: int = config.Model.lce_stride
    density_scale: float = config.Model.density_scale

    def __call__(self, image, *, context=None):
        """Estimate density.

        Args:
          image: `[B, H, W, 3]` in [0, 1], H and W at least 64.
          context: `[B, H' / 4, W' / 4, K]` from `context`, H' and W' rounded up to
            multiples of 4; None: computed here.

        Returns:
          density `[B, H, W, 1]`, people per pixel: its sum is the count; and a dict of
          intermediates: `features` `[B, H' / 4, W' / 4, 30]` and `context`.

        Raises:
          ValueError: the image is not `[B, H, W, 3]` or smaller than 64 x 64.
        """
        if context is None:
            context = self.context(image)
        height, width = image.shape[1:3]
        features = self.dme(_padded(image))
        scaled = self.fcnn(jnp.concatenate([features, context], axis=-1))
        density = scaled[:, :height, :width] / self.density_scale
        return density, {"features": features, "context": context}

    def context(self, image, *, blocks=None):
        """The context maps: five global, then five local scores.

        Args:
          image: as in `__call__`.
          blocks: as in `scores`.

        Returns:
          `[B, H' / 4, W' / 4, K]`, K = 10, or 5 or 0 where a network is left out.

        Raises:
          ValueError: as in `__call__`.
        """
        return self.spread(self.scores(image, blocks=blocks), image)

    def scores(self, image, *, blocks=None):
        """What GCE says of each block and LCE of each window: their softmax scores.

        Args:
          image: as in `__call__`.
          blocks: how many blocks per side the GCE sees; None: the module's. A training
            crop, a quarter of a photograph already, is one block.

        Returns:
          {"global": `[B, blocks, blocks, 5]`, "local": `[B, n, m, 5]`} for n x m
          windows, without a network that is left out.

        Raises:
          ValueError: as in `__call__`.
        """
        image = _padded(image)
        networks = {"global": self.gce, "local": self.lce}
        grids = self.grids(image.shape[1:3], blocks=blocks)
        return {
            name: _scores(networks[name], image, *spans)
            for name, spans in grids.items()
        }

    def grids(self, shape, *, blocks=None):
        """Where GCE's blocks lie, and what LCE looks at.

        Args:
          shape: (H', W') in pixels, multiples of 4.
          blocks: as in `scores`.

        Returns:
          {"global": spans, "local": spans}, without a network that is left out; spans
          are the (start, stop) along H' and those along W'.
        """
        found = {}
        if self.gce is not None:
            blocks = blocks or self.blocks
            found["global"] = [maps.block_spans(side, blocks) for side in shape]
        if self.lce is not None:
            found["local"] = [self._looks(side) for side in shape]
        return found

    def _looks(self, length):
        window = min(self.lce_input_size, length // PATCH * PATCH)
        return maps.window_spans(length, window=window, stride=self.lce_stride)

    def spread(self, scores, image):
        """Write scores over the blocks and windows that they were given for.

        Args:
          scores: from `scores`.
          image: the image that they are of; only its shape matters.

        Returns:
          As `context`.

        Raises:
          ValueError: as in `__call__`.
        """
        shape = _padded(image).shape
        found = [jnp.zeros((shape[0], shape[1] // 4, shape[2] // 4, 0))]
        blocks = scores["global"].shape[1] if "global" in scores else None
        for name, (rows, columns) in self.grids(shape[1:3], blocks=blocks).items():
            where = {"shape": shape[1:3], "rows": rows, "columns": columns}
            found.append(maps.context_map(scores[name], **where))
        return jnp.concatenate(found, axis=-1)


def _scores(classifier, image, rows, columns):
    logits = classifier(maps.cut_windows(image, rows, columns))
    return maps.to_grid(jax.nn.softmax(logits), (len(rows), len(columns)))


def _padded(image):
    """Repeat the last row and column until both sides are multiples of 4."""
    if image.ndim != 4 or image.shape[-1] != 3:
        raise ValueError(f"CPCNN needs images [B, H, W, 3], got {image.shape}")
    height, width = image.shape[1:3]
    if min(height, width) < PATCH:
        raise ValueError(
            f"CPCNN needs images of at least 64x64 pixels, got {height}x{width}"
        )
    padding = ((0, 0), (0, -height % 4), (0, -width % 4), (0, 0))
    return jnp.pad(image, padding, mode="edge")


def build(model: config.Model) -> CPCNN:
    """The CP-CNN that a configuration describes.

    Example:
      >>> build(config.Model(use_gce=False)).gce is None
      True
    """
    gce = GlobalContextEstimator(
        model.vgg_width_multiplier, model.gce_hidden_dims, model.num_classes
    )
    lce = LocalContextEstimator(
        model.lce_features,
        model.lce_hidden_dims,
        model.num_classes,
        model.lce_vgg_blocks,
        model.vgg_width_multiplier,
    )
    fusion = (
        FusionCNN(model.upsample_kernel_size) if model.use_fcnn else PointwiseFusion()
    )
    return CPCNN(
        gce=gce if model.use_gce else None,
        lce=lce if model.use_lce else None,
        dme=DensityMapEstimator(model.dme_columns),
        fcnn=fusion,
        lce_input_size=model.lce_input_size,
        lce_stride=model.lce_stride,
        density_scale=model.density_scale,
    )
