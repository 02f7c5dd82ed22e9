"""Overlays: opacity, size, averaging and outlines."""

import io

import numpy as np
import pytest
from PIL import Image

from cpcnn_jax.inference import overlay


def decode(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(float)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_overlay_is_transparent_without_people(dtype):
    blue = np.zeros((100, 200, 3), dtype)
    blue[..., 2] = np.iinfo(dtype).max if dtype == np.uint8 else 1
    density = np.zeros((100, 200), np.float32)
    density[:, :60] = 0.01
    shown = decode(overlay.draw_overlay(blue, density, title="60 people"))
    covered = np.abs(shown - (0, 0, 255)).sum(axis=-1) < 3
    rows, columns = covered.nonzero()
    assert covered.sum() > 100 * 140  # the other 60 columns are under the density
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(1.4, abs=0.05)


def test_large_image_is_drawn_smaller():
    image = np.zeros((40, 4000, 3), np.uint8)
    data = overlay.draw_overlay(image, np.ones((40, 4000), np.float32), title="")
    assert decode(data).shape[1] < 2000


def test_reduction_averages_squares():
    values = np.random.default_rng(0).random((7, 9)).astype(np.float32)
    by_hand = [[values[y : y + 3, x : x + 3].mean() for x in (0, 3, 6)] for y in (0, 3)]
    np.testing.assert_allclose(overlay._reduce(values, 3), by_hand, rtol=1e-6)


def test_regions_are_outlined():
    gray = np.full((200, 200, 3), 128, np.uint8)
    empty = np.zeros((200, 200), np.float32)
    corners = np.array([[50, 50], [150, 50], [150, 150], [50, 150]])
    plain = decode(overlay.draw_overlay(gray, empty, title="a"))
    drawn = decode(
        overlay.draw_overlay(gray, empty, title="a", regions=[("door", corners)])
    )
    rows, columns = (plain != drawn).any(axis=-1).nonzero()
    assert 100 < np.ptp(rows) < 150  # half of the image
    assert np.ptp(columns) / np.ptp(rows) == pytest.approx(1, abs=0.05)
