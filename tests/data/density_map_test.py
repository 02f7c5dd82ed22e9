"""Density maps against SciPy's Gaussian filter, and their sums against counts."""

import doctest

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from cpcnn_jax import config, data
from cpcnn_jax.data import density_map
from cpcnn_jax.inference import density_resize

SHAPE = (96, 128)  # of the image
# Pixels per metre of a street: 5 at the top, 40 at the bottom.
PERSPECTIVE = np.tile(np.linspace(5, 40, 96, dtype=np.float32)[:, None], (1, 128))


def draw(points, **options):
    return density_map.density_map(points, shape=SHAPE, **options)


def crowd(number, seed=0):
    """Random head points, with some on corners, on borders and at the same point."""
    points = np.random.default_rng(seed).uniform(0, 1, (number, 2)) * (128, 96)
    special = [[0, 0], [127.9, 95.9], [127, 0], [0, 95], [64, 0.2], [5, 5], [5, 5]]
    points[: len(special)] = np.reshape(special[:number], (-1, 2))
    return points


def filtered(row, column, sigma, truncate):
    impulse = np.zeros(SHAPE)
    impulse[row, column] = 1
    return gaussian_filter(impulse, sigma, mode="constant", truncate=truncate)


def test_examples():
    assert doctest.testmod(density_map).failed == 0


def test_fixed_equals_gaussian_filter_in_the_interior():
    expected = filtered(40, 60, 4.0, 7 / 4.0) + filtered(42, 70, 4.0, 7 / 4.0)
    density = draw([[60.9, 40.2], [70.0, 42.99]])
    np.testing.assert_allclose(density, expected, atol=1e-8)


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


def test_perspective_equals_gaussian_filter_per_head():
    points = np.array([[60.9, 30.2], [66, 60]])
    record = {"name": "frame", "perspective": PERSPECTIVE}
    sigma = config.Target(sigma_mode="perspective", sigma_metres=0.1).sigma_of(record)
    metre = [5 + 35 * row / 95 for row in (30, 60)]
    expected = filtered(30, 60, 0.1 * metre[0], 4.0)
    expected += filtered(60, 66, 0.1 * metre[1], 4.0)
    np.testing.assert_allclose(draw(points, sigma=sigma), expected, atol=1e-6)


SIGMAS = {4.0: 4.0, 1.5: 1.5, "adaptive": "adaptive", "map": 0.2 * PERSPECTIVE}
every_sigma = pytest.mark.parametrize("sigma", SIGMAS.values(), ids=map(str, SIGMAS))


@every_sigma
@pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 50, 2000])
def test_sum_is_the_number_of_heads(number, sigma):
    for seed in range(3):
        total = draw(crowd(number, seed), sigma=sigma).sum(dtype=np.float64)
        assert total == pytest.approx(number, abs=1e-4)


@every_sigma
def test_coincident_heads_add(sigma):
    for number in (2, 3, 7):
        density = draw([[30, 30]] * number, sigma=sigma)
        assert density.sum() == pytest.approx(number, abs=1e-4)
        assert density.argmax() == 30 * 128 + 30
        if not isinstance(sigma, str):  # adaptive sigmas depend on the neighbors
            np.testing.assert_allclose(
                density, number * draw([[30, 30]], sigma=sigma), atol=1e-6
            )


@pytest.mark.parametrize("corner", [(0, 0), (127, 0), (0, 95), (127, 95)])
def test_peak_stays_on_a_head_at_the_border(corner):
    x, y = corner
    density = draw([corner])
    assert np.unravel_index(density.argmax(), SHAPE) == (y, x)
    # The Gaussian, cut by the border and scaled to sum 1.
    cut = filtered(y, x, 4.0, 7 / 4.0)
    np.testing.assert_allclose(density, cut / cut.sum(), atol=1e-7)


