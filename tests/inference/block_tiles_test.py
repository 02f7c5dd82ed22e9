"""Tiles along one axis, sizes of programs, and the margins that they rely on."""

import itertools

import numpy as np
import pytest

from cpcnn_jax.inference import block_tiles, shared_estimator, tiling
from cpcnn_jax.models import fcnn, vgg
from cpcnn_jax.models.shared_backbone import SharedBackbone

MARGIN = 112


@pytest.mark.parametrize("length", [192 * n for n in (1, 4, 5, 10, 11, 17, 53, 300)])
@pytest.mark.parametrize("size", [768, 1152, 1920])
def test_tiles_cover_an_axis_and_share_a_block(length, size):
    parts = block_tiles.tile_blocks(length, size=size, margin=MARGIN)
    edges = [part.tile.keep for part in parts]
    assert edges[0][0] == 0 and edges[-1][1] == length
    for (_, stop), (start, _) in itertools.pairwise(edges):
        assert stop == start
    for left, right in itertools.pairwise(parts):
        assert left.blocks[1] - 1 == right.blocks[0]
        assert right.tile.keep[0] == right.blocks[0] * 192 + 96
    for tile, (first, stop) in parts:
        assert tile.start % 16 == 0 and tile.size == size
        assert tile.area == min(size, length - tile.start) > 0
        assert first * 192 - tile.start in ({0} if tile.start == 0 else {MARGIN})
        end = tile.start + tile.size
        assert end >= length or end - stop * 192 >= MARGIN
        assert stop == length // 192 if end >= length else stop * 192 <= length


@pytest.mark.parametrize(
    ("shape", "size", "number"),
    [
        ((192, 192), (384, 576), 1),
        ((576, 384), (576, 384), 1),
        ((768, 576), (768, 576), 1),  # 480x640 pixels, upright
        ((768, 1152), (768, 1152), 1),  # 1024x768 pixels
        ((1152, 768), (1152, 768), 1),
        ((768, 1344), (768, 1344), 1),  # 1280x720 pixels
        ((1152, 1920), (1152, 1920), 1),  # 1920x1080 pixels
        ((1920, 1152), (1920, 1152), 1),
        ((384, 3072), (384, 1920), 2),  # a panorama of 3000x300 pixels
        ((3072, 4032), (1920, 1920), 6),  # 12 megapixels
    ],
)
def test_common_images_have_a_size_of_their_own(shape, size, number):
    plan = block_tiles.plan_tiles(shape, block_tiles.SIZES, margin=MARGIN)
    assert plan.size == size
    assert len(plan.rows) * len(plan.columns) == number
    assert plan.area == number * size[0] * size[1]


def test_a_folder_of_200_sizes_has_at_most_21_programs():
    rng = np.random.default_rng(0)
    shapes = np.unique(rng.integers(1, 30, (200, 2)), axis=0) * 192
    plans = [
        block_tiles.plan_tiles(shape, block_tiles.SIZES, margin=MARGIN)
        for shape in shapes
    ]
    assert {plan.size for plan in plans} <= set(block_tiles.SIZES)
    assert len(set(block_tiles.SIZES)) == len(block_tiles.SIZES) == 21


def test_tile_size_limits_the_sizes():
    sizes = block_tiles.choose_sizes(1100, margin=MARGIN)
    wide = [(384, 576), (384, 960), (576, 768), (768, 960)]
    upright = [(width, height) for height, width in wide]
    assert sizes == [*wide, *upright, (960, 960)]
    with pytest.raises(ValueError, match="at least 768 pixels.*margin of 112.*got 767"):
        block_tiles.choose_sizes(767, margin=MARGIN)


def test_margin_covers_the_receptive_fields():
    """A block's class, and the density at a cut, stay inside the tile."""
    model = SharedBackbone()
    assert block_tiles.block_margin(model) == MARGIN
    features, context = model.chains()
    density = [*features, *model.fcnn.chain()]
    assert tiling.receptive_margin([context], multiple=16, cell=16) <= MARGIN
    assert tiling.receptive_margin([density], multiple=16) <= 96 + MARGIN
    wider = model.clone(fcnn=fcnn.FusionCNN(upsample_kernel_size=64))
    assert block_tiles.block_margin(wider) > MARGIN


def test_strips_of_the_stem_overlap_by_its_receptive_field():
    stem = vgg.chain()[:5] + vgg.chain()[2:3]  # two blocks, each with its pooling
    assert len(stem) == 6
    margin = tiling.receptive_margin([stem], multiple=4, cell=4)
    assert margin <= shared_estimator.STRIP_MARGIN
    assert all(size[0] % shared_estimator.STRIP == 0 for size in block_tiles.SIZES)
