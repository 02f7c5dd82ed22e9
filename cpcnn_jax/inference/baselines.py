"""Estimators of MCNN and CSRNet for whole images of any size."""

import functools
import itertools
from collections.abc import Callable

import jax
import numpy as np
from flax import linen as nn
from PIL import Image

from cpcnn_jax.inference import tiling
from cpcnn_jax.inference.density_resize import resize_density
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import csrnet
from cpcnn_jax.models.context_map import POOLING
from cpcnn_jax.models.csrnet import CSRNet
from cpcnn_jax.models.mcnn import MCNN
from cpcnn_jax.models.params import to_variables

Estimator = Callable[..., np.ndarray]


def mcnn_estimator(model: MCNN, *, tile_size: int | None = None) -> Estimator:
    """Makes a function that estimates the density of an image with MCNN.

    The image is converted to gray and resized to multiples of 4 pixels, and its density
    is resized back.

    Args:
      model: the network.
      tile_size: largest side of a tile, pixels; None: `tiling.TILE_SIZE`.

    Returns:
      estimate(weights, image, progress=iter). It takes a flat parameter dict, an image
      `[H, W, 3]`, uint8 or float32 in [0, 1], sides of at least 4 pixels, and a
      function that wraps the list of tiles. It returns `[H, W]` float32, people per
      pixel.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """
    estimate_cells = _cell_estimator(
        lambda variables, gray: model.apply(variables, gray * 255),
        tiling.receptive_margin(model.chains(), multiple=POOLING, cell=POOLING),
        cell=POOLING,
        tile_size=tile_size,
    )

    def estimate(weights, image, progress=iter):
        height, width = image.shape[:2]
        size = (width // POOLING * POOLING, height // POOLING * POOLING)
        levels = image if image.dtype == np.uint8 else np.uint8(np.rint(image * 255))
        gray = Image.fromarray(levels).convert("L")
        pixels = np.asarray(gray.resize(size, Image.Resampling.BILINEAR))[..., None]
        density = estimate_cells(weights, pixels, progress)
        return resize_density(density, (height, width))

    return estimate


def csrnet_estimator(model: CSRNet, *, tile_size: int | None = None) -> Estimator:
    """Makes a function that estimates the density of an image with CSRNet.

    The network's poolings drop up to 7 rows and columns at the end of the image.

    Args:
      model: the network.
      tile_size: largest side of a tile, pixels; None: `tiling.TILE_SIZE`.

    Returns:
      A function like that of `mcnn_estimator`, for sides of at least 8 pixels.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """
    cell = csrnet.STRIDE
    halo = tiling.receptive_margin(model.chains(), multiple=cell, cell=cell)
    estimate_cells = _cell_estimator(model.apply, halo, cell=cell, tile_size=tile_size)

    def estimate(weights, image, progress=iter):
        return resize_density(estimate_cells(weights, image, progress), image.shape[:2])

    return estimate


def find_baseline(name: str) -> tuple[nn.Module, int, Callable[..., Estimator]]:
    """Returns (module, channels of its input, its estimator) of "mcnn" or "csrnet"."""
    if name == "mcnn":
        return MCNN(), 1, mcnn_estimator
    return CSRNet(), 3, csrnet_estimator


def _cell_estimator(apply, halo, *, cell, tile_size):
    """Makes a function of an image that returns people per cell, for whole cells."""
    tile_size = (tiling.TILE_SIZE if tile_size is None else tile_size) // cell * cell
    cover = functools.partial(tiling.tile_axis, tile_size=tile_size, halo=halo)
    cover(64)  # raises an error if the tile is too small

    @jax.jit
    def density(weights, image, area):
        with nn.intercept_methods(tiling.zero_outside(image.shape[1:3], area)):
            return apply(to_variables(weights), image)[0, ..., 0]

    def estimate_cells(weights, image, progress):
        shape = image.shape[:2]
        cells = np.empty([-(-side // cell) for side in shape], np.float32)
        rows, columns = (cover(side * cell) for side in cells.shape)
        for tiles in progress(list(itertools.product(rows, columns))):
            pixels = image_io.padded_window(image, *(tile.span for tile in tiles))
            sides = zip(tiles, shape, strict=True)
            area = tuple(min(tile.size, side - tile.start) for tile, side in sides)
            values = np.asarray(density(weights, pixels[None], area))
            keep = tuple(_to_cells(slice(*tile.keep), cell) for tile in tiles)
            cells[keep] = values[tuple(_to_cells(t.inner, cell) for t in tiles)]
        return cells[tuple(slice(side // cell) for side in shape)]

    return estimate_cells


def _to_cells(pixels, cell):
    return slice(pixels.start // cell, pixels.stop // cell)
