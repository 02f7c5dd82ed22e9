"""Prediction intervals: their rank by definition, coverage, and bad headers."""

import math

import numpy as np
import pytest

from cpcnn_jax.inference import prediction_interval
from cpcnn_jax.inference.prediction_interval import (
    PredictionIntervals,
    fit_intervals,
    parse_intervals,
)


def crowd(rng, number):
    """True and predicted people, whose errors grow with the density, and pixels."""
    true = rng.integers(0, 3000, number)
    pixels = rng.integers(100_000, 2_000_000, number)
    spread = 0.05 + 0.3 * np.minimum(true / pixels * 300, 1)
    return true, true * np.exp(rng.normal(0, 1, number) * spread), pixels


def test_nine_of_ten_new_images_are_inside_at_each_level():
    """The mean over many draws of the validation images, as the theorem promises."""
    rng, inside = np.random.default_rng(0), []
    for _ in range(200):
        fitted = fit_intervals(*crowd(rng, 60))
        true, predicted, pixels = crowd(rng, 300)
        low, high = np.transpose(
            [fitted.interval(c, n) for c, n in zip(predicted, pixels, strict=True)]
        )
        members = np.searchsorted(
            fitted.thresholds, prediction_interval.density_level(predicted, pixels)
        )
        inside.append(
            [
                prediction_interval.coverage(
                    true[members == n], low[members == n], high[members == n]
                )
                for n in range(3)
            ]
        )
    share = np.mean(inside, axis=0)
    assert np.all(share > 0.895) and np.all(share < 0.94), share


def test_bound_is_the_error_of_its_rank():
    true = np.arange(20) * 10.0 + 100
    ratios = np.exp(np.linspace(-0.4, 0.19, 20))
    predicted = (true + 10) / ratios - 10
    fitted = fit_intervals(true[:19], predicted[:19], np.full(19, 90_000))
    expected = np.sort(np.abs(np.log(ratios[:19])))[math.ceil(0.9 * 20) - 1]
    assert fitted.thresholds == () and fitted.num_images == 19
    np.testing.assert_allclose(fitted.log_ratios, [expected])


def test_interval_is_symmetric_in_ratios_and_never_negative():
    fitted = PredictionIntervals((2.0,), (0.1, 0.5), 30)
    low, high = fitted.interval(100, 1_000_000)  # one person per 100x100 pixels
    assert (110 / (low + 10), (high + 10) / 110) == pytest.approx([math.exp(0.1)] * 2)
    low, high = fitted.interval(300, 1_000_000)
    assert (high + 10) / 310 == pytest.approx(math.exp(0.5))
    assert fitted.interval(-2.5, 10_000) == fitted.interval(0, 10_000)
    assert fitted.interval(0, 10_000)[0] == 0


@pytest.mark.parametrize(
    "number, levels", [(10, 1), (20, 2), (29, 2), (66, 3), (900, 3)]
)
def test_levels_have_equally_many_images(number, levels):
    true, predicted, pixels = crowd(np.random.default_rng(1), number)
    fitted = fit_intervals(true, predicted, pixels)
    assert len(fitted.log_ratios) == levels == len(fitted.thresholds) + 1
    level = prediction_interval.density_level(predicted, pixels)
    members = np.bincount(np.searchsorted(fitted.thresholds, level), minlength=levels)
    assert members.max() - members.min() <= 1


@pytest.mark.parametrize("empty, levels", [(60, 1), (45, 2), (40, 2)])
def test_many_images_of_one_density_leave_fewer_levels(empty, levels):
    """Images without people, as a camera at night has them."""
    true, predicted, pixels = crowd(np.random.default_rng(2), 60)
    predicted[:empty] = true[:empty] = 0
    fitted = fit_intervals(true, predicted, pixels)
    assert len(fitted.log_ratios) == levels
    assert fitted.interval(0, 90_000)[0] == 0


def test_nine_images_are_too_few():
    with pytest.raises(ValueError, match="at least 10 validation images, got 9"):
        fit_intervals(*crowd(np.random.default_rng(0), 9))


def test_header_is_read_back():
    fitted = fit_intervals(*crowd(np.random.default_rng(0), 66))
    assert parse_intervals(fitted._asdict()) == fitted
    assert parse_intervals(None) is None


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": [3, 2]},
        {"thresholds": [1, 2, 3]},
        {"thresholds": None},
        {"log_ratios": [0.1, 0.2, math.nan]},
        {"log_ratios": [0.1, 0.2, -0.1]},
        {"log_ratios": [0.1, 0.2, 1e9]},
        {"log_ratios": ["a", "b", "c"]},
        {"num_images": math.inf},
    ],
)
def test_damaged_header_is_refused(change):
    header = {"thresholds": [1, 2], "log_ratios": [0.1, 0.2, 0.3], "num_images": 66}
    with pytest.raises(ValueError, match="prediction intervals: {"):
        parse_intervals(header | change)
    for wrong in ([1], "text", 3, {}):
        with pytest.raises(ValueError, match="unknown prediction intervals"):
            parse_intervals(wrong)