@every_sigma
@pytest.mark.parametrize(
    "window", [(0, 0, 96, 128), (0, 0, 1, 1), (30, 40, 24, 32), (64, 100, 32, 28)]
)
def test_window_is_the_cut(window, sigma):
    top, left, height, width = window
    points = crowd(300)
    cut = draw(points, sigma=sigma)[top : top + height, left : left + width]
    density = draw(points, sigma=sigma, window=window)
    assert density.dtype == np.float32
    np.testing.assert_allclose(density, cut, atol=1e-6)


def test_heads_outside_the_image_do_not_count():
    points = [[-0.1, 5], [128, 5], [5, 96], [5, -3], [500, 500], [127.99, 95.99]]
    assert density_map.points_inside(points, SHAPE).tolist() == [False] * 5 + [True]
    text = "5 of 6 heads lie outside the image of 128x96 pixels and add nothing"
    with pytest.warns(UserWarning, match=text):
        assert draw(points).sum() == pytest.approx(1, abs=1e-5)
    with pytest.warns(UserWarning, match="5 of 5 heads"):
        np.testing.assert_array_equal(draw(points[:5]), np.zeros(SHAPE))


@pytest.mark.parametrize(
    "points",
    [np.array([[1j, 2]]), np.ma.array([[1.0, 2], [3, 4]], mask=[[0, 0], [1, 1]])],
)
def test_complex_and_masked_points_raise_value_error(points):
    with pytest.raises(ValueError, match="real numbers, neither masked nor complex"):
        draw(points)


def test_bad_points_and_sigma_raise_value_error():
    with pytest.raises(ValueError, match="1 of 2 head points are not finite"):
        draw([[1, 2], [np.nan, 3]])
    with pytest.raises(ValueError, match=r"must be \[N, 2\].*got \(2, 3\)"):
        draw(np.zeros((2, 3)))
    for sigma in (0, -1.0, float("nan"), "adaptve"):
        with pytest.raises(ValueError, match=f"or 'adaptive'; got {sigma}"):
            draw([[1, 2]], sigma=sigma)


def test_sigma_map_must_have_the_image_shape_and_be_positive_at_heads():
    with pytest.raises(ValueError, match=r"must be \(96, 128\); got \(128, 96\)"):
        draw([[1, 2]], sigma=PERSPECTIVE.T)
    for wrong in (0, -3, np.nan, np.inf):
        sigma = PERSPECTIVE.copy()
        sigma[20, 10] = wrong  # at the second head; elsewhere it would not matter
        with pytest.raises(ValueError, match=f"it is {wrong:g} at x 10, y 20"):
            draw([[1, 2], [10.5, 20.9]], sigma=sigma)
        assert draw([[1, 2]], sigma=sigma).sum() == pytest.approx(1, abs=1e-5)


def test_very_large_sigma_gives_a_flat_map():
    density = draw([[10, 20]], sigma=np.full(SHAPE, 1e7))
    np.testing.assert_allclose(density, 1 / density.size, rtol=1e-4)


