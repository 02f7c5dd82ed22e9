"""Regression tests for defects of other crowd counters.

Each docstring names the project and its defect in data, targets or scores.
"""

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat
from skimage.metrics import peak_signal_noise_ratio

from cpcnn_jax import config, data
from cpcnn_jax.data import density_map
from cpcnn_jax.evaluation import evaluate, metrics
from cpcnn_jax.inference import density_resize

SHAPE = (96, 128)


def total(people):
    return people.sum(dtype=np.float64)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_adaptive_map_of_up_to_four_heads(number):
    """CSRNet uses infinite distances to three neighbors that do not exist."""
    points = [[20, 20], [60, 50], [90, 30], [40, 70]][:number]
    people = density_map.density_map(points, shape=SHAPE, sigma="adaptive")
    assert total(people) == pytest.approx(number, abs=1e-4)
    assert all(people[y, x] > 1.5 * people.mean() for x, y in points)  # not flat


def test_heads_that_share_a_pixel_are_all_counted():
    """CSRNet and CLIP-EBC set the head's pixel to 1 instead of adding 1."""
    points = np.random.default_rng(0).uniform(40, 50, (400, 2))
    assert len(np.unique(np.floor(points), axis=0)) < 101
    for sigma in (4.0, "adaptive"):
        people = density_map.density_map(points, shape=SHAPE, sigma=sigma)
        assert total(people) == pytest.approx(400, abs=1e-4)


def test_heads_at_the_border_are_counted_once():
    """CSRNet loses the part of a Gaussian beyond the border."""
    points = np.random.default_rng(0).uniform(0, 1, (30, 2)) * (128, 96)
    points[:4] = [[0, 0], [127.9, 0], [0, 95.9], [127.9, 95.9]]
    for sigma in (4.0, "adaptive"):
        people = density_map.density_map(points, shape=SHAPE, sigma=sigma)
        assert total(people) == pytest.approx(30, abs=1e-4)


def test_resized_narrow_gaussians_keep_the_count():
    """CSRNet's cubic interpolation reads 4 of 8 pixels and adds negative people."""
    points = np.random.default_rng(0).uniform(0, 1, (200, 2)) * (128, 96)
    people = density_map.density_map(points, shape=SHAPE, sigma=1.5)
    small = density_resize.resize_density(people, (12, 16))
    assert total(small) == pytest.approx(200, abs=1e-4)
    assert small.min() >= 0


class DiagonalSource:
    """A source of plain images with heads along a diagonal."""

    def __init__(self, shapes, heads):
        self.shapes, self.names = shapes, [f"grey_{i}" for i in range(len(shapes))]
        self.points = [
            np.linspace(0, np.array(shape[::-1]) - 1, number, dtype=np.float32)
            for shape, number in zip(shapes, heads, strict=True)
        ]

    def __len__(self):
        return len(self.shapes)

    def __getitem__(self, i):
        image = np.full((*self.shapes[i], 3), 90, np.uint8)
        return {"name": self.names[i], "image": image, "points": self.points[i]}


def score(source, estimate):
    experiment, levels = config.Experiment(), [10, 50, 100, 500]
    return evaluate.score_images(
        source, estimate, experiment, levels, stop=lambda: None
    )


def test_true_count_is_the_number_of_points():
    """MCNN's true count is the sum of a resized map, too low for 94 % of sizes."""
    source = DiagonalSource([(67, 101), (200, 213), (683, 1018)], [5, 40, 711])
    rows = score(source, lambda image: np.zeros(image.shape[:2], np.float32))
    assert [row["count"] for row in rows] == [5, 40, 711]


