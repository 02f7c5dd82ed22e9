"""Sigmas and radii of Gaussians against numbers computed by hand."""

import numpy as np
import pytest

from cpcnn_jax.data import gaussian_sigma

SHAPE = (40, 60)


def test_fixed_kernel_is_15_pixels_wide_for_every_sigma():
    for sigma in (0.7, 4, 30.0):
        sigmas, radii = gaussian_sigma.gaussian_widths([[1, 2], [3, 4]], SHAPE, sigma)
        assert sigmas.tolist() == [sigma, sigma] and radii.tolist() == [7, 7]


@pytest.mark.parametrize(
    "points, expected",
    [
        ([], []),
        ([[5, 5]], [12.5]),  # a quarter of the mean side
        ([[5, 5], [5, 15]], [3, 3]),
        ([[0, 0], [10, 0], [0, 20]], [4.5, 0.15 * (10 + 500**0.5), 6.354102]),
        ([[0, 0], [1, 0], [2, 0], [3, 0], [50, 0]], [0.6, 0.5, 0.5, 0.6, 14.4]),
        ([[7, 7]] * 5, [0.5] * 5),  # coincident heads
    ],
)
def test_adaptive_sigma_comes_from_the_three_nearest_heads(points, expected):
    points = np.reshape(points, (-1, 2))
    sigmas, radii = gaussian_sigma.gaussian_widths(points, SHAPE, "adaptive")
    np.testing.assert_allclose(sigmas, expected, rtol=1e-6)
    assert radii.tolist() == [int(4 * sigma + 0.5) for sigma in sigmas]


def test_sigma_map_gives_the_sigma_at_each_head():
    sigma = np.arange(40 * 60, dtype=np.float32).reshape(SHAPE) / 1000
    sigmas, radii = gaussian_sigma.gaussian_widths(
        [[3.9, 20.9], [59, 39], [1, 0]], SHAPE, sigma
    )
    np.testing.assert_allclose(sigmas, [1.203, 2.399, gaussian_sigma.SMALLEST_SIGMA])
    assert radii.tolist() == [5, 10, 2]


def test_radius_is_at_most_the_longer_side():
    _, radii = gaussian_sigma.gaussian_widths([[3, 4]], SHAPE, np.full(SHAPE, 1e9))
    assert radii.tolist() == [60]
