"""The generated crowd: the same each time, every head in its photograph."""

import numpy as np
import pytest

from cpcnn_jax import config, data
from cpcnn_jax.data.datasets import synthetic, synthetic_render


def open_crowd(split="train", **fields):
    return data.open_dataset(config.SyntheticCrowd(**fields), split)


def test_a_photograph_is_a_pure_function_of_seed_split_and_number():
    first = open_crowd(num_train=5)[3]
    synthetic._photograph.cache_clear()
    again = open_crowd(num_train=9)[3]  # among more of them, drawn out of order
    assert first["name"] == again["name"] == "crowd_train_00003"
    np.testing.assert_array_equal(first["image"], again["image"])
    np.testing.assert_array_equal(first["points"], again["points"])


def test_seed_split_and_number_each_change_the_photograph():
    images = [
        open_crowd()[0]["image"],
        open_crowd()[1]["image"],
        open_crowd(seed=1)[0]["image"],
        open_crowd("test")[0]["image"],
    ]
    for i, image in enumerate(images):
        assert not any(np.array_equal(image, other) for other in images[i + 1 :])


def test_records_have_the_shape_of_every_source():
    source = open_crowd("test", num_test=7, height=130, width=200)
    assert len(source) == len(source.names) == 7 and source.skipped == ()
    for i, record in enumerate(source):
        assert record["image"].shape == (*source.shapes[i], 3) == (130, 200, 3)
        assert record["image"].dtype == np.uint8
        assert record["points"].dtype == np.float32
        np.testing.assert_array_equal(record["points"], source.points[i])
    assert i == 6


def test_heads_lie_inside_and_are_spread_from_none_to_many():
    source = open_crowd(num_train=256)
    points = np.concatenate(source.points)
    assert (points >= 0).all() and (points < (320, 256)).all()
    counts = np.array([len(p) for p in source.points])
    assert counts.max() <= 1000
    assert (counts == 0).any() and (counts > 800).any()
    assert 0.25 < ((counts >= 20) & (counts <= 300)).mean() < 0.75


def test_people_are_drawn_where_the_heads_are(monkeypatch):
    monkeypatch.setattr(
        synthetic_render, "_develop", lambda _, image: np.asarray(image, float)
    )
    camera = synthetic_render.Camera(height=128, width=160, horizon=-40, slope=0.05)
    heads = np.array([[30, 20], [90, 60], [140, 110]])
    square = synthetic_render.render_image(np.random.default_rng(0), camera, heads[:0])
    people = synthetic_render.render_image(np.random.default_rng(0), camera, heads)
    changed = np.abs(people - square).sum(axis=2) > 10
    diameter = camera.diameter(heads[:, 1])
    for (x, y), d in zip(heads, diameter, strict=True):
        assert changed[y, x]
        assert changed[int(y + 1.5 * d) :, x].any() or y + 1.5 * d > 128  # the body
        assert not changed[: int(y - d), x].any()  # nothing over the head
    np.testing.assert_allclose(camera.row(diameter), heads[:, 1])


def test_images_are_shared_and_so_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        open_crowd()[0]["image"][:] = 0


@pytest.mark.parametrize(
    "fields", [{"num_train": 0}, {"height": 63}, {"width": 10}, {"max_heads": -1}]
)
def test_an_impossible_crowd_is_refused(fields):
    with pytest.raises(ValueError, match="The generated crowd needs"):
        open_crowd(**fields)


def test_a_square_may_stay_empty():
    assert all(len(p) == 0 for p in open_crowd(max_heads=0).points)


def test_an_unknown_source_is_refused():
    with pytest.raises(ValueError, match="must be one of Crowd, Folder, ShanghaiTech"):
        data.open_dataset(config.Target(), "train")
