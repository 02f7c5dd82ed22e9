"""Density of a whole image of any size: context scores first, then tiles."""

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from cpcnn_jax.inference import context_scores, tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.cpcnn import CPCNN

Params = Mapping[str, jax.Array]
Scores = dict[str, np.ndarray]


class WholeImageEstimator:
    """CP-CNN on one image at a time, in bounded memory.

    Counting, validation, evaluation and export all estimate with this class.

    Args:
      model: the networks.
      blocks: blocks per image side for the GCE.
      tile_size: largest side of a tile, pixels.
      devices: devices that share the tiles; default: all of this process.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """

    def __init__(
        self,
        model: CPCNN,
        *,
        blocks: int,
        tile_size: int = tiling.TILE_SIZE,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        """Prepares the functions; each tile size compiles at its first use."""
        self._model, self._blocks = model, blocks
        self._score = context_scores.context_estimator(model)
        self._density = tiling.density_estimator(
            model, tile_size=tile_size, devices=devices
        )

    def scores(
        self, params: Params, image: np.ndarray, progress: Callable = iter
    ) -> Scores:
        """Computes the class scores of GCE's blocks and LCE's windows.

        Args:
          params: flat parameter dict.
          image: `[H, W, 3]` uint8, or float32 in [0, 1], sides of at least 64 pixels.
          progress: function that wraps each list of work, such as tqdm.

        Returns:
          "global" `[blocks, blocks, K]` and "local" `[n, m, K]`, without a network that
          the model leaves out.
        """
        return self._score(params, image, self._grids(image), progress)

    def density(
        self,
        params: Params,
        image: np.ndarray,
        scores: Scores,
        progress: Callable = iter,
    ) -> np.ndarray:
        """Computes the density map.

        Args:
          params: flat parameter dict.
          image: the image of the scores, `[H, W, 3]`.
          scores: the result of `scores`.
          progress: function that wraps the list of tiles, such as tqdm.

        Returns:
          `[H, W]` float32, people per pixel.
        """
        shape = image_io.padded_shape(image)
        context = context_scores.spread_scores(scores, self._grids(image), shape)
        return self._density(params, image, context, progress)

    def _grids(self, image):
        return self._model.grids(image_io.padded_shape(image), blocks=self._blocks)
