"""What a configuration's methods answer."""

import numpy as np
import pytest

from cpcnn_jax import config

FRAME = {"name": "frame_1", "perspective": np.full((4, 6), 10, np.float32)}


@pytest.mark.parametrize("kernel, sigma", [("fixed", 3.5), ("adaptive", "adaptive")])
def test_without_perspective_the_photograph_does_not_matter(kernel, sigma):
    assert config.Target(sigma_mode=kernel, sigma=3.5).sigma_of(FRAME) == sigma
    assert config.Target(sigma_mode=kernel, sigma=3.5).sigma_of({}) == sigma


def test_perspective_is_metres_times_pixels_per_metre():
    found = config.Target(sigma_mode="perspective").sigma_of(FRAME)
    np.testing.assert_allclose(found, np.full((4, 6), 2.0))
    found = config.Target(sigma_mode="perspective", sigma_metres=0.5).sigma_of(FRAME)
    np.testing.assert_allclose(found, np.full((4, 6), 5.0))


def test_an_unknown_kernel_is_refused():
    with pytest.raises(ValueError, match="'adaptve': use one of fixed, adaptive, pers"):
        config.Target(sigma_mode="adaptve").sigma_of(FRAME)
