"""Photographs of any size through MCNN and CSRNet; CP-CNN's counterpart is `tiles`."""

import functools
import itertools

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


def mcnn_estimator(model, *, tile_size=tiling.TILE):
    """A photograph is greyed, resized to multiples of 4, and its map sized back.

    Args:
      model: MCNN.
      tile_size: pixels, the largest side of what is computed at once.

    Returns:
      estimate(weights, image, progress): a flat dict of weights, `[H, W, 3]` uint8 or
      float32 in [0, 1], both sides at least 4, and a function through which the list
      of tiles is passed, to the density `[H, W]` float32.

    Raises:
      ValueError: the tile is nearly all halo.
    """
    cells = _tiled(
        lambda variables, grey: model.apply(variables, grey * 255),
        tiling.receptive_margin(model.chains(), multiple=POOLING, cell=POOLING),
        cell=POOLING,
        tile_size=tile_size,
    )

    def estimate(weights, image, progress=iter):
        height, width = image.shape[:2]
        size = (width // POOLING * POOLING, height // POOLING * POOLING)
        grey = Image.fromarray(_bytes(image)).convert("L")
        grey = np.asarray(grey.resize(size, Image.Resampling.BILINEAR))
        return resize_density(
            cells(weights, grey[..., None], progress), (height, width)
        )

    return estimate


def csrnet_estimator(model, *, tile_size=tiling.TILE):
    """The map of a photograph as it is, which what its poolings leave over is not in.

    Args:
      model: CSRNet.
      tile_size: as of `mcnn_estimator`.

    Returns:
      As of `mcnn_estimator`; both sides at least 8.

    Raises:
      ValueError: the tile is nearly all halo.
    """
    cell = csrnet.STRIDE
    halo = tiling.receptive_margin([csrnet.chain()], multiple=cell, cell=cell)
    cells = _tiled(model.apply, halo, cell=cell, tile_size=tile_size)

    def estimate(weights, image, progress=iter):
        return resize_density(cells(weights, image, progress), image.shape[:2])

    return estimate


def find_baseline(name):
    """What it takes to count with one of them.

    Args:
      name: "mcnn" or "csrnet".

    Returns:
      (module, channels of its photographs, its estimator above).
    """
    if name == "mcnn":
        return MCNN(), 1, mcnn_estimator
    return CSRNet(), 3, csrnet_estimator


def _bytes(image):
    return image if image.dtype == np.uint8 else np.uint8(np.rint(image * 255))


def _tiled(apply, halo, *, cell, tile_size):
    """The cells of a photograph, as without tiles; those over its end are dropped."""
    cover = functools.partial(
        tiling.tile_axis, tile_size=tile_size // cell * cell, halo=halo
    )
    cover(64)  # checks

    @jax.jit
    def density(weights, image, area):
        with nn.intercept_methods(tiling.masked_outside(image.shape[1:3], area)):
            return apply(to_variables(weights), image)[0, ..., 0]

    def cells(weights, image, progress):
        shape = image.shape[:2]
        whole = np.empty([-(-side // cell) for side in shape], np.float32)
        rows, columns = (cover(side * cell) for side in whole.shape)
        for pieces in progress(list(itertools.product(rows, columns))):
            pixels = image_io.padded_window(image, *(piece.span for piece in pieces))
            ends = zip(pieces, shape, strict=True)
            area = tuple(min(p.size, side - p.start) for p, side in ends)
            found = np.asarray(density(weights, pixels[None], area))
            keep = tuple(_in_cells(slice(*piece.keep), cell) for piece in pieces)
            whole[keep] = found[tuple(_in_cells(p.inner, cell) for p in pieces)]
        return whole[tuple(slice(side // cell) for side in shape)]

    return cells


def _in_cells(pixels, cell):
    return slice(pixels.start // cell, pixels.stop // cell)