def test_resized_map_keeps_the_count_at_any_size():
    """MCNN scales a resized map by an integer division."""
    rng = np.random.default_rng(0)
    for shape in rng.integers(200, 1024, (40, 2)):
        people = rng.gamma(0.3, 0.01, shape // 4).astype(np.float32)
        for into in (shape, shape // 8):
            resized = density_resize.resize_density(people, into)
            assert total(resized) == pytest.approx(total(people), abs=1e-4)


@pytest.mark.parametrize("head", [(1, 40), (126, 40), (60, 2), (60, 94), (2, 93)])
def test_head_at_the_border_keeps_its_peak(head):
    """C-3 Framework centers a new kernel in the window that the border leaves."""
    people = density_map.density_map([head], shape=SHAPE)
    assert np.unravel_index(people.argmax(), SHAPE) == head[::-1]
    assert total(people) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("into", [(24, 32), (192, 256), (31, 57)])
def test_map_resized_to_any_shape_keeps_the_count(into):
    """CLIP-EBC multiplies a resized map by the inverse factor."""
    points = np.random.default_rng(0).uniform(0, 1, (50, 2)) * (128, 96)
    resized = density_resize.resize_density(
        density_map.density_map(points, shape=SHAPE), into
    )
    assert total(resized) == pytest.approx(50, abs=1e-4)


def test_images_are_scored_at_their_own_size():
    """P2PNet and LWCC resize the image but not its points."""
    shapes = [(67, 101), (200, 213), (300, 1500)]
    estimated = []

    def estimate(image):
        estimated.append(image.shape[:2])
        return np.zeros(image.shape[:2], np.float32)

    score(DiagonalSource(shapes, [5, 40, 7]), estimate)
    assert list(dict.fromkeys(estimated)) == shapes


def test_names_with_dots_stay_distinct(tmp_path, monkeypatch):
    """LWCC cuts names at the first dot, so cam.1.jpg and cam.2.jpg share a result."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "prepared"))
    names = ["100156_C09.split.1", "100156_C09.split.2"]
    write_world_expo(tmp_path, names)
    source = data.open_dataset(config.WorldExpo(root=str(tmp_path)), "train")
    assert sorted(source.names) == names
    rows = score(source, lambda image: np.zeros(image.shape[:2], np.float32))
    assert {row["name"]: row["count"] for row in rows} == dict(
        zip(names, (1, 2), strict=True)
    )


def write_world_expo(root, names):
    """Writes frames of one scene with 1, 2, ... heads, and a frame per test scene."""
    tests = [f"{scene}_C09" for scene in ("104207 200608 200702 202201 500717".split())]
    for split, frames in (("train", names), ("test", tests)):
        for number, name in enumerate(frames, 1):
            labels = root / f"{split}_label" / name[:6]
            images = root / f"{split}_frame" / (name[:6] if split == "test" else "")
            for folder in (labels, images):
                folder.mkdir(parents=True, exist_ok=True)
            Image.new("L", (80, 70)).save(images / f"{name}.jpg")
            points = np.arange(10.0, 10 + 2 * number).reshape(number, 2)
            savemat(labels / f"{name}.mat", {"point_position": points})
            corners = {
                f"maskVertices{axis}Coordinates": np.array(ends)
                for axis, ends in (("X", [0, 79, 79, 0]), ("Y", [0, 0, 69, 69]))
            }
            savemat(labels / "roi.mat", corners)


def test_counts_are_not_rounded():
    """PeekingDuck rounds counts up, so an empty scene has people."""
    source = DiagonalSource([(64, 80), (64, 80)], [0, 3])
    rows = score(source, lambda image: np.full((64, 80), 0.25 / (64 * 80)))
    assert [row["predicted"] for row in rows] == pytest.approx([0.25, 0.25])


@pytest.mark.parametrize("heads", [0, 3])
@pytest.mark.parametrize("estimate", ["true", "empty", "constant"])
def test_psnr_is_a_number(heads, estimate):
    """The NWPU-Crowd sample code returns the string "NaN"."""
    true = density_map.density_map([[30, 30], [60, 30], [90, 60]][:heads], shape=SHAPE)
    maps = {"true": true, "empty": 0 * true, "constant": np.full(SHAPE, 1e-3)}
    value = metrics.psnr(maps[estimate], true)
    assert isinstance(value, float) and not np.isnan(value)
    if not np.array_equal(maps[estimate], true):
        peak = true.max(initial=0) or 1
        pair = (np.float64(true) / peak, np.float64(maps[estimate]) / peak)
        assert value == pytest.approx(peak_signal_noise_ratio(*pair, data_range=1))
