"""Density of a whole image by one shared backbone: context and density in one pass."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from cpcnn_jax.config.constants import PATCH
from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.inference import block_tiles, tiling
from cpcnn_jax.io import image as image_io
from cpcnn_jax.models import vgg
from cpcnn_jax.models.context_map import POOLING
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.models.shared_backbone import BLOCK, CELL, SharedBackbone

STRIP = BLOCK  # pixels, height of the strips of the stem
STRIP_MARGIN = 8  # pixels above and below, at least the stem's receptive margin


class SharedBackboneEstimator:
    """A network with a shared backbone on one image at a time, in bounded memory.

    Args:
      model: the network.
      tile_size: largest side of a tile, pixels; None: those of `block_tiles.SIZES`.
      devices: devices that share the tiles; default: all of this process.

    Raises:
      ValueError: the tile is too small.
    """

    def __init__(
        self,
        model: SharedBackbone,
        *,
        tile_size: int | None = None,
        devices: Sequence[jax.Device] | None = None,
    ) -> None:
        """Prepares the program; each size of tiles compiles at its first use."""
        self._margin = block_tiles.block_margin(model)
        self._sizes = block_tiles.choose_sizes(tile_size, margin=self._margin)
        self._estimate_tile = jax.jit(_tile_estimator(model))
        self._devices = devices

    def estimate(
        self,
        params: Mapping[str, jax.Array],
        image: np.ndarray,
        progress: Callable = iter,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Computes the density map and the class scores.

        Args:
          params: flat parameter dict.
          image: `[H, W, 3]` uint8, or float32 in [0, 1], sides of at least 64 pixels.
          progress: function that wraps the list of tiles, such as tqdm.

        Returns:
          `[H, W]` float32, people per pixel, and softmax scores: "global" `[n, m, 8]`
          of blocks of 192x192 pixels and "local" `[3 n, 3 m, 10]` of windows of 64x64
          pixels, without an omitted head.
        """
        shape = [side + -side % BLOCK for side in image.shape[:2]]
        plan = block_tiles.plan_tiles(shape, self._sizes, margin=self._margin)

        def estimate_tile(job):
            row, column = (part.tile for part in job)
            pixels = image_io.padded_window(image, row.span, column.span)[None]
            inside = (image.shape[0] - row.start, image.shape[1] - column.start)
            area, offset = (row.area, column.area), tuple(part.offset for part in job)
            return self._estimate_tile(params, pixels, inside, area, offset)

        density, scores = np.empty(shape, np.float32), dict[str, np.ndarray]()
        jobs = progress(list(itertools.product(plan.rows, plan.columns)))
        results = data_parallel.map_over_devices(estimate_tile, jobs, self._devices)
        for (row, column), (values, classes) in results:
            inner = np.asarray(values)[row.tile.inner, column.tile.inner]
            density[slice(*row.tile.keep), slice(*column.tile.keep)] = inner
            _write_scores(scores, classes, row.blocks, column.blocks, shape)
        return density[: image.shape[0], : image.shape[1]], scores


def _write_scores(scores, classes, rows, columns, shape):
    """Writes the scores of a tile's blocks into the grids of the whole image."""
    for name, side in (("global", BLOCK), ("local", PATCH)):
        if name in classes:
            values, parts = np.asarray(classes[name])[0], BLOCK // side
            grid = [length // side for length in shape]
            whole = scores.setdefault(name, np.empty((*grid, values.shape[-1]), "f"))
            place = [slice(a * parts, b * parts) for a, b in (rows, columns)]
            n, m = ((b - a) * parts for a, b in (rows, columns))
            whole[tuple(place)] = values[:n, :m]


def _tile_estimator(model):
    """Makes a function of a tile that returns its density and its class scores.

    estimate(params, image, inside, area, offset) takes `[1, h, w, 3]` and, each along
    both axes in pixels, the part of the tile inside the image, that inside the padded
    image, and the start of the first block. Scores are those of whole blocks from this
    start on; the last of them can be incomplete.
    """

    def estimate(params, image, inside, area, offset):
        size, variables = image.shape[1:3], to_variables(params)
        x = tiling.zero_beyond(vgg.normalize(image), size, inside)
        x = _stem_in_strips(model, variables, x, area)
        with nn.intercept_methods(tiling.zero_outside(size, area)):
            features, cells = model.apply(variables, x, method="encode")
            cells = jnp.roll(cells, [-start // CELL for start in offset], axis=(1, 2))
            logits = model.apply(variables, cells, method="classify")
            context = model.apply(variables, logits, features.shape, method="spread")
            start = [start // POOLING for start in offset]
            context = jnp.roll(context, start, axis=(1, 2))
            density = model.apply(variables, features, context, method="fuse")
        return density[0, ..., 0], jax.tree.map(jax.nn.softmax, logits)

    return estimate


def _stem_in_strips(model, variables, x, area):
    """Computes the stem in strips of rows, one after the other, to save memory."""
    height, strip = x.shape[1], STRIP + 2 * STRIP_MARGIN

    def stem(first):
        start = jnp.clip(first - STRIP_MARGIN, 0, height - strip)
        rows = lax.dynamic_slice_in_dim(x, start, strip, axis=1)
        below = (area[0] - start, area[1])
        with nn.intercept_methods(tiling.zero_outside(rows.shape[1:3], below)):
            y = model.apply(variables, rows, method=lambda model, x: model.stem(x))
        start, number = (first - start) // POOLING, STRIP // POOLING
        return lax.dynamic_slice_in_dim(y[0], start, number, axis=0)

    y = lax.map(stem, jnp.arange(0, height, STRIP))
    return y.reshape(1, -1, *y.shape[2:])
