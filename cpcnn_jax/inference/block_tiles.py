"""Tiles of a network that classifies blocks of the image, in a few sizes.

The class of a block depends on all its pixels and on a margin around them. Adjacent
tiles therefore share a block with its margins, and the outputs are divided in the
middle of this block.
"""

from collections.abc import Sequence
from typing import NamedTuple

from cpcnn_jax.inference import tiling
from cpcnn_jax.inference.tiling import Tile
from cpcnn_jax.models.shared_backbone import BLOCK, CELL, SharedBackbone

Size = tuple[int, int]  # (height, width) in pixels, multiples of 192
# Sizes of the programs, also upright: they hold common images in one piece, and long
# ones in few. Larger images have few tiles in the last one.
_WIDE = (
    *((384, 576), (384, 960), (576, 768), (576, 1152), (768, 960), (768, 1152)),
    *((768, 1344), (960, 1152), (384, 1920), (1152, 1920)),
)
SIZES = (*_WIDE, *((width, height) for height, width in _WIDE), (1920, 1920))


class BlockTile(NamedTuple):
    """One tile along one axis of an image, and the blocks that it classifies."""

    tile: Tile
    blocks: tuple[int, int]  # (start, stop) in the image

    @property
    def offset(self) -> int:
        """Pixels of the tile before its first block."""
        return self.blocks[0] * BLOCK - self.tile.start


class Plan(NamedTuple):
    """Tiles of an image, all of one size."""

    size: Size
    rows: list[BlockTile]
    columns: list[BlockTile]

    @property
    def area(self) -> int:
        """Pixels of all tiles together."""
        return len(self.rows) * len(self.columns) * self.size[0] * self.size[1]


def block_margin(model: SharedBackbone) -> int:
    """Computes the margin around a tile's blocks, pixels.

    Example:
      >>> block_margin(SharedBackbone())
      112
    """
    features, context = model.chains()
    density = [*features, *model.fcnn.chain()]
    around_block = tiling.receptive_margin([context], multiple=CELL, cell=CELL)
    around_cut = tiling.receptive_margin([density], multiple=CELL)
    return max(around_block, around_cut - BLOCK // 2)


def smallest_side(margin: int) -> int:
    """Computes the smallest side of a tile with two blocks and their margins, pixels.

    Example:
      >>> smallest_side(112)
      768
    """
    return -(-2 * (BLOCK + margin) // BLOCK) * BLOCK


def tile_blocks(length: int, *, size: int, margin: int) -> list[BlockTile]:
    """Covers one axis with tiles, in order.

    Args:
      length: pixels, a multiple of 192.
      size: pixels of a tile, a multiple of 192; at least `smallest_side` if less than
        the length.
      margin: result of `block_margin`.

    Example:
      >>> [tile.tile.keep for tile in tile_blocks(3072, size=1920, margin=112)]
      [(0, 1632), (1632, 3072)]
    """
    tiles: list[BlockTile] = []
    first = kept = 0
    while kept < length:
        start = max(0, first * BLOCK - margin)
        is_last = start + size >= length
        stop = length // BLOCK if is_last else (start + size - margin) // BLOCK
        cut = length if is_last else stop * BLOCK - BLOCK // 2
        tile = Tile(start, size, min(size, length - start), (kept, cut))
        tiles.append(BlockTile(tile, (first, stop)))
        first, kept = stop - 1, cut
    return tiles


def choose_sizes(tile_size: int | None, *, margin: int) -> list[Size]:
    """Lists the sizes of the programs.

    Args:
      tile_size: largest side of a tile, pixels; None: `SIZES`.
      margin: result of `block_margin`.

    Raises:
      ValueError: the tile is too small for two blocks.
    """
    if tile_size is None:
        return list(SIZES)
    least = smallest_side(margin)
    if tile_size < least:
        raise ValueError(
            f"expected tiles of at least {least} pixels, because two blocks of {BLOCK} "
            f"pixels have a margin of {margin} pixels; got {tile_size}"
        )
    side = tile_size // BLOCK * BLOCK
    square = (side, side)  # for larger images
    return [*(s for s in SIZES if max(s) <= side and s != square), square]


def plan_tiles(shape: Sequence[int], sizes: Sequence[Size], *, margin: int) -> Plan:
    """Chooses the size in which an image has the fewest pixels in tiles.

    Args:
      shape: (H, W) in pixels, multiples of 192.
      sizes: result of `choose_sizes`.
      margin: result of `block_margin`.

    Example:
      >>> plan = plan_tiles((768, 1152), SIZES, margin=112)
      >>> plan.size, len(plan.rows), len(plan.columns)
      ((768, 1152), 1, 1)
    """
    plans = []
    for size in sizes:
        axes = list(zip(shape, size, strict=True))
        if all(n <= side or side >= smallest_side(margin) for n, side in axes):
            tiles = [tile_blocks(n, size=side, margin=margin) for n, side in axes]
            plans.append(Plan(size, *tiles))
    return min(plans, key=lambda plan: plan.area)
