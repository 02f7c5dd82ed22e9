"""Tiled estimation of the density of an image, equal to the estimate in one piece.

Tiles overlap by the receptive field, and outputs that depend on a tile's border are
dropped. Tiles may extend beyond the image and are masked there, so a few tile sizes
serve all image sizes.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.io import image as image_io
from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv
from cpcnn_jax.models.context_map import POOLING
from cpcnn_jax.models.cpcnn import CPCNN
from cpcnn_jax.models.params import to_variables

TILE_SIZE = 1024  # pixels, the default of the largest side of a tile
SIZE_STEP = 256  # pixels; smaller tiles have multiples of it: at most 16 programs


Area = Sequence[int | jax.Array]  # (height, width) of an image's part, pixels


class Tile(NamedTuple):
    """One tile along one axis of an image, in pixels."""

    start: int  # a multiple of 4
    size: int  # may extend beyond the image
    area: int  # pixels of the tile inside the image
    keep: tuple[int, int]  # (start, stop) in the image of the outputs that are kept

    @property
    def span(self) -> tuple[int, int]:
        """(start, stop) of the tile; stop may lie beyond the image."""
        return self.start, self.start + self.size

    @property
    def inner(self) -> slice:
        """Slice of the tile that is kept."""
        return slice(self.keep[0] - self.start, self.keep[1] - self.start)


def halo_size(model: CPCNN) -> int:
    """Computes the `receptive_margin` of DME and F-CNN, pixels.

    Example:
      >>> halo_size(CPCNN(gce=None, lce=None))
      84
    """
    chains = [[*column, *model.fcnn.chain()] for column in model.dme.chains()]
    return receptive_margin(chains, multiple=POOLING)


def receptive_margin(
    chains: Iterable[Sequence[arithmetic.Layer]], *, multiple: int, cell: int = 1
) -> int:
    """Computes the margin of the receptive field around aligned outputs.

    Args:
      chains: layers from the image to the output; the largest margin counts.
      multiple: factor of all sizes and places of tiles and of what they keep, pixels.
      cell: side of an output in pixels, a divisor of `multiple`.

    Returns:
      Pixels on each side, rounded up to the multiple.

    Example:
      >>> receptive_margin([[arithmetic.Layer(5, p=2)]], multiple=4)
      4
    """
    outputs = range(multiple // cell)  # side by side on `multiple` pixels
    spans = [arithmetic.span(outputs, chain) for chain in chains]
    margin = max(max(-start, stop - multiple) for start, stop in spans)
    return -(-margin // multiple) * multiple


def tile_axis(length: int, *, tile_size: int, halo: int) -> list[Tile]:
    """Covers one axis with the fewest tiles, all of one size, in order.

    Args:
      length: pixels, a multiple of 4.
      tile_size: largest side of a tile, pixels, a multiple of 4.
      halo: pixels on each side of a tile whose outputs are dropped, a multiple of 4.

    Raises:
      ValueError: the tile is smaller than 64 pixels or three halos.

    Example:
      >>> [tile.keep for tile in tile_axis(1600, tile_size=1024, halo=84)]
      [(0, 660), (660, 1600)]
    """
    smallest = max(64, 3 * halo)
    if tile_size < smallest:
        raise ValueError(
            f"expected tiles of at least {smallest} pixels, because the receptive "
            f"field has a margin of {halo} pixels around an output; got {tile_size}"
        )
    number = max(1, -(-(length - 2 * halo) // (tile_size - 2 * halo)))
    needed = -(-(length + 2 * halo * (number - 1)) // number)
    size = min(tile_size, -(-needed // SIZE_STEP) * SIZE_STEP)
    last = max(length - size, 0)
    starts = [min(i * (size - 2 * halo), last) for i in range(number)]
    cuts = [0, *(start + halo for start in starts[1:]), length]
    return [
        Tile(start, size, min(size, length - start), (low, high))
        for start, low, high in zip(starts, cuts[:-1], cuts[1:], strict=True)
    ]


def density_estimator(
    model: CPCNN,
    *,
    tile_size: int | None = None,
    devices: Sequence[jax.Device] | None = None,
) -> Callable[..., np.ndarray]:
    """Makes a function that runs DME and F-CNN on an image, in bounded memory.

    Args:
      model: the networks.
      tile_size: largest side of a tile, pixels; None: `TILE_SIZE`.
      devices: devices that share the tiles; default: all of this process.

    Returns:
      estimate(weights, image, context, progress=iter). It takes a flat parameter dict,
      an image `[H, W, 3]`, uint8 or float32 in [0, 1], sides of at least 64 pixels, a
      function from `context_scores.spread_scores`, and a function that wraps the list
      of tiles. It returns `[H, W]` float32, people per pixel.

    Raises:
      ValueError: the tile is too small for the receptive field.
    """
    halo = halo_size(model)
    tile_size = TILE_SIZE if tile_size is None else tile_size // 4 * 4
    cover = functools.partial(tile_axis, tile_size=tile_size, halo=halo)
    cover(64)  # raises an error if the tile is too small

    @jax.jit
    def tile_density(weights, image, context, area):
        with nn.intercept_methods(zero_outside(image.shape[1:3], area)):
            density, _ = model.apply(to_variables(weights), image, context=context)
        return density[0, ..., 0]

    def estimate(weights, image, context, progress=iter):

        def estimate_tile(job):
            row, column = job
            pixels = image_io.padded_window(image, row.span, column.span)[None]
            cells = _tile_context(context, row, column)[None]
            return tile_density(weights, pixels, cells, (row.area, column.area))

        jobs = progress(cover_image(image_io.padded_shape(image), cover))
        return join_tiles(estimate_tile, jobs, image.shape[:2], devices)

    return estimate


def cover_image(
    shape: Sequence[int], cover: Callable[[int], list[Tile]]
) -> list[tuple[Tile, Tile]]:
    """Covers an image of a shape (H, W), pixels, by tiles along its rows and columns.

    Args:
      shape: (H, W), pixels.
      cover: function of a length that returns the tiles of an axis.
    """
    rows, columns = map(cover, shape)
    return list(itertools.product(rows, columns))


def join_tiles(
    estimate_tile: Callable[[tuple[Tile, Tile]], Any],
    jobs: Iterable[tuple[Tile, Tile]],
    shape: Sequence[int],
    devices: Sequence[jax.Device] | None,
) -> np.ndarray:
    """Computes tiles and joins their inner parts.

    Args:
      estimate_tile: function of a tile that returns its density `[h, w]`.
      jobs: the tiles of `cover_image`, of an image that may be padded at its end.
      shape: (H, W) of the image, pixels.
      devices: devices that share the tiles; None: all of this process.

    Returns:
      `[H, W]` float32, people per pixel.
    """
    density = np.empty(shape, np.float32)
    results = data_parallel.map_over_devices(estimate_tile, jobs, devices)
    for (row, column), values in results:
        inner = np.asarray(values)[row.inner, column.inner]
        place = density[slice(*row.keep), slice(*column.keep)]
        place[:] = inner[: place.shape[0], : place.shape[1]]
    return density


def _tile_context(context, row, column):
    """Context of a tile, zero beyond the image."""
    spans = [(t.start // POOLING, (t.start + t.area) // POOLING) for t in (row, column)]
    missing = [(0, (t.size - t.area) // POOLING) for t in (row, column)]
    return np.pad(context(*spans), (*missing, (0, 0)))


def zero_outside(tile: Sequence[int], area: Area) -> Callable:
    """Makes an interceptor that zeroes convolution inputs outside the image.

    With `nn.intercept_methods` a convolution then treats the border of the image as if
    it were the border of its input.

    Args:
      tile: (height, width) of the tile in pixels.
      area: (height, width) of the image's part, from the top left, in pixels; may be
        traced.
    """

    def intercept(method, args, kwargs, context):
        convolves = isinstance(context.module, (nn.Conv, FractionallyStridedConv))
        if convolves and context.method_name == "__call__":
            x, *others = args
            args = (zero_beyond(x, tile, area), *others)
        return method(*args, **kwargs)

    return intercept


def zero_beyond(x: jax.Array, tile: Sequence[int], area: Area) -> jax.Array:
    """Zeroes the cells of a tile that are not wholly inside the image's part.

    Args:
      x: `[B, h, w, C]`.
      tile: (height, width) of the tile in pixels, multiples of (h, w).
      area: (height, width) of the image's part, from the top left, in pixels; may be
        traced.
    """
    for axis, (length, end) in enumerate(zip(tile, area, strict=True), start=1):
        cell = length // x.shape[axis]
        ends = np.arange(cell, length + 1, cell)
        shape = [-1 if i == axis else 1 for i in range(4)]
        x = jnp.where(ends.reshape(shape) <= end, x, 0)
    return x
