"""Bootstrap intervals and paired differences, equal to scipy's."""

import numpy as np
import pytest
from scipy import stats

from cpcnn_jax.evaluation import bootstrap


def _errors(seed, count=37):
    return np.random.default_rng(seed).gamma(1.5, 40, count)


def test_interval_equals_scipy_percentile_bootstrap():
    errors = _errors(0)
    expected = stats.bootstrap(
        (errors,),
        np.mean,
        n_resamples=500,
        confidence_level=0.95,
        method="percentile",
        rng=np.random.default_rng(3),
    ).confidence_interval
    interval = bootstrap.mean_interval(errors, resamples=500, seed=3)
    np.testing.assert_allclose(interval, expected, rtol=1e-12)


def test_interval_has_its_stated_coverage():
    rng, covered = np.random.default_rng(0), 0
    for seed in range(200):
        low, high = bootstrap.mean_interval(
            rng.normal(5, 2, 60), resamples=200, seed=seed
        )
        covered += low <= 5 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_difference_equals_scipy_test_and_interval():
    a, b = _errors(1), _errors(2)
    b[:4] = a[:4]  # images with equal errors
    difference = bootstrap.paired_difference(a, b, resamples=400, seed=5)
    interval = stats.bootstrap(
        (a, b),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=400,
        method="percentile",
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert difference.p_value == stats.wilcoxon(a, b).pvalue
    np.testing.assert_allclose(difference.mean, a.mean() - b.mean())
    ends = difference.low, difference.high
    np.testing.assert_allclose(ends, interval, rtol=1e-12)


def test_swapped_runs_give_the_opposite_difference():
    a, b = _errors(1), _errors(2)
    ab, ba = (
        bootstrap.paired_difference(*pair, resamples=300) for pair in ((a, b), (b, a))
    )
    np.testing.assert_allclose(
        (ab.mean, ab.low, ab.high), (-ba.mean, -ba.high, -ba.low)
    )
    assert ab.p_value == ba.p_value


def test_equal_errors_have_no_difference():
    errors = _errors(0)
    difference = bootstrap.paired_difference(errors, errors, resamples=50)
    assert difference == (0, 0, 0, 1)


def test_invalid_lists_raise_value_error():
    with pytest.raises(ValueError, match=r"at least 2 values, got shape \(1,\)"):
        bootstrap.mean_interval([3.0])
    with pytest.raises(ValueError, match=r"got shapes \(2,\) and \(3,\)"):
        bootstrap.paired_difference([1, 2], [1, 2, 3])
