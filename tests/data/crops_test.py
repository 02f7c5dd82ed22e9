"""Training crops and patches: content and augmentation."""

import doctest
import itertools

import numpy as np
import pytest
from grey_images import Mixed, Stripes

from cpcnn_jax import config, data
from cpcnn_jax.data import crops as crops_lib
from cpcnn_jax.data import density_map

CROPS = config.Crops(num_plain=3, num_augmented=4, num_patches=5)
TARGET = config.Target()


@pytest.fixture(scope="module")
def dataset():
    return data.open_dataset(
        config.SyntheticCrowd(num_train=6, height=256, width=384), "train"
    )


@pytest.mark.parametrize(
    "shape, multiple, expected",
    [
        ((768, 1024), 64, (192, 256)),
        ((683, 1024), 64, (192, 256)),  # 170.75 rounds up
        ((182, 293), 64, (64, 64)),
        ((64, 64), 64, (64, 64)),
        ((100, 1024), 128, (64, 256)),  # never larger than the image
        ((768, 1024), 1, (192, 256)),
        ((683, 1018), 1, (172, 256)),  # the nearest multiple of 4
        ((200, 200), 1, (64, 64)),
    ],
)
def test_crop_size(shape, multiple, expected):
    assert crops_lib.crop_size(shape, config.Crops(size_multiple=multiple)) == expected


def test_docstrings():
    assert doctest.testmod(crops_lib).failed == 0


def test_side_divisor_1_gives_whole_images():
    crops = config.Crops(side_divisor=1, size_multiple=64)
    assert crops_lib.crop_size((250, 320), crops) == (192, 320)


def window_of(dataset, i, j, seed=7):
    return crops_lib._crop_window(seed, i, j, dataset.shapes[i], CROPS).place


def pixels(dataset, i, window):
    top, left, height, width = window
    return dataset[i]["image"][top : top + height, left : left + width] / np.float32(
        255
    )


