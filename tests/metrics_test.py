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
