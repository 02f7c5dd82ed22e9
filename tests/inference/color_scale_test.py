"""Color scale against matplotlib, its rounded ends and its floor."""

import matplotlib
import numpy as np
import pytest

from cpcnn_jax.inference import color_scale


def test_colors_are_those_of_inferno():
    expected = matplotlib.colormaps["inferno"](np.arange(256), bytes=True)[:, :3]
    np.testing.assert_allclose(color_scale.color_table(), expected, atol=6)


@pytest.mark.parametrize(
    ("people", "end"),
    [
        (0, 20),
        (7, 20),
        (20, 20),
        (21, 50),
        (50, 50),
        (51, 100),
        (160, 200),
        (999, 1000),
    ],
)
def test_end_is_rounded_up_and_has_a_floor(people, end):
    assert color_scale.scale_end(np.full((64, 80), people / 1e4, np.float64)) == end


def test_end_is_a_percentile_of_large_maps_too():
    density = np.zeros((3000, 2500), np.float32)
    density[:, :50] = 0.004  # 2 percent
    assert color_scale.scale_end(density) == 50
    density[:, :50] = 0
    density[::50, ::50] = 1  # 0.04 percent
    assert color_scale.scale_end(density) == 20


def test_blend_is_the_weighted_mean_by_hand():
    pixels = np.array([[[10, 20, 30], [10, 20, 30], [10, 20, 30]]], np.uint8)
    density = np.array([[-1e-3, 0.25 * 20 / 1e4, 1.0]])
    shown = color_scale.blend(pixels, density, 20).astype(float)
    table = color_scale.color_table()
    np.testing.assert_array_equal(shown[0, 0], [10, 20, 30])
    for place, level, opacity in ((1, 63, 0.85 * 0.5), (2, 255, 0.85)):
        expected = (1 - opacity) * pixels[0, place] + opacity * table[level]
        np.testing.assert_allclose(shown[0, place], expected, atol=0.51)
