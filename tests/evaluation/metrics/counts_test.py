"""Metrics of counts, against values by hand and by a loop."""

import numpy as np
import pytest

from cpcnn_jax.evaluation import metrics


def test_mae_and_rmse_by_hand():
    assert metrics.mae([1, 2, 9], [1, 4, 5]) == 2.0
    np.testing.assert_allclose(metrics.rmse([1, 2, 9], [1, 4, 5]), (20 / 3) ** 0.5)


@pytest.mark.parametrize("score", [metrics.mae, metrics.rmse])
@pytest.mark.parametrize("pair", [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_lists_of_different_length_raise_value_error(score, pair):
    with pytest.raises(ValueError, match="two lists of one length"):
        score(*pair)


def test_nae_by_hand():
    np.testing.assert_allclose(metrics.nae([1, 5, 4], [2, 4, 0]), (1 / 2 + 1 / 4) / 2)
    assert np.isnan(metrics.nae([3.0], [0.0]))


def test_mae_per_level_equals_a_loop():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 60, 200).astype(float)
    predicted = true + rng.normal(0, 5, 200)
    thresholds = [10, 20, 30, 40]  # some true counts equal a threshold
    expected = []
    for low, high in zip([-1, *thresholds], [*thresholds, np.inf], strict=True):
        level = [
            abs(p - t) for p, t in zip(predicted, true, strict=True) if low < t <= high
        ]
        expected.append(sum(level) / len(level))
    mae = metrics.mae_per_level(predicted, true, thresholds)
    np.testing.assert_allclose(mae, expected, rtol=1e-12)


def test_level_without_images_has_nan_mae():
    mae = metrics.mae_per_level([1, 9], [2, 12], [5, 8, 10, 20])
    np.testing.assert_array_equal(mae, [1, np.nan, np.nan, 3, np.nan])
