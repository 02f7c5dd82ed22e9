"""Localization: the matching against SciPy's assignment, and its edges."""

import math

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from cpcnn_jax.evaluation.metrics import Localization, localize


@pytest.mark.parametrize("seed", range(20))
def test_number_of_matches_is_the_largest_possible(seed):
    rng = np.random.default_rng(seed)
    predicted, true = (
        rng.uniform(0, 60, (rng.integers(1, 40), 2)),
        rng.uniform(0, 60, (rng.integers(1, 40), 2)),
    )
    far = np.linalg.norm(predicted[:, None] - true, axis=-1) > 8
    rows, columns = linear_sum_assignment(far)
    expected = int(np.sum(~far[rows, columns]))
    assert localize(predicted, true) == (expected, len(predicted), len(true))


def test_one_prediction_matches_one_of_two_heads():
    found = localize(np.array([[10.0, 10.0]]), np.array([[8.0, 10.0], [12.0, 10.0]]))
    assert (found.precision, found.recall) == (1, 0.5)
    assert found.f1 == pytest.approx(2 / 3)


def test_radius_is_included_and_more_is_not():
    heads = np.array([[0.0, 0.0]])
    assert localize(heads + [8, 0], heads).matched == 1
    assert localize(heads + [8.001, 0], heads).matched == 0


def test_no_heads_and_no_predictions():
    none, some = np.empty((0, 2)), np.ones((3, 2))
    assert localize(none, none) == (0, 0, 0)
    assert localize(some, none) == (0, 3, 0) and localize(none, some) == (0, 0, 3)
    assert math.isnan(Localization(0, 0, 3).precision)
    assert math.isnan(Localization(0, 3, 0).recall)
    assert Localization(0, 3, 0).f1 == 0 and math.isnan(Localization(0, 0, 0).f1)
