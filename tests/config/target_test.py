"""Methods of the configuration tree."""

import numpy as np
import pytest

from cpcnn_jax import config

FRAME = {"name": "frame_1", "perspective": np.full((4, 6), 10, np.float32)}


@pytest.mark.parametrize("mode, sigma", [("fixed", 3.5), ("adaptive", "adaptive")])
def test_fixed_and_adaptive_sigma_do_not_depend_on_the_image(mode, sigma):
    assert config.Target(sigma_mode=mode, sigma=3.5).sigma_of(FRAME) == sigma
    assert config.Target(sigma_mode=mode, sigma=3.5).sigma_of({}) == sigma


def test_perspective_sigma_is_metres_times_pixels_per_metre():
    sigma_map = config.Target(sigma_mode="perspective").sigma_of(FRAME)
    np.testing.assert_allclose(sigma_map, np.full((4, 6), 2.0))
    sigma_map = config.Target(sigma_mode="perspective", sigma_metres=0.5).sigma_of(
        FRAME
    )
    np.testing.assert_allclose(sigma_map, np.full((4, 6), 5.0))


def test_unknown_sigma_mode_raises_value_error():
    with pytest.raises(ValueError, match="'adaptve': use one of fixed, adaptive, pers"):
        config.Target(sigma_mode="adaptve").sigma_of(FRAME)
