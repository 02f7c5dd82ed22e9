"""Density of a whole image by a network of one's own."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence

import jax
import numpy as np
from flax import linen as nn

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.inference import tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models.custom_network import CustomNetwork, cell_side
from cpcnn_jax.models.params import to_variables


class CustomEstimator:
    """A `CustomNetwork` on one image at a time.

    A network with a method `chains`, the layers of `layers.arithmetic` from the image
    to its map, computes large images in tiles, in bounded memory. Without this method
    an image is computed in one piece.

    Args:
      model: the network.
      tile_size: largest side of a tile, pixels; None: `tiling.TILE_SIZE`.
      devices: devices that share the tiles; default: all of this process.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """

    def __init__(
        self,
        model: CustomNetwork,
        *,
        tile_size: int | None = None,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        """Prepares the program; each size of tiles compiles at its first use."""
        cell = cell_side(model)
        self._multiple = math.lcm(cell, 4)
        self._cover, self._devices = _one_tile, devices
        if hasattr(model.network, "chains"):
            chains = model.network.chains()
            size = tile_size or tiling.TILE_SIZE
            self._cover = functools.partial(
                tiling.tile_axis,
                tile_size=size // self._multiple * self._multiple,
                halo=tiling.receptive_margin(
                    chains, multiple=self._multiple, cell=cell
                ),
            )
            self._cover(PATCH)  # raises an error if the tile is too small
        self._tile = jax.jit(_tile_estimator(model))

    def estimate(
        self,
        params: Mapping[str, jax.Array],
        image: np.ndarray,
        progress: Callable = iter,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Computes the density map.

        Args:
          params: flat parameter dict.
          image: `[H, W, 3]` uint8, or float32 in [0, 1], sides of at least 64 pixels.
          progress: function that wraps the list of tiles, such as tqdm.

        Returns:
          `[H, W]` float32, people per pixel, and an empty dict.
        """
        shape = [side + -side % self._multiple for side in image.shape[:2]]

        def estimate_tile(job):
            pixels = image_io.padded_window(image, *(tile.span for tile in job))
            return self._tile(params, pixels[None], tuple(tile.area for tile in job))

        jobs, size = progress(tiling.cover_image(shape, self._cover)), image.shape[:2]
        return tiling.join_tiles(estimate_tile, jobs, size, self._devices), {}


def _one_tile(length):
    size = length + -length % PATCH
    return [tiling.Tile(0, size, length, (0, length))]


def _tile_estimator(model):
    def estimate(params, image, area):
        with nn.intercept_methods(tiling.zero_outside(image.shape[1:3], area)):
            density, _ = model.apply(to_variables(params), image)
        return density[0, ..., 0]

    return estimate
