"""Splitting density classes changes no prediction."""

import dataclasses

import numpy as np
import pytest

from cpcnn_jax import config
from cpcnn_jax.models import cpcnn
from cpcnn_jax.models.params import to_variables
from cpcnn_jax.training.init import params as init_params
from cpcnn_jax.training.init import split_classes
from cpcnn_jax.weights import serialization

COARSE = config.Model(
    vgg_width_multiplier=0.125,
    gce_hidden_dims=(8, 8),
    lce_features=(4, 4, 8),
    lce_hidden_dims=(8, 8),
)


def with_classes(number, **changes):
    model = dataclasses.replace(COARSE, num_classes=number, **changes)
    built = cpcnn.build(model)
    return built, init_params.random_params(built, number, "weights")


def looked_at(built, trained, image):
    density, found = built.apply(to_variables(trained), image)
    return np.asarray(density), np.asarray(found["context"])


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(1).random((1, 128, 192, 3), np.float32)


@pytest.mark.parametrize(
    "changes", [{}, {"use_gce": False}, {"use_fcnn": False}], ids=str
)
def test_the_map_stays_and_each_class_is_split_equally(changes, image):
    coarse, known = with_classes(5, **changes)
    fine, before = with_classes(20, **changes)
    found = split_classes.split_classes(known, before)
    assert {n: x.shape for n, x in found.items()} == {
        n: x.shape for n, x in before.items()
    }
    density, scores = looked_at(coarse, known, image)
    same, parts = looked_at(fine, found, image)
    assert np.ptp(scores) > 0.01 and np.ptp(density) > 0
    np.testing.assert_allclose(same, density, atol=1e-5 * np.abs(density).max())
    np.testing.assert_allclose(parts, np.repeat(scores / 4, 4, axis=-1), atol=1e-6)


def test_equally_many_classes_stay():
    known = with_classes(5)[1]
    found = split_classes.split_classes(known, with_classes(5)[1])
    assert found.keys() == known.keys()
    for name, value in known.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("number", [2, 7])
def test_indivisible_class_numbers_are_refused(number):
    text = f"has 5 density classes, of which .*num_classes={number} must be a multiple"
    with pytest.raises(ValueError, match=text):
        split_classes.split_classes(with_classes(5)[1], with_classes(number)[1])


def test_parameters_of_other_networks_stay():
    known, before = with_classes(5)[1], with_classes(20, use_lce=False)[1]
    assert split_classes.split_classes(known, before) is known


def test_an_experiment_fine_tunes_with_more_classes(tmp_path):
    _, known = with_classes(5)
    serialization.save(tmp_path / "weights.safetensors", known, COARSE)
    settings = config.Experiment(init_from=str(tmp_path))
    settings.model = dataclasses.replace(COARSE, num_classes=10)
    built, before = with_classes(10)
    found = init_params.initial_params(built, settings)
    for name, value in split_classes.split_classes(known, before).items():
        np.testing.assert_array_equal(found[name], value)
