"""Heads as points: peaks of maps with known heads."""

import numpy as np
import pytest

from cpcnn_jax import density_map
from cpcnn_jax.evaluation.metrics import localize
from cpcnn_jax.inference.head_points import MIN_HEIGHT, find_points


def separate_heads(rng, number, shape, distance):
    """Random heads with a least distance."""
    heads = np.empty((0, 2))
    while len(heads) < number:
        head = rng.uniform((0, 0), shape[::-1])
        if not len(heads) or np.hypot(*(heads - head).T).min() > distance:
            heads = np.vstack([heads, head])
    return heads


@pytest.mark.parametrize("seed", range(5))
def test_separate_heads_are_found_within_two_pixels(seed):
    """Heads at the border included; a noise of 3% of a peak adds none."""
    rng, shape = np.random.default_rng(seed), (200, 300)
    heads = separate_heads(rng, 60, shape, distance=14)
    density = density_map(heads, shape=shape)
    density = density + rng.normal(0, MIN_HEIGHT / 10, shape)
    found = find_points(density)
    assert localize(found, heads, radius=2) == (60, 60, 60)


def test_points_are_sorted_by_height_and_lie_in_the_image():
    density = density_map([[10, 10], [50, 30], [50, 31], [0, 0]], shape=(64, 80))
    found = find_points(density)
    heights = [density[int(y), int(x)] for x, y in found]
    assert heights == sorted(heights, reverse=True)
    assert np.all(found > 0) and np.all(found < [80, 64])


@pytest.mark.parametrize("value", [0.0, -0.01, MIN_HEIGHT / 2])
def test_map_without_peaks_has_no_points(value):
    found = find_points(np.full((64, 96), value, np.float32))
    assert found.shape == (0, 2) and found.dtype == np.float64


def test_plateau_is_one_point():
    density = np.zeros((64, 64), np.float32)
    density[20:40, 10:30] = 0.01
    (point,) = find_points(density)
    np.testing.assert_allclose(point, [20, 30], atol=1)


def test_two_heads_of_one_place_are_one_point():
    """The documented limit: dense crowds have fewer points than people."""
    assert len(find_points(density_map([[30, 30], [32, 30]], shape=(64, 64)))) == 1
