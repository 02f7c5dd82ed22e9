"""Metrics of maps, against scikit-image and a loop over regions."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cpcnn_jax.evaluation import metrics


def _maps(seed=0, shape=(40, 53)):
    rng = np.random.default_rng(seed)
    true = rng.gamma(0.3, 0.01, shape)
    return true + rng.normal(0, 0.002, shape), true


def _flat(value):
    """Makes an estimate with texture and a constant true map."""
    estimate, _ = _maps(7, (33, 47))
    return estimate, np.full(estimate.shape, value)


PAIRS = {
    "even": _maps(0, (40, 64)),
    "odd": _maps(1, (65, 91)),
    "one window": _maps(2, (11, 11)),
    "a row of windows": _maps(3, (11, 38)),
    "single precision": tuple(np.float32(m) for m in _maps(4, (65, 91))),
    "an empty estimate": (np.zeros((20, 23)), np.eye(20, 23)),
    "a flat true map": _flat(0.02),
    "an empty true map": _flat(0.0),
    "a flat estimate": _flat(0.02)[::-1],
    "an estimate far too high": (_maps(5)[1] * 50, _maps(5)[1]),
}


def _divide_by_peak(predicted, true):
    """Normalizes the maps for scikit-image; an empty map has no peak."""
    peak = true.max() if true.any() else 1.0
    return predicted / peak, true / peak


@pytest.mark.parametrize("kind", PAIRS)
def test_psnr_equals_scikit_image(kind):
    predicted, true = _divide_by_peak(*PAIRS[kind])
    expected = peak_signal_noise_ratio(true, predicted, data_range=1)
    np.testing.assert_allclose(metrics.psnr(*PAIRS[kind]), expected, atol=1e-6)


@pytest.mark.parametrize("kind", PAIRS)
def test_ssim_equals_scikit_image(kind):
    predicted, true = _divide_by_peak(*PAIRS[kind])
    expected = structural_similarity(
        true,
        predicted,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    np.testing.assert_allclose(metrics.ssim(*PAIRS[kind]), expected, atol=1e-6)


def test_ssim_of_small_maps_raises_value_error():
    with pytest.raises(ValueError, match=r"at least 11x11 pixels, got \(10, 30\)"):
        metrics.ssim(np.zeros((10, 30)), np.zeros((10, 30)))


def test_equal_maps_have_perfect_scores():
    for true in (_maps()[1], np.zeros((20, 20))):
        assert metrics.psnr(true, true) == float("inf")
        assert metrics.ssim(true, true) == 1.0


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
def test_maps_of_different_shapes_raise_value_error(score):
    with pytest.raises(ValueError, match=r"\(4, 5\) predicted and \(5, 4\) true"):
        score(np.zeros((4, 5)), np.zeros((5, 4)))


def _region(index, size, level):
    """Finds the region of a pixel, the last that starts at or before it."""
    return max(i for i in range(2**level) if i * size // 2**level <= index)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("shape", [(16, 24), (13, 22), (8, 9)])
def test_game_equals_a_double_loop(level, shape):
    rng = np.random.default_rng(level)
    predicted = rng.gamma(0.3, 0.1, shape)
    points = rng.uniform(0, shape[::-1], (30, 2))
    points[:3] = [[0, 0], np.nextafter(shape[::-1], 0), points[3]]
    regions = np.zeros((2**level, 2**level))
    for y in range(shape[0]):
        for x in range(shape[1]):
            place = _region(y, shape[0], level), _region(x, shape[1], level)
            regions[place] += predicted[y, x]
    heads = np.zeros(shape)
    for x, y in points:
        place = _region(int(y), shape[0], level), _region(int(x), shape[1], level)
        regions[place] -= 1
        heads[int(y), int(x)] += 1
    expected = np.abs(regions).sum()
    np.testing.assert_allclose(metrics.game(predicted, points, level), expected)
    np.testing.assert_allclose(metrics.game_of_maps(predicted, heads, level), expected)


def test_game_starts_at_the_count_error_and_grows_with_level():
    predicted, _ = _maps()
    points = np.random.default_rng(1).uniform(0, (53, 40), (25, 2))
    values = [metrics.game(predicted, points, level) for level in range(4)]
    np.testing.assert_allclose(values[0], abs(predicted.sum() - 25))
    assert values == sorted(values)
    assert metrics.game(np.ones((8, 8)), [], 3) == 64


def test_game_of_invalid_inputs_raises_value_error():
    with pytest.raises(ValueError, match="1 of 2 heads lie outside the map of 9x8"):
        metrics.game(np.zeros((8, 9)), [[0, 0], [9, 0]], 1)
    with pytest.raises(ValueError, match=r"GAME\(3\) .* got \(7, 9\)"):
        metrics.game_of_maps(np.zeros((7, 9)), np.zeros((7, 9)), 3)
