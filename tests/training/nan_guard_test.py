"""Metrics that are not finite are found at the next check, however late."""

import numpy as np
import pytest

from cpcnn_jax.training import nan_guard

NAMES = ("IMG_1", "IMG_2", "IMG_3")


class Order:
    """Images 2 and 0 in one group; step 7 has three examples."""

    groups = [[1], [2, 0]]

    def examples(self, group, step):
        assert (group, step) == (1, 7)
        return np.array([[1, 4], [0, 1], [1, 7]])


def metrics(**values):
    return {name: np.float32(x) for name, x in values.items()}


def test_check_returns_the_metrics_of_each_step_once():
    watch = nan_guard.NanGuard("density", Order(), NAMES)
    watch.record(0, 1, metrics(loss=[3, 0]), 0)
    watch.record(1, 2, metrics(loss=[2.5, 2]), 0)
    watch.record(3, 2, metrics(loss=[1, 0.5]), 0)
    assert watch.check(3) == {1: {"loss": 3}, 2: {"loss": 2.5}, 3: {"loss": 2}}
    assert watch.check(3) == {}
    assert watch.check(5) == {4: {"loss": 1}, 5: {"loss": 0.5}}


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_the_first_step_that_is_not_finite_is_named_with_its_crops(value):
    watch = nan_guard.NanGuard("density", Order(), NAMES)
    watch.record(5, 1, metrics(loss=[1], crop_mae=[2]), 1)
    watch.record(6, 2, metrics(loss=[1, 1, "nan"], crop_mae=[2, value, 0]), 1)
    watch.record(8, 1, metrics(loss=["nan"], crop_mae=[2]), 1)
    text = (
        f"^stage density, step 8: crop_mae {value} is not finite, after "
        r"IMG_1 \(crop 4 and 7\), IMG_3 \(crop 1\)$"
    )
    with pytest.raises(FloatingPointError, match=text):
        watch.check(9)


def test_a_validation_that_is_not_finite_is_named():
    watch = nan_guard.NanGuard("density", Order(), NAMES)
    watch.check_score(3, 12.5)
    with pytest.raises(FloatingPointError, match="step 4: the validation MAE is nan"):
        watch.check_score(4, float("nan"))
