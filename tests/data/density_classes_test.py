"""Thresholds, classes and weights against numbers computed by hand."""

import numpy as np
import pytest

from cpcnn_jax.data import density_classes


def test_equal_width_classes_cover_the_counts():
    thresholds = density_classes.fit_thresholds([0, 7, 100], num_classes=5)
    np.testing.assert_array_equal(thresholds, [20, 40, 60, 80])
    classes = density_classes.density_class([0, 20, 20.5, 79, 100, 5000], thresholds)
    assert classes.dtype == np.int32
    assert classes.tolist() == [0, 0, 1, 3, 4, 4]
    assert density_classes.density_class(41, thresholds) == 2


def test_zero_counts_are_of_the_lowest_class():
    thresholds = density_classes.fit_thresholds(np.zeros(4), num_classes=5)
    assert density_classes.density_class(np.zeros(4), thresholds).tolist() == [0] * 4
    np.testing.assert_allclose(
        density_classes.class_weights(np.zeros(4), thresholds),
        [0, 0.25, 0.25, 0.25, 0.25],
    )


def test_class_weights_equal_the_authors_formula():
    counts = [0] * 6 + [15] * 3 + [30]
    weights = density_classes.class_weights(counts, [10, 20])
    np.testing.assert_allclose(weights, np.array([0.4, 0.7, 0.9]) / 2.0, rtol=1e-6)
    assert weights.sum() == pytest.approx(1)


def test_thresholds_need_counts_and_classes():
    for counts, num_classes in (([], 5), ([3], 1)):
        with pytest.raises(ValueError, match="at least one count and 2 classes"):
            density_classes.fit_thresholds(counts, num_classes=num_classes)
