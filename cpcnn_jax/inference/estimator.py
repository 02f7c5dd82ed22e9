"""Density of a whole image of any size, for each architecture."""

from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np

from cpcnn_jax.inference import context_scores, tiling
from cpcnn_jax.inference.custom_estimator import CustomEstimator
from cpcnn_jax.inference.shared_estimator import SharedBackboneEstimator
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.custom_network import CustomNetwork
from cpcnn_jax.models.networks import Network
from cpcnn_jax.models.shared_backbone import SharedBackbone

Params = Mapping[str, jax.Array]
Scores = dict[str, np.ndarray]


class WholeImageEstimator:
    """CP-CNN on one image at a time, in bounded memory: scores first, then tiles.

    Args:
      model: the networks.
      blocks: blocks per image side for the GCE.
      tile_size: largest side of a tile, pixels; None: `tiling.TILE_SIZE`.
      devices: devices that share the tiles; default: all of this process.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """

    def __init__(
        self,
        model: CPCNN,
        *,
        blocks: int,
        tile_size: int | None = None,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        """Prepares the functions; each tile size compiles at its first use."""
        self._model, self._blocks = model, blocks
        self._score = context_scores.context_estimator(model)
        self._density = tiling.density_estimator(
            model, tile_size=tile_size, devices=devices
        )

    def estimate(
        self, params: Params, image: np.ndarray, progress: Callable = iter
    ) -> tuple[np.ndarray, Scores]:
        """Computes the density map and the class scores.

        Args:
          params: flat parameter dict.
          image: `[H, W, 3]` uint8, or float32 in [0, 1], sides of at least 64 pixels.
          progress: function that wraps each list of work, such as tqdm.

        Returns:
          The results of `density` and of `scores`.
        """
        scores = self.scores(params, image, progress)
        return self.density(params, image, scores, progress), scores

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


def make_estimator(
    model: Network, *, blocks: int, tile_size: int | None = None
) -> WholeImageEstimator | SharedBackboneEstimator | CustomEstimator:
    """Makes the estimator of a network; counting, evaluation and export use it.

    Args:
      model: the network.
      blocks: blocks per image side for the GCE of a `CPCNN`.
      tile_size: largest side of a tile, pixels; None: the default of the network.

    Raises:
      ValueError: the tile is too small for the network.
    """
    if isinstance(model, SharedBackbone):
        return SharedBackboneEstimator(model, tile_size=tile_size)
    if isinstance(model, CustomNetwork):
        return CustomEstimator(model, tile_size=tile_size)
    return WholeImageEstimator(model, blocks=blocks, tile_size=tile_size)
