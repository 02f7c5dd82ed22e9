"""Sizes of crops and canvases."""

import doctest

import numpy as np
import pytest

from cpcnn_jax import config
from cpcnn_jax.data import crops as crops_lib


@pytest.mark.parametrize(
    "shape, multiple, expected",
    [
        ((768, 1024), 64, (192, 256)),
        ((683, 1024), 64, (192, 256)),  # 170.75 rounds up
        ((182, 293), 64, (64, 64)),
        ((64, 64), 64, (64, 64)),
        ((100, 1024), 128, (64, 256)),  # never larger than the image
        ((768, 1024), 1, (192, 256)),
        ((683, 1018), 1, (172, 256)),  # the nearest multiple of 4
        ((200, 200), 1, (64, 64)),
    ],
)
def test_crop_size(shape, multiple, expected):
    assert crops_lib.crop_size(shape, config.Crops(size_multiple=multiple)) == expected


def test_docstrings():
    assert doctest.testmod(crops_lib).failed == 0


def test_side_divisor_1_gives_whole_images():
    crops = config.Crops(side_divisor=1, size_multiple=64)
    assert crops_lib.crop_size((250, 320), crops) == (192, 320)


def test_the_canvas_holds_every_crop_and_no_more():
    class Shapes:
        shapes = [(768, 512), (512, 1024), (100, 100)]

    sizes = crops_lib.crop_sizes(Shapes, config.Crops())
    np.testing.assert_array_equal(sizes, [(192, 128), (128, 256), (64, 64)])
    assert crops_lib.canvas_size(sizes) == (192, 256)


def test_images_under_64_pixels_are_refused_by_name():
    class Small:
        names, shapes = ["a", "b"], [(64, 64), (200, 63)]

    with pytest.raises(ValueError, match="b has 63x200 pixels.*at least 64x64"):
        crops_lib.check_sizes(Small)