@pytest.mark.parametrize("into", [(5, 7), (16, 24), (17, 29), (3, 50), (2, 3)])
def test_resizing_keeps_the_sum_of_every_part(into):
    density = np.random.default_rng(0).gamma(0.3, 1, (5, 7))
    resized = density_resize.resize_density(density, into)
    assert resized.shape == into and resized.dtype == np.float32
    np.testing.assert_allclose(resized.sum(dtype=np.float64), density.sum(), rtol=1e-6)
    fine = np.kron(density, np.ones((into[0], into[1]))) / (into[0] * into[1])
    blocks = fine.reshape(into[0], 5, into[1], 7).sum((1, 3))  # into equal parts
    np.testing.assert_allclose(resized, blocks, rtol=1e-5)


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_resizing_by_a_divisor_sums_blocks(scale):
    density = draw(crowd(300))
    blocks = density.reshape(96 // scale, scale, 128 // scale, scale).sum((1, 3))
    resized = density_resize.resize_density(density, (96 // scale, 128 // scale))
    np.testing.assert_allclose(resized, blocks, rtol=1e-5, atol=1e-7)


def check_sums(dataset, indices):
    """Checks every kernel at sizes 1, 1/2, 1/4 and 1/8 to 1e-4 people."""
    for i in indices:
        shape, heads = dataset.shapes[i], dataset.points[i]
        rows = np.linspace(0.5, 12, shape[0])[:, None]
        for sigma in (4.0, "adaptive", np.broadcast_to(rows, shape)):
            density = density_map.density_map(heads, shape=shape, sigma=sigma)
            for scale in (1, 2, 4, 8):  # sides that do not divide are rounded down
                part = density_resize.resize_density(
                    density, (shape[0] // scale, shape[1] // scale)
                )
                error = abs(part.sum(dtype=np.float64) - len(heads))
                assert error < 1e-4, f"{dataset.names[i]}: {error} at 1/{scale}"


@pytest.fixture(scope="module")
def real_datasets(real_data, tmp_path_factory):
    """ShanghaiTech A, train and test, B's training part, and all of UCF_CC_50."""
    a, b = (
        config.ShanghaiTech(part=part, root=str(real_data / "ShanghaiTech"))
        for part in "AB"
    )
    folds = config.UcfCc50(root=str(real_data / "UCF_CC_50"))
    splits = [(a, "train"), (a, "test"), (b, "train")]
    splits += [(folds, "train"), (folds, "test")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(tmp_path_factory.mktemp("prepared")))
        datasets = [data.open_dataset(settings, split) for settings, split in splits]
    assert sum(map(len, datasets)) == 300 + 182 + 400 + 50
    return datasets


def test_sums_equal_counts_on_selected_real_images(real_datasets):
    """Selects the fullest, the emptiest and the smallest image of each data set."""
    for dataset in real_datasets:
        heads = [len(points) for points in dataset.points]
        pixels = [height * width for height, width in dataset.shapes]
        chosen = {np.argmax(heads), np.argmin(heads), np.argmin(pixels)}
        check_sums(dataset, sorted(chosen))


@pytest.mark.long
def test_sums_equal_counts_on_every_real_image(real_datasets):
    for dataset in real_datasets:
        check_sums(dataset, range(len(dataset)))


def test_sum_is_the_number_of_12_000_heads():
    points = np.random.default_rng(0).uniform(0, 1, (12_000, 2)) ** 2 * (1024, 768)
    for sigma in (4.0, "adaptive"):
        density = density_map.density_map(points, shape=(768, 1024), sigma=sigma)
        for scale in (1, 2, 4, 8):
            part = density_resize.resize_density(density, (768 // scale, 1024 // scale))
            assert part.sum(dtype=np.float64) == pytest.approx(12_000, abs=1e-4)


def test_heads_outside_the_image_add_nothing():
    inside = [[3.0, 5.0], [9.0, 5.0], [40.0, 60.0]]
    outside = [[-0.1, 5.0], [128.0, 5.0], [5.0, 96.0], [1e30, -1e30]]
    for sigma in (4.0, "adaptive", PERSPECTIVE):
        expected = draw(inside, sigma=sigma)
        with pytest.warns(UserWarning, match="4 of 7 heads lie outside"):
            density = draw(inside + outside, sigma=sigma)
        np.testing.assert_array_equal(density, expected)
        with pytest.warns(UserWarning, match="4 of 4 heads lie outside"):
            assert not draw(outside, sigma=sigma).any()


def test_shape_takes_numbers_of_numpy_and_refuses_others():
    expected = draw([[3, 5]])
    for shape in (np.array(SHAPE), np.array(SHAPE, np.uint8), list(SHAPE)):
        density = density_map.density_map(
            [[3, 5]], shape=shape, window=np.array([0, 0, *SHAPE])
        )
        np.testing.assert_array_equal(density, expected)
    for shape in ((96.0, 128.0), (96, 128, 3), (96,), 96):
        with pytest.raises(ValueError, match=r"shape must be \(height, width\), two"):
            density_map.density_map([[3, 5]], shape=shape)
