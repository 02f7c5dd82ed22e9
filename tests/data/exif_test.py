"""EXIF orientation of head points, compared with Pillow's transpose of the pixels."""

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageOps

from cpcnn_jax.data import exif, readers

SHAPE = (7, 11)


def upright_pixels(orientation):
    """Upright image of SHAPE whose pixels hold their stored index."""
    image = Image.fromarray(np.arange(77, dtype=np.uint8).reshape(SHAPE))
    image.getexif()[ExifTags.Base.Orientation] = orientation
    return np.asarray(ImageOps.exif_transpose(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("within", [0, 0.25, 0.875])
def test_point_moves_with_its_pixel(orientation, within):
    expected = upright_pixels(orientation)
    assert exif.upright_shape(SHAPE, orientation) == expected.shape
    y, x = np.indices(SHAPE).reshape(2, -1)
    points = exif.to_upright(np.stack((x, y), axis=1) + within, SHAPE, orientation)
    u, v = np.floor(points).astype(int).T
    np.testing.assert_array_equal(expected[v, u], np.arange(77))
    assert (points.astype(np.float32) < expected.shape[::-1]).all()


def test_distances_between_points_are_kept():
    points = np.array([[1.25, 2.5], [4.5, 6.75]])
    for orientation in range(1, 9):
        moved = exif.to_upright(points, SHAPE, orientation)
        distance = np.hypot(*(points[0] - points[1]))
        assert np.hypot(*(moved[0] - moved[1])) == pytest.approx(distance)


def test_empty_points_stay_empty():
    assert exif.to_upright(np.zeros((0, 2)), SHAPE, 6).shape == (0, 2)


def header(orientation, shape=(100, 200)):
    return readers.ImageHeader(shape, orientation, "RGB")


@pytest.mark.parametrize(
    "points, size, orientation, expected",
    [
        ([[150, 50]], None, 6, False),
        ([[50, 150]], None, 6, True),
        ([[50, 50]], None, 6, False),  # fits both: the stored pixels
        ([[50, 150], [np.nan, 5]], None, 8, True),
        ([[50, 150], [150, 50]], None, 6, False),  # fits neither
        ([[50, 150]], None, 3, False),
        ([[50, 150]], None, 1, False),
        ([[50, 50]], (100, 200), 6, True),  # the annotation states the size
        ([[50, 150]], (200, 100), 6, False),
        ([], (100, 200), 5, True),
    ],
)
def test_is_turned(points, size, orientation, expected):
    points = np.reshape(points, (-1, 2)).astype(np.float32)
    assert exif.is_turned(points, size, header(orientation)) is expected


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_annotation_of_another_size_raises_value_error(orientation):
    text = "the annotation is of an image of 100x201 pixels, not of 200x100"
    with pytest.raises(ValueError, match=text):
        exif.is_turned(np.zeros((0, 2)), (100, 201), header(orientation))


def test_rotated_size_without_orientation_raises_value_error():
    with pytest.raises(ValueError, match="of 100x200 pixels, not of 200x100"):
        exif.is_turned(np.zeros((0, 2)), (100, 200), header(1))
