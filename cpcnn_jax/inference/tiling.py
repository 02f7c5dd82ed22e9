"""A photograph of any size, tile by tile, exactly as in one piece.

Tiles overlap by as much as an output pixel sees around it, and only what saw all it
would see in the whole photograph is kept. A tile that reaches over the photograph's
border is told where it is, so that few sizes of tiles do for all sizes of photographs.
Several devices share a photograph's tiles.
"""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from cpcnn_jax.distributed import data_parallel
from cpcnn_jax.io import image as image_io
from cpcnn_jax.layers import arithmetic
from cpcnn_jax.layers.fractionally_strided import FractionallyStridedConv
from cpcnn_jax.models.context_map import POOLING
from cpcnn_jax.models.params import to_variables

TILE = 1024  # pixels: the side of what is computed at once, unless asked otherwise
BUCKET = 256  # sides of smaller tiles are multiples of this: at most 16 programs


class Tile(NamedTuple):
    """One tile along one axis of a photograph, in pixels."""

    start: int  # where it lies, a multiple of 4
    size: int  # may reach over the photograph's end
    area: int  # how much of it is photograph
    keep: tuple[int, int]  # (start, stop) in the photograph of what is taken from it

    @property
    def span(self):
        """(start, stop) in the photograph, over its end or not."""
        return self.start, self.start + self.size

    @property
    def inner(self):
        """What is taken, as a slice of the tile."""
        return slice(self.keep[0] - self.start, self.keep[1] - self.start)


def halo_size(model):
    """How far an output pixel sees around itself, rounded up to a multiple of 4.

    Args:
      model: CPCNN.

    Returns:
      Pixels.

    Example:
      >>> from cpcnn_jax.models.cpcnn import CPCNN
      >>> halo_size(CPCNN(gce=None, lce=None))
      84
    """
    chains = [[*column, *model.fcnn.chain()] for column in model.dme.chains()]
    return receptive_margin(chains, multiple=POOLING)


def receptive_margin(chains, *, multiple, cell=1):
    """How far an output of any chain sees around the pixels that it stands for.

    Args:
      chains: lists of `arithmetic.Layer`, from the photograph to the output.
      multiple: of what tiles' sides shall be, pixels.
      cell: pixels per output, which divides it.

    Returns:
      Pixels, rounded up to the multiple.

    Example:
      >>> receptive_margin([[arithmetic.Layer(5, p=2)]], multiple=4)
      4
    """
    found = 0
    for chain in chains:
        for output in range(multiple // cell):
            start, stop = arithmetic.span(output, chain)
            found = max(found, output * cell - start, stop - (output + 1) * cell)
    return -(-found // multiple) * multiple


def tile_axis(length, *, tile_size, halo):
    """Cover one axis with as few tiles as it takes, all of one size.

    Args:
      length: pixels, a multiple of 4.
      tile_size: the largest side, a multiple of 4.
      halo: pixels on each side of a tile whose results are not used, a multiple of 4.

    Returns:
      Pieces; what they keep follows one another from 0 to the length.

    Raises:
      ValueError: the tile is nearly all halo.

    Example:
      >>> [piece.keep for piece in tile_axis(1600, tile_size=1024, halo=84)]
      [(0, 660), (660, 1600)]
    """
    smallest = max(64, 3 * halo)
    if tile_size < smallest:
        raise ValueError(
            f"expected tiles of at least {smallest} pixels, because these networks "
            f"see {halo} pixels around each; got {tile_size}"
        )
    number = (
        1 if length <= tile_size else -(-(length - 2 * halo) // (tile_size - 2 * halo))
    )
    needed = -(-(length + 2 * halo * (number - 1)) // number)
    size = min(tile_size, -(-needed // BUCKET) * BUCKET)
    last = max(length - size, 0)
    starts = [min(i * (size - 2 * halo), last) for i in range(number)]
    cuts = [0, *(start + halo for start in starts[1:]), length]
    return [
        Tile(start, size, min(size, length - start), (low, high))
        for start, low, high in zip(starts, cuts[:-1], cuts[1:], strict=True)
    ]


def density_estimator(model, *, tile_size=TILE, devices=None):
    """DME and F-CNN as a function of a photograph of any size, in bounded memory.

    Args:
      model: CPCNN.
      tile_size: pixels, the largest side of what a device computes at once.
      devices: that share the tiles; all of this process, unless given.

    Returns:
      estimate(weights, image, context, progress): a flat dict of weights, `[H, W, 3]`
      uint8 or float32, both sides at least 64, the context as from
      `context_scores.spread_scores` and
      a function through which the list of tiles is passed, to the density `[H, W]`.

    Raises:
      ValueError: the tile is nearly all halo.
    """
    cover = functools.partial(
        tile_axis, tile_size=tile_size // 4 * 4, halo=halo_size(model)
    )
    cover(64)  # checks

    @jax.jit
    def density(weights, image, context, area):
        with nn.intercept_methods(masked_outside(image.shape[1:3], area)):
            found, _ = model.apply(to_variables(weights), image, context=context)
        return found[0, ..., 0]

    def estimate(weights, image, context, progress=iter):
        shape = image_io.padded_shape(image)
        whole = np.empty(shape, np.float32)

        def of_tile(job):
            row, column = job
            pixels = image_io.padded_window(image, row.span, column.span)
            cells = _context(context, row, column)
            return density(weights, pixels[None], cells[None], (row.area, column.area))

        jobs = progress(list(itertools.product(*map(cover, shape))))
        for (row, column), found in data_parallel.map_over_devices(
            of_tile, jobs, devices
        ):
            inner = np.asarray(found)[row.inner, column.inner]
            whole[slice(*row.keep), slice(*column.keep)] = inner
        return whole[: image.shape[0], : image.shape[1]]

    return estimate


def _context(context, row, column):
    """The context of a tile; zeros where it reaches over the photograph's end."""
    spans = [(p.start // POOLING, (p.start + p.area) // POOLING) for p in (row, column)]
    missing = [(0, (p.size - p.area) // POOLING) for p in (row, column)]
    return np.pad(context(*spans), (*missing, (0, 0)))


def masked_outside(tile, area):
    """Zeros outside of the photograph at every convolution, as a border has them.

    Args:
      tile: (height, width) in pixels.
      area: how much of it, from the top and the left, is photograph; not static. A
        cell that pooling made of pixels on both sides counts as outside.

    Returns:
      For `nn.intercept_methods`.
    """

    def intercept(method, args, kwargs, context):
        convolves = isinstance(context.module, (nn.Conv, FractionallyStridedConv))
        if convolves and context.method_name == "__call__":
            x, *others = args
            for axis, (length, end) in enumerate(zip(tile, area, strict=True), start=1):
                ends = (jnp.arange(x.shape[axis]) + 1) * (length // x.shape[axis])
                inside = jnp.expand_dims(
                    ends <= end, [i for i in range(4) if i != axis]
                )
                x = jnp.where(inside, x, 0)
            args = (x, *others)
        return method(*args, **kwargs)

    return intercept
