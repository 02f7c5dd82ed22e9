"""Density maps against SciPy's Gaussian filter, and sums that are counts."""

import doctest

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cpcnn_jax import density

SHAPE = (96, 128)  # of the image


def draw(points, **options):
    return density.density_map(points, shape=SHAPE, **options)


def crowd(number, seed=0):
    """Heads everywhere, with some on the corners, on one another and on borders."""
    points = np.random.default_rng(seed).uniform(0, 1, (number, 2)) * (128, 96)
    special = [[0, 0], [127.9, 95.9], [127, 0], [0, 95], [64, 0.2], [5, 5], [5, 5]]
    points[: len(special)] = np.reshape(special[:number], (-1, 2))
    return points


def filtered(row, column, sigma, truncate):
    impulse = np.zeros(SHAPE)
    impulse[row, column] = 1
    return gaussian_filter(impulse, sigma, mode="constant", truncate=truncate)


def test_examples():
    assert doctest.testmod(density).failed == 0


def test_fixed_equals_gaussian_filter_in_the_interior():
    expected = filtered(40, 60, 4.0, 7 / 4.0) + filtered(42, 70, 4.0, 7 / 4.0)
    found = draw([[60.9, 40.2], [70.0, 42.99]])
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_fixed_window_is_15_pixels_around_the_floored_head():
    rows, columns = np.nonzero(draw([[60.9, 40.2]]))
    assert (rows.min(), rows.max()) == (33, 47)
    assert (columns.min(), columns.max()) == (53, 67)


def test_adaptive_equals_gaussian_filter_per_head():
    points = np.array([[60, 40], [66, 40], [60, 48], [50, 44], [80, 60]], float)
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    sigmas = 0.3 * np.sort(distances, axis=1)[:, 1:4].mean(axis=1)
    expected = sum(
        filtered(int(y), int(x), sigma, 4.0)
        for (x, y), sigma in zip(points, sigmas, strict=True)
    )
    np.testing.assert_allclose(draw(points, sigma="adaptive"), expected, atol=1e-6)


@pytest.mark.parametrize("sigma", [4.0, 1.5, "adaptive"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 50, 2000])
def test_sum_is_the_number_of_heads(number, sigma):
    for seed in range(3):
        total = draw(crowd(number, seed), sigma=sigma).sum(dtype=np.float64)
        assert total == pytest.approx(number, abs=1e-4)


@pytest.mark.parametrize("sigma", [4.0, "adaptive"])
def test_coincident_heads_add(sigma):
    for number in (2, 3, 7):
        found = draw([[30, 30]] * number, sigma=sigma)
        assert found.sum() == pytest.approx(number, abs=1e-4)
        assert found.argmax() == 30 * 128 + 30


@pytest.mark.parametrize("corner", [(0, 0), (127, 0), (0, 95), (127, 95)])
def test_peak_stays_on_a_head_at_the_border(corner):
    x, y = corner
    found = draw([corner])
    assert np.unravel_index(found.argmax(), SHAPE) == (y, x)
    # The Gaussian that the border cut, scaled to sum 1.
    cut = filtered(y, x, 4.0, 7 / 4.0)
    np.testing.assert_allclose(found, cut / cut.sum(), atol=1e-7)


@pytest.mark.parametrize("sigma", [4.0, "adaptive"])
@pytest.mark.parametrize(
    "window", [(0, 0, 96, 128), (0, 0, 1, 1), (30, 40, 24, 32), (64, 100, 32, 28)]
)
def test_window_is_the_cut(window, sigma):
    top, left, height, width = window
    points = crowd(300)
    cut = draw(points, sigma=sigma)[top : top + height, left : left + width]
    found = draw(points, sigma=sigma, window=window)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, cut, atol=1e-6)


def test_heads_outside_the_image_do_not_count():
    points = [[-0.1, 5], [128, 5], [5, 96], [5, -3], [500, 500], [127.99, 95.99]]
    assert density.inside(points, SHAPE).tolist() == [False] * 5 + [True]
    assert draw(points).sum() == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(draw(points[:5]), np.zeros(SHAPE))


def test_bad_points_and_sigma_are_refused():
    with pytest.raises(ValueError, match="1 of 2 head points are not finite"):
        draw([[1, 2], [np.nan, 3]])
    with pytest.raises(ValueError, match=r"must be \[N, 2\].*got \(2, 3\)"):
        draw(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="sigma must be positive"):
        draw([[1, 2]], sigma=0)


def test_classes_cover_the_counts_in_equal_widths():
    thresholds = density.fit_thresholds([0, 7, 100], num_classes=5)
    np.testing.assert_array_equal(thresholds, [20, 40, 60, 80])
    found = density.density_class([0, 20, 20.5, 79, 100, 5000], thresholds)
    assert found.dtype == np.int32
    assert found.tolist() == [0, 0, 1, 3, 4, 4]
    assert density.density_class(41, thresholds) == 2


def test_an_empty_data_set_is_all_of_the_lowest_class():
    thresholds = density.fit_thresholds(np.zeros(4), num_classes=5)
    assert density.density_class(np.zeros(4), thresholds).tolist() == [0] * 4
    np.testing.assert_allclose(
        density.class_weights(np.zeros(4), thresholds), [0, 0.25, 0.25, 0.25, 0.25]
    )


def test_class_weights_are_the_authors():
    counts = [0] * 6 + [15] * 3 + [30]
    weights = density.class_weights(counts, [10, 20])
    np.testing.assert_allclose(weights, np.array([0.4, 0.7, 0.9]) / 2.0, rtol=1e-6)
    assert weights.sum() == pytest.approx(1)


def test_thresholds_need_counts_and_classes():
    for counts, classes in (([], 5), ([3], 1)):
        with pytest.raises(ValueError, match="at least one count and 2 classes"):
            density.fit_thresholds(counts, num_classes=classes)