def test_plain_crop_is_the_cut_of_image_and_full_map(dataset):
    for i, j in itertools.product(range(6), range(CROPS.num_plain)):
        crop = crops_lib.read_crop(dataset, CROPS, TARGET, 7, i, j)
        top, left, height, width = window = window_of(dataset, i, j)
        np.testing.assert_array_equal(crop["image"], pixels(dataset, i, window))
        full = density_map.density_map(dataset.points[i], shape=dataset.shapes[i])
        cut = full[top : top + height, left : left + width, None]
        np.testing.assert_allclose(crop["density"], cut, atol=1e-6)
        x, y = dataset.points[i].T
        within = (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        assert crop["count"] == within.sum()


def test_flip_mirrors_image_and_map(dataset):
    i, j = int(np.argmax([len(p) for p in dataset.points])), CROPS.num_plain
    crop = crops_lib.read_crop(dataset, CROPS, TARGET, 7, i, j)
    top, left, height, width = window = window_of(dataset, i, j)
    np.testing.assert_array_equal(crop["image"], pixels(dataset, i, window)[:, ::-1])
    full = density_map.density_map(dataset.points[i], shape=dataset.shapes[i])
    cut = full[top : top + height, left : left + width]
    assert not np.allclose(cut, cut[:, ::-1], atol=1e-4)
    np.testing.assert_allclose(crop["density"][..., 0], cut[:, ::-1], atol=1e-6)


def test_noise_is_uniform_within_its_bound_and_leaves_the_map_unchanged(dataset):
    j = CROPS.num_plain + 1
    crop = crops_lib.read_crop(dataset, CROPS, TARGET, 7, 0, j)
    clean = pixels(dataset, 0, window_of(dataset, 0, j))
    noise = (crop["image"] - clean)[(clean > 0.1) & (clean < 0.9)]
    assert (
        0.99 * CROPS.noise_amplitude
        < np.abs(noise).max()
        <= CROPS.noise_amplitude * 1.0001
    )
    assert noise.std() == pytest.approx(CROPS.noise_amplitude / np.sqrt(3), rel=0.03)
    assert crop["image"].min() >= 0 and crop["image"].max() <= 1
    full = density_map.density_map(dataset.points[0], shape=dataset.shapes[0])
    top, left, height, width = window_of(dataset, 0, j)
    cut = full[top : top + height, left : left + width, None]
    np.testing.assert_allclose(crop["density"], cut, atol=1e-6)


def test_adaptive_sigma_uses_the_heads_outside_the_crop(dataset):
    i = int(np.argmax([len(p) for p in dataset.points]))
    target = config.Target(sigma_mode="adaptive")
    crop = crops_lib.read_crop(dataset, CROPS, target, 7, i, 0)
    shape = dataset.shapes[i]
    full = density_map.density_map(dataset.points[i], shape=shape, sigma="adaptive")
    top, left, height, width = window_of(dataset, i, 0)
    cut = full[top : top + height, left : left + width, None]
    np.testing.assert_allclose(crop["density"], cut, atol=1e-6)


class WithPerspective(Mixed):
    """A data set with a perspective map of each image except the last."""

    def __getitem__(self, i):
        rows = np.linspace(5, 40, self.shapes[i][0], dtype=np.float32)[:, None]
        perspective = np.broadcast_to(rows, self.shapes[i])
        last = i == len(self) - 1
        return super().__getitem__(i) | {
            "perspective": np.zeros((0, 0), np.float32) if last else perspective
        }


def test_perspective_maps_set_the_sigma_of_heads():
    dataset, target = (
        WithPerspective((96, 128), (96, 128)),
        config.Target("perspective"),
    )
    crops = config.Crops(side_divisor=1, size_multiple=4)
    crop = crops_lib.read_crop(dataset, crops, target, 7, 0, 0)
    expected = density_map.density_map(
        dataset.points[0], shape=(96, 128), sigma=0.2 * dataset[0]["perspective"]
    )
    np.testing.assert_allclose(crop["density"][..., 0], expected, rtol=1e-6)
    far, near = expected[24].max(), expected[72].max()  # the heads' rows
    assert far > 5 * near > 0


@pytest.mark.parametrize("dataset", [WithPerspective((64, 64)), Mixed((64, 64))])
def test_missing_perspective_map_raises_value_error(dataset):
    target = config.Target(sigma_mode="perspective")
    expected = (
        "^grey_0 has no perspective map, which --config.target.sigma_mode=perspective "
        "needs: use fixed or adaptive$"
    )
    with pytest.raises(ValueError, match=expected):
        crops_lib.read_crop(dataset, CROPS, target, 7, 0, 0)


def test_counts_equal_those_of_the_crops(dataset):
    counts = crops_lib.crop_counts(dataset, CROPS, 7)
    read = [
        crops_lib.read_crop(dataset, CROPS, TARGET, 7, i, j)["count"]
        for i, j in itertools.product(range(6), range(7))
    ]
    np.testing.assert_array_equal(counts, read)
    assert counts.dtype == np.float32 and counts.max() > 0
    patches = crops_lib.patch_counts(dataset, CROPS, 7)
    read = [
        crops_lib.read_patch(dataset, CROPS, 7, i, j)["count"]
        for i, j in itertools.product(range(6), range(5))
    ]
    np.testing.assert_array_equal(patches, read)


def test_at_most_10_000_windows_are_counted():
    crops = config.Crops(num_plain=10_000, num_augmented=0)
    assert len(crops_lib.crop_counts(Mixed((64, 64), (64, 64)), crops, 0)) == 10_000


SCALED = config.Crops(num_plain=1, num_augmented=8, max_scale=2.0)


def test_scaled_crops_are_cut_from_scaled_images():
    """Image and density map of a crop are aligned at every scale."""
    dataset, shape = Stripes((512, 768)), (512, 768)
    scales = []
    for j in range(1, 9):
        crop = crops_lib.read_crop(dataset, SCALED, TARGET, 7, 0, j)
        window = crops_lib._crop_window(7, 0, j, shape, SCALED)
        top, left, height, width = window.place
        assert crop["image"].shape == (height, width, 3) == (128, 192, 3)
        down, across = np.divide(window.shape, shape)
        assert down == pytest.approx(across, rel=0.01)
        scales.append(across)
        image, tolerance = crop["image"], 3 / 255
        if crops_lib._augmentation(SCALED.num_plain, j) == "flip":
            image = image[:, ::-1]
        else:
            tolerance += SCALED.noise_amplitude
        red = (left + np.arange(width) + 0.5) / window.shape[1]
        green = (top + np.arange(height) + 0.5) / window.shape[0]
        np.testing.assert_allclose(image[64, :, 0], red, atol=tolerance)
        np.testing.assert_allclose(image[:, 96, 1], green, atol=tolerance)
        points = dataset.points[0] * (across, down)
        full = density_map.density_map(points, shape=window.shape)
        cut = full[top : top + height, left : left + width].sum()
        assert crop["density"].sum() == pytest.approx(cut, abs=1e-4)
    assert 0.5 <= min(scales) < 0.8 and 1.25 < max(scales) <= 2.0


def test_scaling_leaves_plain_crops_and_small_images_unchanged():
    dataset = Mixed((64, 80))
    for j in range(9):
        crop = crops_lib.read_crop(dataset, SCALED, TARGET, 7, 0, j)
        assert crop["image"].shape == (64, 64, 3)
    plain = [crops_lib.read_crop(dataset, c, TARGET, 7, 0, 0) for c in (CROPS, SCALED)]
    for name, values in plain[0].items():
        np.testing.assert_array_equal(values, plain[1][name])


def test_counts_and_images_include_the_scaling(dataset):
    counts = crops_lib.crop_counts(dataset, SCALED, 7)
    for i in range(6):
        read = [crops_lib.read_crop(dataset, SCALED, TARGET, 7, i, j) for j in range(9)]
        assert counts[9 * i : 9 * i + 9].tolist() == [crop["count"] for crop in read]
        images = crops_lib.crop_images(dataset, SCALED, 7, i, range(9))
        np.testing.assert_array_equal(images, [crop["image"] for crop in read])


class Gray(Mixed):
    """All pixels are 102 of 255, 0.4."""

    def __getitem__(self, i):
        image = np.full((*self.shapes[i], 3), 102, np.uint8)
        return super().__getitem__(i) | {"image": image}


def test_colors_are_multiplied_and_shifted():
    crops = config.Crops(
        num_plain=1, num_augmented=400, noise_amplitude=0, color_jitter=0.2
    )
    images = crops_lib.crop_images(Gray((64, 64)), crops, 7, 0, range(401))
    colors = images[:, 0, 0]
    np.testing.assert_array_equal(
        images, np.broadcast_to(colors[:, None, None], images.shape)
    )
    assert colors[0].tolist() == pytest.approx([0.4] * 3)
    gains = colors[1:, 0] - colors[1:, 1]  # 0.4 times the difference of two gains
    assert 0.14 < np.abs(gains).max() <= 0.4 * 0.4
    assert gains.std() == pytest.approx(0.4 * 0.2 * np.sqrt(2 / 3), rel=0.1)
    shifts = colors[1:].mean(axis=1) - 0.4
    assert 0.1 < np.abs(shifts).max() <= 0.1 + 0.4 * 0.2
    assert shifts.std() == pytest.approx(
        np.hypot(0.1, 0.08 / np.sqrt(3)) / np.sqrt(3), rel=0.1
    )


def test_jittered_colors_stay_in_range(dataset):
    crops = config.Crops(num_plain=0, num_augmented=20, color_jitter=0.9)
    images = crops_lib.crop_images(dataset, crops, 7, 0, range(20))
    assert images.min() == 0 and images.max() == 1
    assert images.dtype == np.float32
