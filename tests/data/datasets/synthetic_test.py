"""The synthetic crowd: reproducible images with all heads inside them."""

import numpy as np
import pytest

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets import synthetic, synthetic_render


def open_crowd(split="train", **fields):
    return data.open_dataset(config.SyntheticCrowd(**fields), split)


def test_image_is_a_pure_function_of_seed_split_and_index():
    first = open_crowd(num_train=5)[3]
    synthetic._render.cache_clear()
    again = open_crowd(num_train=9)[3]  # of more images, rendered out of order
    assert first["name"] == again["name"] == "crowd_train_00003"
    np.testing.assert_array_equal(first["image"], again["image"])
    np.testing.assert_array_equal(first["points"], again["points"])


def test_seed_split_and_index_each_change_the_image():
    images = [
        open_crowd()[0]["image"],
        open_crowd()[1]["image"],
        open_crowd(seed=1)[0]["image"],
        open_crowd("test")[0]["image"],
    ]
    for i, image in enumerate(images):
        assert not any(np.array_equal(image, other) for other in images[i + 1 :])


def test_records_follow_the_data_set_interface():
    dataset = open_crowd("test", num_test=7, height=130, width=200)
    assert len(dataset) == len(dataset.names) == 7 and dataset.skipped == ()
    for i, record in enumerate(dataset):
        assert record["image"].shape == (*dataset.shapes[i], 3) == (130, 200, 3)
        assert record["image"].dtype == np.uint8
        assert record["points"].dtype == np.float32
        np.testing.assert_array_equal(record["points"], dataset.points[i])
    assert i == 6


def test_heads_are_inside_and_counts_range_from_0_to_many():
    dataset = open_crowd(num_train=256)
    points = np.concatenate(dataset.points)
    assert (points >= 0).all() and (points < (320, 256)).all()
    counts = np.array([len(p) for p in dataset.points])
    assert counts.max() <= 1000
    assert (counts == 0).any() and (counts > 800).any()
    assert 0.25 < ((counts >= 20) & (counts <= 300)).mean() < 0.75


def test_people_are_drawn_at_the_head_points(monkeypatch):
    monkeypatch.setattr(
        synthetic_render, "_develop", lambda _, image: np.asarray(image, float)
    )
    camera = synthetic_render.Camera(height=128, width=160, horizon=-40, slope=0.05)
    heads = np.array([[30, 20], [90, 60], [140, 110]])
    empty = synthetic_render.render_image(np.random.default_rng(0), camera, heads[:0])
    people = synthetic_render.render_image(np.random.default_rng(0), camera, heads)
    changed = np.abs(people - empty).sum(axis=2) > 10
    diameter = camera.diameter(heads[:, 1])
    for (x, y), d in zip(heads, diameter, strict=True):
        assert changed[y, x]
        assert changed[int(y + 1.5 * d) :, x].any() or y + 1.5 * d > 128  # the body
        assert not changed[: int(y - d), x].any()  # nothing above the head
    np.testing.assert_allclose(camera.row(diameter), heads[:, 1])


def test_shared_images_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        open_crowd()[0]["image"][:] = 0


@pytest.mark.parametrize(
    "fields", [{"num_train": 0}, {"height": 63}, {"width": 10}, {"max_heads": -1}]
)
def test_invalid_crowd_raises_value_error(fields):
    with pytest.raises(ValueError, match="The synthetic crowd needs"):
        open_crowd(**fields)


def test_crowd_of_0_heads_is_empty():
    assert all(len(p) == 0 for p in open_crowd(max_heads=0).points)


def test_unknown_configuration_raises_value_error():
    with pytest.raises(ValueError, match="must be one of SyntheticCrowd, Folder, "):
        data.open_dataset(config.Target(), "train")
