"""`cp.load` and `Counter.count`."""

import hashlib
import io
import shutil

import numpy as np
import pytest
import tiny_backbone
import tiny_experiment
from PIL import Image

import cpcnn_jax as cp
from cpcnn_jax.inference import counter
from cpcnn_jax.inference.people import format_people
from cpcnn_jax.inference.prediction_interval import PredictionIntervals
from cpcnn_jax.io import image as image_io
from cpcnn_jax.weights import pretrained, serialization


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """Weights in a workdir, like those of a run."""
    model, drawn = tiny_experiment.networks()
    path = tmp_path_factory.mktemp("run") / "weights.safetensors"
    serialization.save(path, drawn, tiny_experiment.get_config().model, blocks=2)
    return path


@pytest.fixture(scope="module")
def ready(file):
    return cp.load(file)


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).integers(0, 256, (100, 140, 3), dtype=np.uint8)


def test_count_is_the_sum_of_the_density_of_the_whole_image(file, ready, image):
    model, drawn = tiny_experiment.networks()
    expected = tiny_experiment.in_one_piece(model, blocks=2)(drawn, image)
    result = ready.count(image)
    np.testing.assert_allclose(result.density, expected, rtol=1e-4, atol=1e-7)
    assert result.density.dtype == np.float32
    assert isinstance(result.count, float)
    np.testing.assert_allclose(result.count, expected.sum(dtype=float), rtol=1e-5)
    assert result.global_scores.shape == (2, 2, 5)
    assert result.local_scores.shape == (2, 3, 5)
    for scores in (result.global_scores, result.local_scores):
        np.testing.assert_allclose(scores.sum(-1), 1, rtol=1e-5)


def test_load_without_a_path_takes_the_default_weights(file, monkeypatch, tmp_path):
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setattr(pretrained, "PRETRAINED", {pretrained.DEFAULT: digest})
    with pytest.raises(ValueError, match="^the weights shared_backbone are not part"):
        cp.load()
    shutil.copy(file, tmp_path / f"{pretrained.DEFAULT}.safetensors")
    assert set(cp.load().weights) == set(cp.load(file).weights)


def test_network_with_a_shared_backbone_is_loaded_and_counts(tmp_path, image):
    model, drawn = tiny_backbone.networks()
    file = tmp_path / "weights.safetensors"
    serialization.save(file, drawn, tiny_backbone.MODEL)
    expected, _ = tiny_backbone.in_one_piece(model)(drawn, image)
    ready = cp.load(tmp_path, tile_size=768)
    assert ready.model == model
    result = ready.count(image)
    highest = np.abs(expected).max()
    np.testing.assert_allclose(result.density, expected, atol=1e-5 * highest)
    np.testing.assert_allclose(result.count, expected.sum(dtype=float), rtol=1e-5)
    assert result.global_scores.shape == (1, 1, 3)
    assert result.local_scores.shape == (3, 3, 4)
    with pytest.raises(ValueError, match="tiles of at least 768 pixels"):
        cp.load(file, tile_size=700)


def test_default_weights_count_a_synthetic_crowd():
    """A value of these weights; no other implementation has counted this image."""
    result = cp.load().count(tiny_experiment.ROOT / "docs" / "crowd.jpg")
    assert result.count == pytest.approx(123.224, abs=0.01)


# Training images that the weights did not learn from, and the counts of the
# implementation that trained the weights, in single precision.
REAL = {
    "part_A/train_data/images/IMG_127.jpg": 144.849,
    "part_A/train_data/images/IMG_216.jpg": 71.998,
    "part_A/train_data/images/IMG_31.jpg": 916.190,  # higher than wide
    "part_B/train_data/images/IMG_292.jpg": 34.308,
}


@pytest.mark.long
def test_default_weights_count_as_where_they_were_trained(real_data):
    whole, tiles = cp.load(), cp.load(tile_size=768)
    for file, expected in REAL.items():
        count = whole.count(real_data / "ShanghaiTech" / file).count
        assert count == pytest.approx(expected, rel=1e-4)
        part = tiles.count(real_data / "ShanghaiTech" / file).count
        assert part == pytest.approx(count, abs=1e-4)


def test_all_types_of_an_image_have_the_same_count(tmp_path, file, ready, image):
    Image.fromarray(image).save(tmp_path / "a.png")
    data = io.BytesIO((tmp_path / "a.png").read_bytes())
    floats = image.astype(np.float32) / 255
    sources = (
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        data,
        Image.open(data),
        floats,
    )
    expected = ready.count(image).count
    for source in sources:
        assert ready.count(source).count == expected
    gray = image[..., 0]
    color = np.repeat(gray[..., None], 3, axis=2)
    assert ready.count(gray).count == ready.count(color).count
    assert cp.load(file.parent).count(image).count == expected


