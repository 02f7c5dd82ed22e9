"""Overlays: resolution, colors, legend and outlines."""

import io

import numpy as np
import pytest
from PIL import Image

from cpcnn_jax.inference import color_scale, overlay

SQUARE = np.array([[50, 50], [150, 50], [150, 150], [50, 150]])


def pixels_of(picture):
    return np.asarray(picture.convert("RGB")).astype(float)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_image_is_unchanged_without_people_and_covered_with_them(dtype):
    blue = np.zeros((100, 400, 3), dtype)
    blue[..., 2] = 255 if dtype == np.uint8 else 1
    density = np.zeros((100, 400), np.float32)
    density[:, :60] = 0.01
    shown = pixels_of(overlay.draw_overlay(blue, density, title="60 people"))
    assert (shown[:100, 60:] == (0, 0, 255)).all()
    densest = color_scale.color_table()[-1]
    expected = 0.85 * densest + 0.15 * np.array([0, 0, 255])
    assert np.abs(shown[:100, :60] - expected).max() <= 0.51


def test_every_pixel_of_a_large_image_stays():
    image = np.random.default_rng(0).integers(0, 256, (600, 1700, 3), np.uint8)
    empty = np.zeros((600, 1700), np.float32)
    picture = overlay.draw_overlay(image, empty, title="a")
    assert picture.width == 1700 and picture.height > 600
    np.testing.assert_array_equal(np.asarray(picture)[:600], image)


def test_empty_field_stays_dark():
    """Errors of a trained network on a field are up to 6 people per 100x100 pixels."""
    grass = np.full((100, 400, 3), 100, np.uint8)
    noise = np.random.default_rng(0).uniform(0, 2e-5, (100, 400)).astype(np.float32)
    shown = pixels_of(overlay.draw_overlay(grass, noise, title="a"))[:100]
    assert np.abs(shown - 100).max() < 10


def test_legend_has_the_title_the_scale_and_the_note():
    gray, density = np.full((90, 70, 3), 128, np.uint8), np.full((90, 70), 0.003)
    one = overlay.draw_overlay(gray, density, title="19 people")
    two = overlay.draw_overlay(gray, density, title="19 people", note="weights: a")
    assert one.width == two.width == overlay.MIN_WIDTH
    assert two.height > one.height > 90
    lines = pixels_of(two)[90:] - pixels_of(Image.new("RGB", (1, 1), overlay.PAPER))
    rows = np.abs(lines).max(axis=(1, 2)) > 60
    starts = np.flatnonzero(np.diff(rows.astype(int)) == 1)
    assert len(starts) == 3  # text, bar, text
    reds = lines[starts[1] + 3, :, 0]
    bar = reds[np.flatnonzero(reds > 200)[0] :]
    assert (np.abs(lines[..., 0]).max(axis=1) > 60).any() and len(bar) > 50


def test_long_title_is_cut_at_the_picture():
    gray, empty = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64))
    picture = overlay.draw_overlay(gray, empty, title="9 people " + "x" * 500)
    assert picture.width == overlay.MIN_WIDTH


def test_regions_are_outlined_where_they_are():
    gray, empty = np.full((200, 400, 3), 128, np.uint8), np.zeros((200, 400))
    plain = pixels_of(overlay.draw_overlay(gray, empty, title="a"))
    regions = [("", SQUARE)]
    drawn = pixels_of(overlay.draw_overlay(gray, empty, title="a", regions=regions))
    rows, columns = (plain != drawn).any(axis=-1).nonzero()
    for places in (rows, columns):
        assert 45 <= places.min() <= 50 and 150 <= places.max() <= 155
    assert (drawn[100, 100] == 128).all()  # the inside is free


def test_label_without_a_place_is_a_line_of_the_legend():
    gray, empty = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64))
    plain = overlay.draw_overlay(gray, empty, title="a")
    regions = [("a name too long for 64 pixels: 3", SQUARE / 4)]
    drawn = overlay.draw_overlay(gray, empty, title="a", regions=regions)
    assert drawn.height > plain.height


def test_picture_is_encoded_without_loss():
    picture = overlay.draw_overlay(
        np.full((64, 64, 3), 9, np.uint8), np.zeros((64, 64)), title="a"
    )
    with Image.open(io.BytesIO(overlay.encode_png(picture))) as file:
        np.testing.assert_array_equal(np.asarray(file), np.asarray(picture))
