"""CP-CNN: GCE, LCE, DME and F-CNN composed, from an image to its density map."""

import dataclasses
from collections.abc import Mapping, Sequence

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
    """GCE and LCE estimate context, DME extracts features, F-CNN fuses them.

    Attributes:
      gce: global context; None omits it (a row of the paper's ablation).
      lce: local context; None omits it.
      dme: features at a quarter of the size.
      fcnn: fusion of features and context into density.
      blocks: blocks per image side for the GCE; 4 as in the paper, so that a block has
        the size of a training crop.
      lce_stride: pixels between LCE's windows of 64x64 pixels.
      density_scale: ratio of fcnn's output to the density.

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
    dme: DensityMapEstimator = dataclasses.field(default_factory=DensityMapEstimator)
    fcnn: FusionCNN | PointwiseFusion = dataclasses.field(default_factory=FusionCNN)
    blocks: int = 4
    lce_stride: int = config.Model.lce_stride
    density_scale: float = config.Model.density_scale

    def __call__(
        self,
        image: jax.Array,
        *,
        context: jax.Array | None = None,
        valid: jax.Array | None = None,
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Estimates density.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], H and W at least 64.
          context: `[B, H' / 4, W' / 4, K]` from `context`, H' and W' rounded up to
            multiples of 4; None: computed here.
          valid: `[B, H, W, 1]` mask of `valid_area`, H and W multiples of 4, with a
            context; None: the whole image.

        Returns:
          Density `[B, H, W, 1]`, people per pixel (its sum is the count), and a dict of
          intermediates: `features` `[B, H' / 4, W' / 4, 30]` and `context`.

        Raises:
          ValueError: the image is not `[B, H, W, 3]` or is smaller than 64 x 64.
        """
        if context is None:
            context = self.context(image)
        height, width = image.shape[1:3]
        features = self.dme(_pad_image(image), valid)
        scaled = self.fcnn(jnp.concatenate([features, context], axis=-1), valid)
        density = scaled[:, :height, :width] / self.density_scale
        return density, {"features": features, "context": context}

    def context(self, image: jax.Array, *, blocks: int | None = None) -> jax.Array:
        """Computes the context maps: global scores, then local scores.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], H and W at least 64.
          blocks: blocks per image side for the GCE; None: `self.blocks`.

        Returns:
          `[B, H' / 4, W' / 4, K]`, H' and W' rounded up to multiples of 4; K = 10, or 5
          or 0 where networks are omitted.
        """
        return self.spread(self.scores(image, blocks=blocks), image)

    def scores(
        self, image: jax.Array, *, blocks: int | None = None
    ) -> dict[str, jax.Array]:
        """Classifies each block with GCE and each window with LCE.

        Args:
          image: `[B, H, W, 3]` RGB in [0, 1], H and W at least 64.
          blocks: blocks per image side for the GCE; None: `self.blocks`. A training
            crop is one block.

        Returns:
          Softmax scores {"global": `[B, blocks, blocks, 5]`, "local": `[B, n, m, 5]`},
          without omitted networks; n x m is the grid of LCE's windows.

        Raises:
          ValueError: the image is not `[B, H, W, 3]` or is smaller than 64 x 64.
        """
        image = _pad_image(image)
        networks = {"global": self.gce, "local": self.lce}
        grids = self.grids(image.shape[1:3], blocks=blocks)
        return {
            name: _score_windows(networks[name], image, *spans)
            for name, spans in grids.items()
        }

    def grids(
        self, shape: Sequence[int], *, blocks: int | None = None
    ) -> dict[str, list[list[maps.Span]]]:
        """Places GCE's blocks and LCE's windows.

        Args:
          shape: (H', W') in pixels, multiples of 4.
          blocks: blocks per image side for the GCE; None: `self.blocks`.

        Returns:
          {"global": [rows, columns], "local": [rows, columns]}, without omitted
          networks; rows and columns are (start, stop) spans along H' and W', pixels.
        """
        grids = {}
        if self.gce is not None:
            blocks = blocks or self.blocks
            grids["global"] = [maps.block_spans(side, blocks) for side in shape]
        if self.lce is not None:
            place = {"window": PATCH, "stride": self.lce_stride}
            grids["local"] = [maps.window_spans(side, **place) for side in shape]
        return grids

    def spread(self, scores: Mapping[str, jax.Array], image: jax.Array) -> jax.Array:
        """Writes scores over their blocks and windows.

        Args:
          scores: from `scores`.
          image: the image of the scores, `[B, H, W, 3]`; only its shape is used.

        Returns:
          Context maps `[B, H' / 4, W' / 4, K]`, as returned by `context`.
        """
        batch, *shape, _ = _pad_image(image).shape
        context = [jnp.zeros((batch, shape[0] // 4, shape[1] // 4, 0))]
        blocks = scores["global"].shape[1] if "global" in scores else None
        for name, (rows, columns) in self.grids(shape, blocks=blocks).items():
            context.append(
                maps.context_map(scores[name], shape=shape, rows=rows, columns=columns)
            )
        return jnp.concatenate(context, axis=-1)


def _score_windows(classifier, image, rows, columns):
    logits = classifier(maps.cut_windows(image, rows, columns))
    return maps.to_grid(jax.nn.softmax(logits), (len(rows), len(columns)))


def _pad_image(image):
    """Repeats the last row and column until both sides are multiples of 4."""
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
    """Builds the CP-CNN of a configuration.

    Example:
      >>> build(config.Model(use_gce=False)).gce is None
      True
    """
    gce = GlobalContextEstimator(
        model.vgg_width_multiplier, model.gce_hidden_dims, model.num_classes
    )
    lce = LocalContextEstimator(
        model.lce_features, model.lce_hidden_dims, model.num_classes
    )
    fcnn = FusionCNN(model.upsample_kernel_size)
    return CPCNN(
        gce=gce if model.use_gce else None,
        lce=lce if model.use_lce else None,
        dme=DensityMapEstimator(model.dme_columns),
        fcnn=fcnn if model.use_fcnn else PointwiseFusion(),
        lce_stride=model.lce_stride,
        density_scale=model.density_scale,
    )