def test_reduced_image_has_a_small_density_map(ready, image):
    result = ready.count(image, max_size=98)
    assert result.density.shape == (70, 98)
    assert result.image.size == (100, 140)


def test_progress_wraps_each_list_of_work(ready, image):
    lists = []

    def progress(work):
        lists.append(len(work))
        return work

    ready.count(image, progress=progress)
    assert lists == [1, 1, 1]  # batches of blocks, batches of windows, tiles


def test_small_image_is_named(tmp_path, ready):
    with pytest.raises(ValueError, match="the image has 80x63 pixels; .* least 64x64"):
        ready.count(np.zeros((63, 80)))
    Image.new("L", (1, 1)).save(tmp_path / "dot.bmp")
    with pytest.raises(ValueError, match="dot.bmp has 1x1 pixels"):
        ready.count(tmp_path / "dot.bmp")


def test_weights_that_are_not_finite_raise_value_error(tmp_path, image):
    _, drawn = tiny_experiment.networks()
    drawn["fcnn/conv4/bias"] = np.float32([np.nan])
    serialization.save(
        tmp_path / "w.safetensors", drawn, tiny_experiment.get_config().model
    )
    with pytest.raises(ValueError, match="the image: the density is not finite"):
        cp.load(tmp_path / "w.safetensors").count(image)


def test_missing_or_wrong_weights_raise_value_error(tmp_path, file):
    with pytest.raises(ValueError, match=f"no weights at {tmp_path}/weights.safet"):
        cp.load(tmp_path)
    with pytest.raises(ValueError, match="no weights at cpcnn-a: expected a pret"):
        cp.load("cpcnn-a")
    shutil.copy(file, tmp_path / "half.safetensors")
    _, drawn = tiny_experiment.networks()
    del drawn["fcnn/t1/kernel"]
    serialization.save(
        tmp_path / "half.safetensors", drawn, tiny_experiment.get_config().model
    )
    text = (
        r"half.safetensors is damaged: expected fcnn/t1/kernel of shape \(4, .*nothing"
    )
    with pytest.raises(ValueError, match=text):
        cp.load(tmp_path / "half.safetensors")
    with pytest.raises(ValueError, match="tiles of at least 132 pixels"):
        cp.load(file, tile_size=100)


def test_results_show_themselves(file, ready, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "a.png")
    loaded = cp.load(file)
    number = sum(value.size for value in ready.weights.values())
    assert repr(loaded) == f"<counter by {file}, {number:,} parameters>"
    result = loaded.count(tmp_path / "a.png")
    people = f"{format_people(result.count)} people in {tmp_path}/a.png"
    assert repr(result) == f"<{people}, 140x100 pixels, by {file}>"
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(result.draw()))


def test_notebook_gets_a_smaller_picture_of_a_large_image():
    pixels = np.zeros((300, 2600, 3), np.uint8)
    loaded = image_io.LoadedImage("a", pixels, (300, 2600))
    result = counter.Count(0.0, np.zeros((300, 2600)), None, None, loaded)
    assert result.draw().width == 2600
    with Image.open(io.BytesIO(result._repr_png_())) as shown:
        assert max(shown.size) == counter.NOTEBOOK_SIZE
    assert repr(result) == "<0 people in a, 2600x300 pixels, by unnamed weights>"


def test_count_has_the_interval_of_its_weights(file, ready, image, tmp_path):
    assert (ready.count(image).low, ready.count(image).high) == (None, None)
    fitted = PredictionIntervals((3.5,), (0.25, 0.5), 20)
    small, model = serialization.load(file), serialization.load_model(file)
    path = tmp_path / "ranges.safetensors"
    serialization.save(path, small, model, blocks=2, intervals=fitted._asdict())
    assert serialization.load_model(path) == model
    result = cp.load(path).count(image)
    assert (result.low, result.high) == fitted.interval(
        result.count, image[..., 0].size
    )
    ends = f"({format_people(result.low)} to {format_people(result.high)})"
    assert f"{format_people(result.count)} {ends} people in" in repr(result)
    broken = fitted._asdict() | {"log_ratios": [0.1]}
    serialization.save(path, small, model, intervals=broken)
    with pytest.raises(
        ValueError, match="ranges.safetensors: impossible prediction in"
    ):
        cp.load(path)


def test_points_are_in_pixels_of_the_upright_image():
    density = cp.density_map([[20, 10], [70, 40]], shape=(50, 100))
    pixels = np.zeros((50, 100, 3), np.uint8)
    loaded = image_io.LoadedImage("a", pixels, (100, 200))  # reduced by two
    result = counter.Count(2.0, density, None, None, loaded)
    points = result.points[np.argsort(result.points[:, 0])]
    np.testing.assert_allclose(points, [[41, 21], [141, 81]])
    drawn, plain = (np.asarray(result.draw(points=p)) for p in (True, False))
    assert np.any(drawn[:50] != plain[:50]) and np.all(drawn[50:] == plain[50:])
