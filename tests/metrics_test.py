import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cpcnn_jax import metrics


def _maps(seed=0, shape=(40, 53)):
    draw = np.random.default_rng(seed)
    true = draw.gamma(0.3, 0.01, shape)
    return true + draw.normal(0, 0.002, shape), true


def test_mae_and_rmse_by_hand():
    assert metrics.mae([1, 2, 9], [1, 4, 5]) == 2.0
    np.testing.assert_allclose(metrics.rmse([1, 2, 9], [1, 4, 5]), (20 / 3) ** 0.5)


@pytest.mark.parametrize("score", [metrics.mae, metrics.rmse])
@pytest.mark.parametrize("pair", [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_counts_must_be_two_equal_lists(score, pair):
    with pytest.raises(ValueError, match="two lists of one length"):
        score(*pair)


@pytest.mark.parametrize("seed", range(3))
def test_psnr_equals_scikit_image(seed):
    predicted, true = _maps(seed)
    peak = true.max()
    expected = peak_signal_noise_ratio(true / peak, predicted / peak, data_range=1)
    np.testing.assert_allclose(metrics.psnr(predicted, true), expected, rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_ssim_equals_scikit_image(seed):
    predicted, true = _maps(seed)
    peak = true.max()
    expected = structural_similarity(
        true / peak,
        predicted / peak,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    np.testing.assert_allclose(metrics.ssim(predicted, true), expected, atol=1e-12)


def test_equal_maps_are_perfect_also_when_empty():
    for true in (_maps()[1], np.zeros((20, 20))):
        assert metrics.psnr(true, true) == float("inf")
        assert metrics.ssim(true, true) == 1.0


@pytest.mark.parametrize("score", [metrics.psnr, metrics.ssim])
def test_maps_of_two_shapes_are_refused(score):
    with pytest.raises(ValueError, match=r"\(4, 5\) predicted and \(5, 4\) true"):
        score(np.zeros((4, 5)), np.zeros((5, 4)))


def test_nae_by_hand():
    np.testing.assert_allclose(metrics.nae([1, 5, 4], [2, 4, 0]), (1 / 2 + 1 / 4) / 2)
    assert np.isnan(metrics.nae([3.0], [0.0]))


def test_mae_per_level_equals_a_loop():
    draw = np.random.default_rng(0)
    true = draw.integers(0, 60, 200).astype(float)
    predicted = true + draw.normal(0, 5, 200)
    thresholds = [10, 20, 30, 40]  # true counts equal to them are drawn too
    expected = []
    for low, high in zip([-1, *thresholds], [*thresholds, np.inf], strict=True):
        level = [
            abs(p - t) for p, t in zip(predicted, true, strict=True) if low < t <= high
        ]
        expected.append(sum(level) / len(level))
    found = metrics.mae_per_level(predicted, true, thresholds)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_level_without_photographs_has_no_mae():
    found = metrics.mae_per_level([1, 9], [2, 12], [5, 8, 10, 20])
    np.testing.assert_array_equal(found, [1, np.nan, np.nan, 3, np.nan])


def _region(index, size, level):
    """The region of a pixel: the last whose first pixel is not after it."""
    return max(i for i in range(2**level) if i * size // 2**level <= index)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("shape", [(16, 24), (13, 22), (8, 9)])
def test_game_equals_a_double_loop(level, shape):
    draw = np.random.default_rng(level)
    predicted = draw.gamma(0.3, 0.1, shape)
    points = draw.uniform(0, shape[::-1], (30, 2))
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


def test_game_0_is_the_error_of_the_count_and_finer_grids_err_no_less():
    predicted, _ = _maps()
    points = np.random.default_rng(1).uniform(0, (53, 40), (25, 2))
    found = [metrics.game(predicted, points, level) for level in range(4)]
    np.testing.assert_allclose(found[0], abs(predicted.sum() - 25))
    assert found == sorted(found)
    assert metrics.game(np.ones((8, 8)), [], 3) == 64


def test_game_refuses_what_it_cannot_split():
    with pytest.raises(ValueError, match="1 of 2 heads lie outside the map of 9x8"):
        metrics.game(np.zeros((8, 9)), [[0, 0], [9, 0]], 1)
    with pytest.raises(ValueError, match=r"GAME\(3\) .* got \(7, 9\)"):
        metrics.game_of_maps(np.zeros((7, 9)), np.zeros((7, 9)), 3)
